//! What tables there are, and how to name their columns and keys.

use mhost_model::ports::database::TableInfo;
use rusqlite::{Connection, Error, OptionalExtension};

/// A table's columns and key, ready for statements.
#[derive(Debug)]
pub(super) struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub key: Key,
}

#[derive(Debug)]
pub(super) struct Column {
    pub name: String,
    /// As declared; may be empty.
    kind: String,
    /// Its place in the primary key, from 1; 0 outside it.
    part: i64,
}

/// What tells rows apart.
#[derive(Debug)]
pub(super) enum Key {
    /// Indices of the primary key's columns, in its order.
    Columns(Vec<usize>),
    /// The name by which the rowid can be reached.
    Rowid(&'static str),
    /// The table has columns of all three names.
    Hidden,
}

/// A name as an identifier of SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Table {
    /// The table of exactly this name.
    pub fn find(connection: &Connection, name: &str) -> Result<Option<Self>, Error> {
        let found = connection
            .prepare_cached(
                "SELECT 1 FROM pragma_table_list
                 WHERE schema = 'main' AND type = 'table' AND name = ?1
                   AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
            )?
            .query_row([name], |_| Ok(()))
            .optional()?;
        found.map(|()| Self::load(connection, name)).transpose()
    }

    fn load(connection: &Connection, name: &str) -> Result<Self, Error> {
        let mut every = Vec::new();
        let mut columns = Vec::new();
        let mut statement = connection.prepare_cached(
            "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
        )?;
        let mut found = statement.query([name])?;
        while let Some(row) = found.next()? {
            let column = Column {
                name: row.get(0)?,
                kind: row.get(1)?,
                part: row.get(2)?,
            };
            every.push(column.name.to_ascii_lowercase());
            if row.get::<_, i64>(3)? == 0 {
                columns.push(column);
            }
        }
        Ok(Self {
            name: name.to_owned(),
            key: Key::of(&columns, &every),
            columns,
        })
    }

    /// As an identifier.
    pub fn quoted(&self) -> String {
        format!("main.{}", quoted(&self.name))
    }

    /// The key's columns as identifiers; empty where the key is hidden.
    pub fn key_names(&self) -> Vec<String> {
        match &self.key {
            Key::Columns(parts) => parts
                .iter()
                .map(|part| quoted(&self.columns[*part].name))
                .collect(),
            Key::Rowid(name) => vec![(*name).to_owned()],
            Key::Hidden => Vec::new(),
        }
    }

    fn shape(&self) -> String {
        let column = |c: &Column| match c.kind.as_str() {
            "" => c.name.clone(),
            kind => format!("{} {kind}", c.name),
        };
        self.columns
            .iter()
            .map(column)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Key {
    fn of(columns: &[Column], every: &[String]) -> Self {
        let mut parts: Vec<usize> = (0..columns.len())
            .filter(|index| columns[*index].part > 0)
            .collect();
        parts.sort_by_key(|index| columns[*index].part);
        if !parts.is_empty() {
            return Self::Columns(parts);
        }
        ["rowid", "_rowid_", "oid"]
            .into_iter()
            .find(|name| !every.iter().any(|column| column == name))
            .map_or(Self::Hidden, Self::Rowid)
    }
}

/// The names of the ordinary tables, sorted.
fn names(connection: &Connection) -> Result<Vec<String>, Error> {
    connection
        .prepare(
            "SELECT name FROM pragma_table_list
             WHERE schema = 'main' AND type = 'table'
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             ORDER BY name",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// The ordinary tables with their rows counted, by name.
pub(super) fn tables(connection: &Connection) -> Result<Vec<TableInfo>, Error> {
    let mut tables = Vec::new();
    for name in names(connection)? {
        let table = Table::load(connection, &name)?;
        let sql = format!("SELECT count(*) FROM {}", table.quoted());
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        tables.push(TableInfo {
            rows: rows.unsigned_abs(),
            shape: table.shape(),
            columns: table.columns.into_iter().map(|c| c.name).collect(),
            name,
        });
    }
    Ok(tables)
}
