//! What the schema says of a file's tables, indexes, views and triggers.

use super::record::{Decoded, Field};

/// A row of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub name: String,
    pub table: String,
    /// 0 for what has no tree.
    pub root: u32,
    pub sql: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Table,
    Virtual,
    Index,
    Unique,
    View,
    Trigger,
}

impl Entry {
    /// `None` for what is no row of a schema.
    pub fn of(row: &Decoded) -> Option<Self> {
        let [kind, name, table, root, sql] = row.fields.as_slice() else {
            return None;
        };
        let root = match root {
            Field::Integer(number) => u32::try_from(*number).ok()?,
            Field::Null => 0,
            _ => return None,
        };
        let sql = match sql {
            Field::Null => None,
            sql => Some(sql.text()?.to_owned()),
        };
        let lower = sql.as_deref().unwrap_or_default().to_ascii_lowercase();
        if !(sql.is_none() || lower.starts_with("create ")) {
            return None;
        }
        let kind = match kind.text()? {
            "table" if lower.starts_with("create virtual ") => Kind::Virtual,
            "table" => Kind::Table,
            "index" if lower.starts_with("create unique ") => Kind::Unique,
            "index" => Kind::Index,
            "view" => Kind::View,
            "trigger" => Kind::Trigger,
            _ => return None,
        };
        Some(Self {
            kind,
            name: name.text()?.to_owned(),
            table: table.text()?.to_owned(),
            root,
            sql,
        })
    }

    /// For messages: table `t`.
    pub fn label(&self) -> String {
        let kind = match self.kind {
            Kind::Table | Kind::Virtual => "table",
            Kind::Index | Kind::Unique => "index",
            Kind::View => "view",
            Kind::Trigger => "trigger",
        };
        format!("{kind} `{}`", self.name)
    }
}
