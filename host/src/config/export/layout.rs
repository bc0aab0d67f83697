//! How tables and values are laid out as TOML.

use serde_json::{Map, Value as Json};

use crate::config::path::{KeyPath, basic_string, quoted};
use crate::config::shape::{Fixed, Presence, Shape};

/// Tables and arrays that fit are written on one line.
const WIDTH: usize = 100;

/// A value that TOML can say, with its keys in order.
enum Out {
    Scalar(String),
    List(Vec<Out>),
    Table(Vec<(String, Out)>),
    /// There is no way to say it.
    Unsayable,
}

/// A table under its header, with the tables below it.
pub(super) fn table(out: &mut String, path: &KeyPath, fixed: &Fixed, json: &Json) {
    let keys = in_order(fixed, json);
    // An entry must stand there even where all of it is left out.
    header(out, path);
    body(out, path, keys);
}

/// The grants of a task under their header.
pub(super) fn grants_table(out: &mut String, path: &KeyPath, fixed: &Fixed, json: &Json) {
    header(out, path);
    grants(out, in_order(fixed, json));
}

fn header(out: &mut String, path: &KeyPath) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("[{path}]\n"));
}

/// The keys of a table: what fits on a line first, tables of their own after.
fn body(out: &mut String, path: &KeyPath, keys: Vec<(String, Out)>) {
    let mut later = Vec::new();
    for (key, value) in keys {
        let line = format!("{} = {}", quoted(&key), value.line());
        let long = line.len() > WIDTH || value.unsayable();
        match value {
            Out::Unsayable => out.push_str(&format!("# {} cannot be said in TOML\n", quoted(&key))),
            Out::Table(keys) if key == "grants" || long => later.push((key, keys)),
            Out::List(items) if line.len() > WIDTH => long_list(out, &key, &items),
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    for (key, keys) in later {
        let path = path.key(&key);
        header(out, &path);
        match key.as_str() {
            "grants" if path.0.len() == 3 => grants(out, keys),
            _ => body(out, &path, keys),
        }
    }
}

/// `dirs.logs = { … }`: a line for each grant.
fn grants(out: &mut String, kinds: Vec<(String, Out)>) {
    for (kind, granted) in kinds {
        match granted {
            Out::Table(named) => {
                for (name, grant) in named {
                    out.push_str(&format!("{kind}.{} = {}\n", quoted(&name), grant.line()));
                }
            }
            Out::List(items) if granted_line(&kind, &items) > WIDTH => {
                long_list(out, &kind, &items)
            }
            other => out.push_str(&format!("{kind} = {}\n", other.line())),
        }
    }
}

fn granted_line(kind: &str, items: &[Out]) -> usize {
    kind.len()
        + items
            .iter()
            .map(|item| item.line().len() + 2)
            .sum::<usize>()
}

fn long_list(out: &mut String, key: &str, items: &[Out]) {
    out.push_str(&format!("{} = [\n", quoted(key)));
    for item in items {
        out.push_str(&format!("    {},\n", item.line()));
    }
    out.push_str("]\n");
}

/// A value on one line, for people: what TOML cannot say as JSON says it.
pub fn inline(json: &Json) -> String {
    match free(json) {
        out if out.unsayable() => json.to_string(),
        out => out.line(),
    }
}

impl Out {
    fn line(&self) -> String {
        match self {
            Self::Scalar(text) => text.clone(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::line).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Table(keys) if keys.is_empty() => "{}".to_owned(),
            Self::Table(keys) => {
                let pair =
                    |(key, value): &(String, Self)| format!("{} = {}", quoted(key), value.line());
                let pairs: Vec<String> = keys.iter().map(pair).collect();
                format!("{{ {} }}", pairs.join(", "))
            }
            Self::Unsayable => String::new(),
        }
    }

    fn unsayable(&self) -> bool {
        match self {
            Self::Scalar(_) => false,
            Self::List(items) => items.iter().any(Self::unsayable),
            Self::Table(keys) => keys.iter().any(|(_, value)| value.unsayable()),
            Self::Unsayable => true,
        }
    }
}

/// The keys of a fixed table in its order, without those that say what holds anyway.
fn in_order(fixed: &Fixed, json: &Json) -> Vec<(String, Out)> {
    let keys = fixed.keys.iter().filter_map(|key| {
        let value = json.get(key.name)?;
        let out = shaped(&key.shape, value);
        let default = match key.presence {
            Presence::Default(default) => out.line() == default,
            Presence::Required | Presence::Optional => false,
        };
        (!default && !absent(&key.shape, &out)).then(|| (key.name.to_owned(), out))
    });
    keys.collect()
}

/// An empty collection of grants is the same as none. An empty list may not be: no tables is
/// another thing than all of them.
fn absent(shape: &Shape, out: &Out) -> bool {
    matches!((shape, out), (Shape::Named(_), Out::Table(keys)) if keys.is_empty())
}

fn shaped(shape: &Shape, json: &Json) -> Out {
    match (shape, json) {
        (Shape::Table(fixed) | Shape::Either(_, fixed), Json::Object(_)) => {
            Out::Table(in_order(fixed, json))
        }
        (Shape::Named(of), Json::Object(map)) => Out::Table(sorted(map, |value| shaped(of, value))),
        (Shape::Json, Json::Object(map)) => {
            let keys = sorted(map, free);
            let sayable = |(key, value): (String, Out)| match value.unsayable() {
                true => (key, Out::Unsayable),
                false => (key, value),
            };
            Out::Table(keys.into_iter().map(sayable).collect())
        }
        _ => free(json),
    }
}

fn sorted(map: &Map<String, Json>, of: impl Fn(&Json) -> Out) -> Vec<(String, Out)> {
    let mut keys: Vec<(String, Out)> = map
        .iter()
        .map(|(key, value)| (key.clone(), of(value)))
        .collect();
    keys.sort_by(|(one, _), (other, _)| one.cmp(other));
    keys
}

fn free(json: &Json) -> Out {
    match json {
        Json::Null => Out::Unsayable,
        Json::Number(number) if number.as_i64().is_none() && !number.is_f64() => Out::Unsayable,
        Json::Number(number) => match number.as_i64() {
            Some(number) => Out::Scalar(number.to_string()),
            None => Out::Scalar(toml::Value::from(number.as_f64().unwrap_or_default()).to_string()),
        },
        Json::Bool(value) => Out::Scalar(value.to_string()),
        Json::String(text) => Out::Scalar(basic_string(text)),
        Json::Array(items) => Out::List(items.iter().map(free).collect()),
        Json::Object(map) => Out::Table(sorted(map, free)),
    }
}
