//! From text to a tree: what is wrong with a file as TOML.

use toml::de::DeTable;

use super::mistake::{ConfigError, Notes, Refusal};
use super::path::KeyPath;
use super::source::{Extent, Source};
use super::tree::{Node, Value};

/// Parses, and reports everything that the parser finds wrong.
pub(super) fn parse(source: &Source) -> Result<Node, ConfigError> {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let root = Node::root(&document);
    if errors.is_empty() {
        return Ok(root);
    }
    let mut notes = Notes::default();
    for error in errors {
        let end = source.text.len();
        let extent = error.span().unwrap_or(end..end);
        let (path, refusal) = if notes.full() {
            (KeyPath::default(), Refusal::of(error.message()))
        } else {
            explain(source, &root, &extent, error.message())
        };
        notes.error(source, &extent, &path, refusal);
    }
    notes.into_result().map(|_| root)
}

fn explain(source: &Source, root: &Node, extent: &Extent, said: &str) -> (KeyPath, Refusal) {
    let (table, line) = (table_at(root, extent.start), line_of(source, extent.start));
    if said != "duplicate key" {
        return (
            table,
            Refusal {
                message: said.to_owned(),
                help: help(said, line),
            },
        );
    }
    let key = source.text[extent.clone()].trim_matches(['"', '\'']);
    if line.starts_with('[') {
        let header = line.trim_matches(['[', ']']);
        let path = KeyPath::keys(&header.split('.').map(str::trim).collect::<Vec<_>>());
        let message = format!("the table `[{header}]` is defined twice");
        return (
            path,
            Refusal::new(message, first_place(source, line, extent.start)),
        );
    }
    let path = table.key(key);
    let first = root.locate(&path).key;
    let help = match first != *extent && first.start < extent.start {
        true => format!(
            "line {} has it already: remove one of them",
            source.excerpt(&first).line
        ),
        false => "remove one of them".to_owned(),
    };
    (
        path,
        Refusal::new(format!("the key `{key}` is set twice"), help),
    )
}

/// What to do about the parser's commoner complaints.
fn help(said: &str, line: &str) -> Option<String> {
    let value = line.split_once('=').map(|(_, value)| value.trim());
    let unquoted =
        value.is_some_and(|value| value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'));
    let help = if said.starts_with("string values must be quoted") || unquoted {
        "put text between quotation marks: `key = \"text\"`"
    } else if said.contains("missing value") {
        "write a value after `=`"
    } else if said.contains("key with no value") {
        "write `key = value`"
    } else if said.contains("recursi") {
        "nest no deeper than 80 levels"
    } else if said.contains("unclosed table") || said.contains("unclosed array of tables") {
        "close the header: `[tasks.NAME]`"
    } else if said.contains("escape") {
        "write `\\\\` for a backslash, or put the text between single quotation marks"
    } else if said.contains("with a dotted key") {
        "write all keys of a table in one place"
    } else {
        return None;
    };
    Some(help.to_owned())
}

/// The whole line around a byte, without the blanks and comment at its ends.
fn line_of(source: &Source, at: usize) -> &str {
    let text = &source.text;
    let begin = text[..at.min(text.len())]
        .rfind('\n')
        .map_or(0, |at| at + 1);
    bare(text[begin..].lines().next().unwrap_or_default())
}

fn bare(line: &str) -> &str {
    let line = if line.trim_start().starts_with('[') {
        line.split('#').next().unwrap_or_default()
    } else {
        line
    };
    line.trim()
}

/// The remedy for a header that stands twice: where the first one is.
fn first_place(source: &Source, header: &str, second: usize) -> String {
    let before = source.text[..second]
        .lines()
        .position(|line| bare(line) == header);
    match before {
        Some(line) => format!(
            "line {} begins it: put the keys there, or choose another name",
            line + 1
        ),
        None => "put all of its keys below one header".to_owned(),
    }
}

/// The table whose header is the nearest above a byte.
fn table_at(root: &Node, at: usize) -> KeyPath {
    let mut best = (0, KeyPath::default());
    nearest(root, at, &KeyPath::default(), &mut best);
    best.1
}

fn nearest(node: &Node, at: usize, path: &KeyPath, best: &mut (usize, KeyPath)) {
    let Value::Table(table) = &node.value else {
        return;
    };
    for (name, entry) in table {
        let begins = entry.node.extent.start;
        // A header, or an inline table around the place.
        let holds = begins < entry.key.start || entry.node.extent.contains(&at);
        if entry.node.table().is_some() && begins <= at {
            let path = path.key(name);
            if holds && begins >= best.0 {
                *best = (begins, path.clone());
            }
            nearest(&entry.node, at, &path, best);
        }
    }
}
