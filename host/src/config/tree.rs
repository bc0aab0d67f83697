//! A TOML document as a tree in which every key and value knows its place in the text.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::path::{KeyPath, Step};
use super::source::Extent;

/// A value and where it stands. The extent of a table with a header is its header.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub extent: Extent,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    /// A number that fits neither 64-bit type.
    Outsize,
    Bool(bool),
    /// A date, a time or both, as RFC 3339 writes it.
    Moment(String),
    List(Vec<Node>),
    Table(Table),
}

pub(super) type Table = BTreeMap<String, Entry>;

/// A key's place and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: Extent,
    pub node: Node,
}

impl Node {
    /// The tree of a parsed document.
    pub fn root(document: &Spanned<DeTable<'_>>) -> Self {
        Self {
            extent: 0..0,
            value: Value::Table(table(document.get_ref())),
        }
    }

    /// The tree of a parsed value.
    pub fn of(value: &Spanned<DeValue<'_>>) -> Self {
        let extent = value.span();
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Outsize, Value::Integer),
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Float(number),
                _ => Value::Outsize,
            },
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
            DeValue::Array(items) => Value::List(items.iter().map(Self::of).collect()),
            DeValue::Table(entries) => Value::Table(table(entries)),
        };
        Self { extent, value }
    }

    /// What it is, with an article, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number with a fraction",
            Value::Outsize => "a number that is too large",
            Value::Bool(_) => "a boolean",
            Value::Moment(_) => "a date or time",
            Value::List(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    pub fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The place of a path's key and of its value; of the nearest one above where there is no such.
    pub fn locate(&self, path: &KeyPath) -> Entry {
        let mut here = Entry {
            key: self.extent.clone(),
            node: Self {
                extent: self.extent.clone(),
                value: Value::Bool(false),
            },
        };
        let mut node = self;
        for step in &path.0 {
            let (key, below) = match (step, &node.value) {
                (Step::Key(name), Value::Table(table)) => match table.get(name) {
                    Some(entry) => (entry.key.clone(), &entry.node),
                    None => break,
                },
                (Step::Index(index), Value::List(items)) => match items.get(*index) {
                    Some(item) => (item.extent.clone(), item),
                    None => break,
                },
                _ => break,
            };
            node = below;
            here.key = key;
            here.node.extent = node.extent.clone();
        }
        here
    }

    /// What stands at a path of keys.
    pub fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter()
            .try_fold(self, |node, key| Some(&node.table()?.get(*key)?.node))
    }
}

fn table(entries: &DeTable<'_>) -> Table {
    entries
        .iter()
        .map(|(key, value)| {
            let entry = Entry {
                key: key.span(),
                node: Node::of(value),
            };
            (key.get_ref().to_string(), entry)
        })
        .collect()
}
