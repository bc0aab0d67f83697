//! Rows of a database.

use mhost_sdk::database::Value;
use mhost_sdk::{Context, Error, Result};

use super::super::item::{self, Header, Noun};
use super::{Item, Outcome};

/// A row is no larger.
const MOST: u64 = 16 << 20;

/// See the module.
pub struct Importer<'a> {
    pub context: &'a Context<'a>,
    pub name: &'a str,
}

impl super::Importer for Importer<'_> {
    fn takes(&self, header: &Header) -> bool {
        header.kind.noun == Noun::Record
    }

    fn apply(&self, item: &Item<'_>) -> Result<Outcome> {
        let (table, key) = parts(item.key)?;
        let connection = self.context.database(self.name)?;
        let changes = connection.begin_write()?;
        let changed = match item.opened.header.kind.deletes {
            true => changes.delete(table, &key)?,
            false => {
                let payload = item::payload(self.context.files(), item.path, item.opened, MOST)?;
                let columns: Vec<Value> = serde_json::from_slice(&payload).map_err(|error| {
                    Error::Damaged(format!("the row of `{}` cannot be read: {error}", item.key))
                })?;
                let there = changes.get(table, &key)?;
                let differs = there.is_none_or(|there| there.columns != columns);
                if differs {
                    changes.put(table, &key, &columns)?;
                }
                differs
            }
        };
        if changed {
            changes.commit()?;
        }
        Ok(Outcome::changed(changed))
    }
}

/// `TABLE/[KEY, …]`.
fn parts(key: &str) -> Result<(&str, Vec<Value>)> {
    let wrong = || Error::Invalid(format!("`{key}` is no key of a record: `TABLE/[…]`"));
    let (table, key) = key.split_once("/[").ok_or_else(wrong)?;
    let values = serde_json::from_str(&format!("[{key}")).map_err(|_| wrong())?;
    Ok((table, values))
}
