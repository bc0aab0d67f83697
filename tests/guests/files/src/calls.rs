//! One call: `{ "do": "copy", "path": "/logs/a", "to": "/logs/b" }`.

mod files;
mod http;
mod library;
mod powers;
mod trees;

use serde_json::{Value, json};

use crate::exports::mhost::plugin::plugin::Error;

/// What a call returned, or the kind and the text of its error.
type Answer = Result<Value, (String, String)>;

/// `{"ok": …}` or `{"error": kind, "text": …}`.
pub fn answer(call: &Value) -> Value {
    match run(call) {
        Ok(value) => json!({"ok": value}),
        Err((kind, text)) => json!({"error": kind, "text": text}),
    }
}

fn run(call: &Value) -> Answer {
    let verb = text(call, "do");
    match verb.split_once(' ') {
        Some(("std", verb)) => library::run(verb, call),
        _ if verb == "http" => http::run(call),
        Some(("probe", verb)) => powers::probe(verb, call),
        Some(("tree", verb)) => trees::run(verb, call),
        Some(("process", verb)) => powers::process(verb, call),
        _ if verb == "zone" => powers::zone(call),
        _ => files::run(verb, call),
    }
}

fn fault(error: Error) -> (String, String) {
    let (kind, text) = crate::told(&error);
    (kind.to_owned(), text)
}

fn unknown(verb: &str) -> (String, String) {
    ("unknown".to_owned(), format!("no call `{verb}`"))
}

/// A text of the call.
fn text<'a>(call: &'a Value, key: &str) -> &'a str {
    call[key].as_str().unwrap_or_default()
}

/// A number of the call.
fn number(call: &Value, key: &str) -> u64 {
    call[key].as_u64().unwrap_or_default()
}
