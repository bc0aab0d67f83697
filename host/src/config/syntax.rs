//! From text to a tree: what is wrong with a file as TOML.

use toml::de::DeTable;

use super::mistake::{ConfigError, Notes, Refusal};
use super::path::{KeyPath, Step};
use super::source::{Extent, Source};
use super::tree::{Node, Value};

const DUPLICATE: &str = "duplicate key";

/// Parses, and reports everything that the parser finds wrong.
pub(super) fn parse(source: &Source) -> Result<Node, ConfigError> {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let root = Node::root(&document);
    if errors.is_empty() {
        return Ok(root);
    }
    let mut notes = Notes::default();
    // A table that is defined already: what it sets again says nothing new.
    let mut again = 0..0;
    for error in errors {
        let end = source.text.len();
        let extent = error.span().unwrap_or(end..end);
        if notes.full() {
            let refusal = Refusal::of(error.message());
            notes.error(source, &extent, &KeyPath::default(), refusal);
            continue;
        }
        if error.message() != DUPLICATE {
            let refusal = explain(error.message(), line_of(&source.text, extent.start));
            notes.error(
                source,
                &extent,
                &path_of(&source.text, extent.start),
                refusal,
            );
        } else if !again.contains(&extent.start) {
            let line = line_of(&source.text, extent.start);
            if line.starts_with('[') {
                again = extent.end..table_end(&source.text, extent.end);
            }
            let (path, refusal) = twice(source, &root, &extent, line);
            notes.error(source, &extent, &path, refusal);
        }
    }
    notes.into_result().map(|_| root)
}

/// A key or a table that stands there already.
fn twice(source: &Source, root: &Node, extent: &Extent, line: &str) -> (KeyPath, Refusal) {
    if line.starts_with('[') {
        let path = path_of(&source.text, extent.start);
        let message = format!("the table `[{path}]` is defined twice");
        return (
            path,
            Refusal::new(message, first_place(source, line, extent.start)),
        );
    }
    let key = source.text[extent.clone()].trim_matches(['"', '\'']);
    let path = table_at(root, extent.start).key(key);
    let first = root.locate(&path).key;
    let help = match first.start < extent.start {
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

/// The parser's complaint, and what to do about it.
fn explain(said: &str, line: &str) -> Refusal {
    let said = said.trim_end_matches(", expected literal string");
    let value = line.split_once('=').map(|(_, value)| value.trim());
    if value.is_some_and(str::is_empty) {
        return Refusal::new("there is no value", "write one after `=`");
    }
    let starts = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '~' | '.');
    let has = |part: &str| said.contains(part);
    let help = if has("must be quoted") || value.is_some_and(|value| value.starts_with(starts)) {
        "put text between quotation marks: `key = \"text\"`"
    } else if has("escape") {
        "write `\\\\` for a backslash, or put the text between single quotation marks"
    } else if has("string") {
        "end the text with the quotation mark that it begins with"
    } else if has("key with no value") {
        "write `key = value`"
    } else if has("recurs") {
        "nest no deeper than 80 levels"
    } else if has("unclosed table") || has("unclosed array of tables") {
        "close the header: `[tasks.NAME]`"
    } else if has("with a dotted key") {
        "write all keys of a table in one place"
    } else {
        "correct the line: `key = value`, with text between quotation marks"
    };
    Refusal::new(said, help)
}

/// Whether a line begins a table, or tries to.
fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[') && !line.contains('=')
}

/// The nearest line above that begins a table.
fn header_above(text: &str, at: usize) -> Option<&str> {
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    text[..end]
        .rsplit('\n')
        .find(|line| is_header(line))
        .map(bare)
}

/// Where the next table begins.
fn table_end(text: &str, from: usize) -> usize {
    let mut lines = text[from..].split_inclusive('\n');
    // The rest of the header's own line.
    let mut end = from + lines.next().map_or(0, str::len);
    for line in lines.take_while(|line| !is_header(line)) {
        end += line.len();
    }
    end
}

/// The key of a line that is no TOML, as far as it can be told.
fn path_of(text: &str, at: usize) -> KeyPath {
    let parts = |keys: &str| -> Vec<Step> {
        let keys = keys
            .split('.')
            .map(|key| key.trim().trim_matches(['"', '\'']));
        keys.map(|key| Step::Key(key.to_owned())).collect()
    };
    let line = line_of(text, at);
    let header = header_above(text, at).map(|header| header.trim_matches(['[', ']', ' ']));
    let mut path = KeyPath(header.map(parts).unwrap_or_default());
    if let Some((key, _)) = line.split_once('=') {
        path.0.extend(parts(key));
    }
    path
}

/// The whole line around a byte, without the blanks and comment at its ends.
fn line_of(text: &str, at: usize) -> &str {
    let begin = text[..at].rfind('\n').map_or(0, |at| at + 1);
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
    let mut before = source.text[..second].lines();
    match before.position(|line| bare(line) == header) {
        Some(line) => {
            let line = line + 1;
            format!("line {line} begins it: put the keys there, or choose another name")
        }
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
