//! Rows of SQLite, by key.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::ports::database::{Page, Row, Transaction, Value};
use mhost_model::{Fault, FaultResult};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, params_from_iter};

use super::connect::Held;
use super::fault::fault;
use super::schema::{Key, Table, quoted};
use crate::live::{Reading, Writing};
use crate::page::{Pager, check_row, weigh};

/// Keeps the connection's transaction counted.
enum Guard {
    Read(#[allow(dead_code)] Reading),
    Write(#[allow(dead_code)] Writing),
}

/// A transaction; SQLite rolls it back when its connection is dropped.
pub(super) struct Rows {
    connection: Held,
    tables: HashMap<String, Arc<Table>>,
    path: PathBuf,
    guard: Guard,
}

/// A value as a parameter.
struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn bound<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<Bound<'v>> {
    values.into_iter().map(Bound).collect()
}

impl Rows {
    /// A view of the state as it is now.
    pub fn read(connection: Held, live: Reading, path: &Path) -> FaultResult<Box<dyn Transaction>> {
        // A deferred transaction takes its view with the first read.
        let sql = "BEGIN; SELECT count(*) FROM sqlite_schema";
        Self::begin(connection, Guard::Read(live), path, sql)
    }

    /// The one writer.
    pub fn write(
        connection: Held,
        live: Writing,
        path: &Path,
    ) -> FaultResult<Box<dyn Transaction>> {
        Self::begin(connection, Guard::Write(live), path, "BEGIN IMMEDIATE")
    }

    fn begin(
        connection: Held,
        guard: Guard,
        path: &Path,
        sql: &str,
    ) -> FaultResult<Box<dyn Transaction>> {
        connection
            .execute_batch(sql)
            .map_err(|error| fault("begin a transaction on", path, error))?;
        Ok(Box::new(Self {
            connection,
            tables: HashMap::new(),
            path: path.to_path_buf(),
            guard,
        }))
    }

    fn table(&mut self, name: &str) -> FaultResult<Arc<Table>> {
        if let Some(table) = self.tables.get(name) {
            return Ok(table.clone());
        }
        let found =
            Table::find(&self.connection, name).map_err(|error| self.failed(name, error))?;
        let table = found.ok_or_else(|| Fault::NotFound(format!("there is no table `{name}`")))?;
        if matches!(table.key, Key::Hidden) {
            return Err(Fault::Unsupported(format!(
                "table `{name}` has no primary key, and its columns hide the rowid"
            )));
        }
        let table = Arc::new(table);
        self.tables.insert(name.to_owned(), table.clone());
        Ok(table)
    }

    fn failed(&self, table: &str, error: rusqlite::Error) -> Fault {
        fault(&format!("use table `{table}` of"), &self.path, error)
    }

    fn writable(&self) -> FaultResult<()> {
        match self.guard {
            Guard::Write(_) => Ok(()),
            Guard::Read(_) => Err(Fault::Invalid(
                "this is a read transaction: begin a write transaction to change rows".into(),
            )),
        }
    }
}

/// Refuses a key of another length than the table's, and NaN anywhere.
fn check_key(table: &Table, key: &[Value]) -> FaultResult<()> {
    let names = table.key_names();
    if key.len() != names.len() {
        return Err(Fault::Invalid(format!(
            "the key of table `{}` is ({}), not {} values",
            table.name,
            names.join(", "),
            key.len()
        )));
    }
    check_numbers(table, key)
}

fn check_numbers(table: &Table, values: &[Value]) -> FaultResult<()> {
    if values
        .iter()
        .any(|v| matches!(v, Value::Real(r) if r.is_nan()))
    {
        return Err(Fault::Invalid(format!(
            "NaN for table `{}`: SQLite would store null in its place",
            table.name
        )));
    }
    Ok(())
}

/// Refuses columns that are not the table's, or that contradict the key.
fn check_columns(table: &Table, key: &[Value], columns: &[Value]) -> FaultResult<()> {
    if columns.len() != table.columns.len() {
        return Err(Fault::Invalid(format!(
            "table `{}` has {} columns, not {}",
            table.name,
            table.columns.len(),
            columns.len()
        )));
    }
    check_numbers(table, columns)?;
    let Key::Columns(parts) = &table.key else {
        return Ok(());
    };
    for (part, value) in parts.iter().zip(key) {
        if columns[*part] != *value {
            return Err(Fault::Invalid(format!(
                "column `{}` of table `{}` is part of the key and has another value there",
                table.columns[*part].name, table.name
            )));
        }
    }
    Ok(())
}

/// `SELECT` of the rowid, where that is the key, and the columns.
fn select(table: &Table) -> String {
    let mut names = match table.key {
        Key::Rowid(name) => vec![name.to_owned()],
        _ => Vec::new(),
    };
    names.extend(table.columns.iter().map(|c| quoted(&c.name)));
    format!("SELECT {} FROM {}", names.join(", "), table.quoted())
}

/// Compares the key with parameters from number `first`. `IS` also finds null, which
/// SQLite allows in most primary keys.
fn is_key(table: &Table, first: usize) -> String {
    let names = table.key_names();
    let terms = names.iter().zip(first..);
    let terms: Vec<_> = terms.map(|(name, n)| format!("{name} IS ?{n}")).collect();
    terms.join(" AND ")
}

/// What comes after a key, in the order in which null is least. Without a null, row
/// values say it in a way that SQLite finds by the index.
fn beyond(table: &Table, after: &[Value]) -> String {
    let names = table.key_names();
    if !after.contains(&Value::Null) {
        let marks: Vec<_> = (1..=names.len()).map(|n| format!("?{n}")).collect();
        return format!("({}) > ({})", names.join(", "), marks.join(", "));
    }
    let mut sql = String::new();
    for n in (1..=names.len()).rev() {
        let name = &names[n - 1];
        let rest = if sql.is_empty() {
            String::new()
        } else {
            format!(" OR ({name} IS ?{n} AND {sql})")
        };
        sql = format!("({name} > ?{n} OR (?{n} IS NULL AND {name} IS NOT NULL){rest})");
    }
    sql
}

/// The bytes of a result's row, before any is copied.
fn row_bytes(row: &rusqlite::Row, count: usize) -> rusqlite::Result<usize> {
    (0..count).try_fold(0, |sum: usize, index| {
        Ok(sum
            + match row.get_ref(index)? {
                ValueRef::Null => 1,
                ValueRef::Integer(_) | ValueRef::Real(_) => 8,
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
            })
    })
}

fn value(table: &Table, raw: ValueRef) -> FaultResult<Value> {
    Ok(match raw {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(error) => {
                return Err(Fault::Damaged(format!(
                    "a text in table `{}` is not UTF-8: {error}",
                    table.name
                )));
            }
        },
    })
}

/// Takes a row of [`select`] apart; answers its bytes as well.
fn take(table: &Table, row: &rusqlite::Row) -> FaultResult<(Row, usize)> {
    let failed = |error| fault("read", Path::new(&format!("table `{}`", table.name)), error);
    let rowid = usize::from(matches!(table.key, Key::Rowid(_)));
    let count = rowid + table.columns.len();
    let bytes = row_bytes(row, count).map_err(failed)?;
    check_row(&table.name, bytes)?;
    let read = |index| value(table, row.get_ref(index).map_err(failed)?);
    let columns: Vec<Value> = (rowid..count).map(read).collect::<FaultResult<_>>()?;
    let key = match &table.key {
        Key::Columns(parts) => parts.iter().map(|part| columns[*part].clone()).collect(),
        _ => vec![read(0)?],
    };
    Ok((Row { key, columns }, bytes))
}

/// Refuses rows that a page could not go on after.
fn check_distinct(table: &Table, last: Option<&Row>, row: &Row) -> FaultResult<()> {
    if row.key.contains(&Value::Null) && last.is_some_and(|last| last.key == row.key) {
        return Err(Fault::Unsupported(format!(
            "table `{}` has several rows with null in their primary key, which cannot be told apart",
            table.name
        )));
    }
    Ok(())
}

impl Transaction for Rows {
    fn get(&mut self, table: &str, key: &[Value]) -> FaultResult<Option<Row>> {
        let table = self.table(table)?;
        check_key(&table, key)?;
        let sql = format!("{} WHERE {}", select(&table), is_key(&table, 1));
        let failed = |error| self.failed(&table.name, error);
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let found = statement
            .query_row(params_from_iter(bound(key)), |row| Ok(take(&table, row)))
            .optional()
            .map_err(failed)?;
        found.transpose().map(|found| found.map(|(row, _)| row))
    }

    fn scan(&mut self, table: &str, after: Option<&[Value]>, limit: u32) -> FaultResult<Page> {
        let mut pager = Pager::new(limit)?;
        let table = self.table(table)?;
        let mut sql = select(&table);
        if let Some(after) = after {
            check_key(&table, after)?;
            sql.push_str(&format!(" WHERE {}", beyond(&table, after)));
        }
        let order = table.key_names().join(", ");
        sql.push_str(&format!(" ORDER BY {order} LIMIT {}", u64::from(limit) + 1));
        let failed = |error| self.failed(&table.name, error);
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let mut found = statement
            .query(params_from_iter(bound(after.unwrap_or_default())))
            .map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            let (row, bytes) = take(&table, row)?;
            check_distinct(&table, pager.last(), &row)?;
            if !pager.takes(bytes) {
                return Ok(pager.finish(true));
            }
            pager.push(row, bytes);
        }
        Ok(pager.finish(false))
    }

    /// Updates the row where there is one, else inserts it: a `REPLACE` would also
    /// delete other rows that a unique index brings into conflict.
    fn put(&mut self, table: &str, key: &[Value], columns: &[Value]) -> FaultResult<()> {
        self.writable()?;
        check_row(table, weigh(&[key, columns]))?;
        let table = self.table(table)?;
        check_key(&table, key)?;
        check_columns(&table, key, columns)?;
        let failed = |error| self.failed(&table.name, error);
        let every = || params_from_iter(bound(columns.iter().chain(key)));
        let mut update = self
            .connection
            .prepare_cached(&update_sql(&table))
            .map_err(failed)?;
        if update.execute(every()).map_err(failed)? > 0 {
            return Ok(());
        }
        let mut insert = self
            .connection
            .prepare_cached(&insert_sql(&table))
            .map_err(failed)?;
        let rowid = matches!(table.key, Key::Rowid(_));
        let values = columns.iter().chain(key.iter().filter(|_| rowid));
        let done = insert.execute(params_from_iter(bound(values)));
        done.map(drop).map_err(failed)
    }

    fn delete(&mut self, table: &str, key: &[Value]) -> FaultResult<bool> {
        self.writable()?;
        let table = self.table(table)?;
        check_key(&table, key)?;
        let sql = format!("DELETE FROM {} WHERE {}", table.quoted(), is_key(&table, 1));
        let failed = |error| self.failed(&table.name, error);
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let count = statement
            .execute(params_from_iter(bound(key)))
            .map_err(failed)?;
        Ok(count > 0)
    }

    fn commit(self: Box<Self>) -> FaultResult<()> {
        self.connection
            .execute_batch("COMMIT")
            .map_err(|error| fault("commit to", &self.path, error))
    }
}

/// Sets every column, parameters first the columns, then the key.
fn update_sql(table: &Table) -> String {
    let columns = table.columns.iter().zip(1..);
    let sets: Vec<_> = columns
        .map(|(column, n)| format!("{} = ?{n}", quoted(&column.name)))
        .collect();
    format!(
        "UPDATE {} SET {} WHERE {}",
        table.quoted(),
        sets.join(", "),
        is_key(table, table.columns.len() + 1)
    )
}

/// Inserts the columns, and then the rowid where that is the key.
fn insert_sql(table: &Table) -> String {
    let mut names: Vec<_> = table.columns.iter().map(|c| quoted(&c.name)).collect();
    if let Key::Rowid(name) = table.key {
        names.push(name.to_owned());
    }
    let marks: Vec<_> = (1..=names.len()).map(|n| format!("?{n}")).collect();
    format!(
        "INSERT INTO {} ({}) VALUES ({})",
        table.quoted(),
        names.join(", "),
        marks.join(", ")
    )
}
