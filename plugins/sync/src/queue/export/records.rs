//! The rows of a database's tables.

use mhost_sdk::database::{Row, Transaction, Value};
use mhost_sdk::{Context, Doing as _, Failure, Result};

use super::super::config;
use super::super::item::Noun;
use super::Thing;

/// Rows of one page.
const PAGE: u32 = 1000;

pub fn collect(
    context: &Context<'_>,
    config: &config::Records,
    things: &mut Vec<Thing>,
) -> std::result::Result<(), Failure> {
    let doing = || format!("read the database `{}`", config.database);
    let connection = context.database(&config.database).doing(doing)?;
    let tables = match config.tables.is_empty() {
        true => {
            let tables = connection.tables().doing(doing)?;
            tables.into_iter().map(|table| table.name).collect()
        }
        false => config.tables.clone(),
    };
    let view = connection.begin_read().doing(doing)?;
    for table in tables {
        rows(&*view, &table, things)
            .doing(|| format!("read the table `{table}` of `{}`", config.database))?;
    }
    Ok(())
}

fn rows(view: &dyn Transaction, table: &str, things: &mut Vec<Thing>) -> Result<()> {
    let mut after: Option<Vec<Value>> = None;
    loop {
        let page = view.scan(table, after.as_deref(), PAGE)?;
        after = page.rows.last().map(|row| row.key.clone());
        for row in page.rows {
            things.push(thing(table, &row)?);
        }
        if !page.more {
            return Ok(());
        }
    }
}

fn thing(table: &str, row: &Row) -> Result<Thing> {
    let json = |value: &[Value]| {
        serde_json::to_string(value)
            .map_err(|error| mhost_sdk::Error::Invalid(format!("a row of `{table}`: {error}")))
    };
    let payload = json(&row.columns)?.into_bytes();
    let key = format!("{table}/{}", json(&row.key)?);
    Ok(Thing::of_bytes(Noun::Record, key, payload))
}
