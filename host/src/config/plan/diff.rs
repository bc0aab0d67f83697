//! Key by key: what differs between two states of one thing, and what of it lets a task
//! reach more.

use std::collections::{BTreeMap, BTreeSet};

use mhost_model::task::TaskSpec;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::change::Detail;
use crate::config::export::inline;
use crate::config::path::{KeyPath, Step};

/// Sets, whose members come and go one by one.
const SETS: [&str; 5] = ["net", "verbs", "tables", "tasks", "channels"];

/// All of a new definition.
pub(super) fn whole(value: &impl Serialize) -> Vec<Detail> {
    let fields = fields(value);
    let fields: BTreeMap<_, _> = fields.iter().collect();
    let shown = |(key, value): (&String, &Json)| Detail::added(key, shown(key, value));
    fields.into_iter().map(shown).collect()
}

/// What may be shown of a value: a URL's path and a header may hold a password, and what
/// changes is written into the service's log.
fn shown(key: &str, value: &Json) -> String {
    match (key, value) {
        ("url", Json::String(url)) if url.starts_with("http") => {
            format!("\"{}/…\"", mhost_model::channel::origin(url))
        }
        ("header", _) => "…".to_owned(),
        ("headers", Json::Object(headers)) => {
            let names: Vec<_> = headers.keys().map(|name| format!("{name} = …")).collect();
            format!("{{ {} }}", names.join(", "))
        }
        _ => inline(value),
    }
}

/// Two states of a task, or of who is told.
pub(super) fn changed<T: Serialize>(old: &T, new: &T) -> Vec<Detail> {
    let mut details = Vec::new();
    objects(
        &KeyPath::default(),
        &fields(old),
        &fields(new),
        &mut details,
    );
    details
}

/// Two states of a database, repository, remote or pool. Another place is more for every
/// task that is granted it.
pub(super) fn definition<T: Serialize>(old: &T, new: &T) -> Vec<Detail> {
    let mut details = changed(old, new);
    for detail in &mut details {
        detail.wider = !matches!(detail.key.as_str(), "size" | "rate" | "group");
    }
    details
}

/// What a new task does, when, and what it may reach.
pub(super) fn new_task(spec: &TaskSpec) -> Vec<Detail> {
    let fields = fields(spec);
    let shown = ["plugin", "action", "schedule", "receive"];
    let mut details: Vec<Detail> = shown
        .iter()
        .filter_map(|key| Some(Detail::added(key, inline(fields.get(*key)?))))
        .collect();
    let grants = fields.get("grants").and_then(Json::as_object);
    let grants: BTreeMap<_, _> = grants.into_iter().flatten().collect();
    for (kind, granted) in grants {
        let path = KeyPath::keys(&["grants", kind]);
        match granted {
            Json::Object(named) => details.extend(
                named
                    .iter()
                    .map(|(name, grant)| Detail::added(&path.key(name).to_string(), inline(grant))),
            ),
            other => details.push(Detail::added(&path.to_string(), inline(other))),
        }
    }
    details
}

pub(super) fn enabled(old: bool, new: bool) -> Detail {
    Detail {
        key: "enabled".to_owned(),
        old: Some(old.to_string()),
        new: Some(new.to_string()),
        wider: false,
    }
}

fn fields(value: &impl Serialize) -> Map<String, Json> {
    match serde_json::to_value(value) {
        Ok(Json::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn objects(
    path: &KeyPath,
    old: &Map<String, Json>,
    new: &Map<String, Json>,
    details: &mut Vec<Detail>,
) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (old, new) = (old.get(key), new.get(key));
        if old != new {
            values(&path.key(key), key, old, new, details);
        }
    }
}

fn values(
    path: &KeyPath,
    key: &str,
    old: Option<&Json>,
    new: Option<&Json>,
    details: &mut Vec<Detail>,
) {
    match (old, new) {
        (Some(Json::Object(old)), Some(Json::Object(new)))
            if key != "schedule" || same_keys(old, new) =>
        {
            objects(path, old, new, details);
        }
        // The sets of grants, which are empty where they are absent; not a plugin's own settings.
        (old, new) if is_set(path, key, old, new) => members(path, old, new, details),
        // A kind of grants that had none before: one by one all the same.
        (None, Some(Json::Object(new))) if is_kind(path) => {
            objects(path, &Map::new(), new, details)
        }
        (Some(Json::Object(old)), None) if is_kind(path) => {
            objects(path, old, &Map::new(), details)
        }
        (old, new) => details.push(detail(path, key, old, new)),
    }
}

fn same_keys(old: &Map<String, Json>, new: &Map<String, Json>) -> bool {
    old.keys().collect::<BTreeSet<_>>() == new.keys().collect::<BTreeSet<_>>()
}

fn in_grants(path: &KeyPath) -> bool {
    path.0.first() == Some(&Step::Key("grants".to_owned()))
}

/// `grants.dirs` and its kin.
fn is_kind(path: &KeyPath) -> bool {
    in_grants(path) && path.0.len() == 2
}

/// Absent tables are all tables, and no empty set.
fn is_set(path: &KeyPath, key: &str, old: Option<&Json>, new: Option<&Json>) -> bool {
    let list = |value: Option<&Json>| match value {
        Some(value) => value.is_array(),
        None => matches!(key, "net" | "tasks" | "channels"),
    };
    in_grants(path) && SETS.contains(&key) && list(old) && list(new)
}

fn members(path: &KeyPath, old: Option<&Json>, new: Option<&Json>, details: &mut Vec<Detail>) {
    let list = |value: Option<&Json>| value.and_then(Json::as_array).cloned().unwrap_or_default();
    let (old, new) = (list(old), list(new));
    let gone = old.iter().filter(|member| !new.contains(member));
    let come = new.iter().filter(|member| !old.contains(member));
    details.extend(gone.map(|member| Detail {
        key: path.to_string(),
        old: Some(inline(member)),
        new: None,
        wider: false,
    }));
    details.extend(come.map(|member| Detail {
        wider: true,
        ..Detail::added(&path.to_string(), inline(member))
    }));
}

fn detail(path: &KeyPath, key: &str, old: Option<&Json>, new: Option<&Json>) -> Detail {
    Detail {
        key: path.to_string(),
        old: old.map(|value| shown(top(path), value)),
        new: new.map(|value| shown(top(path), value)),
        wider: in_grants(path) && wider(path, key, old, new),
    }
}

/// The outermost key; a header's own name says nothing.
fn top(path: &KeyPath) -> &str {
    match path.0.as_slice() {
        [Step::Key(key)] => key,
        [Step::Key(key), Step::Key(_)] if key == "headers" => "header",
        _ => "",
    }
}

/// Whether a grant that changed as a whole reaches more.
fn wider(path: &KeyPath, key: &str, old: Option<&Json>, new: Option<&Json>) -> bool {
    // A member of a grant, not a grant that happens to have this name.
    let member = path.0.len() > 3;
    match (old, new) {
        // Naming tables restricts.
        (None, Some(_)) => !(member && key == "tables"),
        (Some(_), None) => member && key == "tables",
        (Some(_), Some(new)) if member && key == "access" => *new == "read-write",
        (Some(_), Some(_)) => !(member && key == "password"),
        (None, None) => false,
    }
}
