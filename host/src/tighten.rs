//! The smallest grants that a set of receipts shows to be enough; a pure function.

use std::collections::{BTreeMap, BTreeSet};

use mhost_model::Name;
use mhost_model::grant::{Access, Grants};
use mhost_model::receipt::{Receipt, Use};
use mhost_model::schedule::Schedule;
use mhost_model::task::TaskSpec;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Something that a proposal takes away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loosened {
    /// `dirs.logs`, `databases.site` ….
    pub grant: String,
    /// What is taken away: `all of it`, `writing`, a verb, a table.
    pub what: String,
}

/// The grants without what no receipt used, and what that takes away. What the host itself
/// needs for the task stays: the directory that it watches, and those that it receives in.
pub fn smallest(spec: &TaskSpec, receipts: &[Receipt]) -> (Grants, Vec<Loosened>) {
    let mut tight = Tightening {
        used: merge(receipts),
        loosened: Vec::new(),
    };
    for (grant, verb) in of_the_host(spec) {
        let used = tight.used.entry(grant).or_default();
        used.verbs.insert(verb.to_owned());
    }
    let mut smaller = spec.grants.clone();
    tight.keep_used("dirs", &mut smaller.dirs);
    tight.keep_used("databases", &mut smaller.databases);
    tight.keep_used("repositories", &mut smaller.repositories);
    tight.keep_used("remotes", &mut smaller.remotes);
    tight.keep_used("secrets", &mut smaller.secrets);
    tight.keep_used("processes", &mut smaller.processes);
    tight.keep_listed("tasks", &mut smaller.tasks);
    tight.keep_listed("channels", &mut smaller.channels);
    for (name, dir) in &mut smaller.dirs {
        tight.access(&format!("dirs.{name}"), &mut dir.access);
    }
    for (name, remote) in &mut smaller.remotes {
        tight.access(&format!("remotes.{name}"), &mut remote.access);
    }
    for (name, database) in &mut smaller.databases {
        let grant = format!("databases.{name}");
        tight.verbs(&grant, &mut database.verbs);
        if let Some(tables) = &mut database.tables {
            tight.parts(&grant, tables);
        }
    }
    for (name, repository) in &mut smaller.repositories {
        tight.verbs(&format!("repositories.{name}"), &mut repository.verbs);
    }
    let reached = tight
        .used
        .get("net")
        .map(|net| net.parts.clone())
        .unwrap_or_default();
    smaller.net.retain(|origin| {
        let keep = reached.contains(&origin.to_string());
        if !keep {
            tight.loosened.push(Loosened {
                grant: "net".into(),
                what: origin.to_string(),
            });
        }
        keep
    });
    (smaller, tight.loosened)
}

/// What stands on no receipt, since no run uses it.
fn of_the_host(spec: &TaskSpec) -> Vec<(String, &'static str)> {
    let received = spec
        .receive
        .values()
        .filter_map(|receiver| receiver.place());
    let mut used: Vec<_> = received
        .map(|(grant, _)| (format!("dirs.{grant}"), "write"))
        .collect();
    if let Schedule::OnChange { on_change, .. } = &spec.schedule {
        used.push((format!("dirs.{on_change}"), "read"));
    }
    used
}

/// What all receipts together used.
fn merge(receipts: &[Receipt]) -> BTreeMap<String, Use> {
    let mut all: BTreeMap<String, Use> = BTreeMap::new();
    for (grant, used) in receipts.iter().flat_map(|receipt| &receipt.used) {
        let one = all.entry(grant.clone()).or_default();
        one.verbs.extend(used.verbs.iter().cloned());
        one.parts.extend(used.parts.iter().cloned());
    }
    all
}

struct Tightening {
    used: BTreeMap<String, Use>,
    loosened: Vec<Loosened>,
}

impl Tightening {
    fn took(&mut self, grant: &str, what: impl Into<String>) {
        self.loosened.push(Loosened {
            grant: grant.to_owned(),
            what: what.into(),
        });
    }

    /// Whether a grant was used at all; one that was not is taken.
    fn keeps(&mut self, kind: &str, name: &Name) -> bool {
        let grant = format!("{kind}.{name}");
        let keep = self.used.contains_key(&grant);
        if !keep {
            self.took(&grant, "all of it");
        }
        keep
    }

    fn keep_used<T>(&mut self, kind: &str, grants: &mut BTreeMap<Name, T>) {
        grants.retain(|name, _| self.keeps(kind, name));
    }

    fn keep_listed(&mut self, kind: &str, names: &mut BTreeSet<Name>) {
        names.retain(|name| self.keeps(kind, name));
    }

    /// Reading is enough where nothing was written.
    fn access(&mut self, grant: &str, access: &mut Access) {
        let wrote = self
            .used
            .get(grant)
            .is_some_and(|used| used.verbs.contains("write"));
        if *access == Access::ReadWrite && !wrote {
            *access = Access::ReadOnly;
            self.took(grant, "writing");
        }
    }

    fn verbs<V>(&mut self, grant: &str, verbs: &mut BTreeSet<V>)
    where
        V: Ord + Copy + Serialize + DeserializeOwned,
    {
        let used = self
            .used
            .get(grant)
            .map(|used| used.verbs.clone())
            .unwrap_or_default();
        let word = |verb: &V| match serde_json::to_value(verb) {
            Ok(serde_json::Value::String(word)) => word,
            _ => String::new(),
        };
        let unused: Vec<V> = verbs
            .iter()
            .copied()
            .filter(|verb| !used.contains(&word(verb)))
            .collect();
        for verb in unused {
            verbs.remove(&verb);
            self.took(grant, word(&verb));
        }
    }

    /// Tables; a receipt that was cut says nothing about the rest, and keeps all.
    fn parts(&mut self, grant: &str, tables: &mut BTreeSet<String>) {
        let used = self
            .used
            .get(grant)
            .map(|used| used.parts.clone())
            .unwrap_or_default();
        if used.len() >= 1000 {
            return;
        }
        let unused: Vec<String> = tables.difference(&used).cloned().collect();
        for table in unused {
            tables.remove(&table);
            self.took(grant, format!("table {table}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(json: serde_json::Value) -> Grants {
        serde_json::from_value(json).unwrap()
    }

    fn spec(mut json: serde_json::Value) -> TaskSpec {
        let whole = json.as_object_mut().unwrap();
        for (key, value) in [("plugin", "p"), ("action", "a")] {
            whole.insert(key.into(), value.into());
        }
        let manual = || serde_json::json!("manual");
        whole.entry("schedule").or_insert_with(manual);
        serde_json::from_value(json).unwrap()
    }

    fn of(grants: &Grants) -> TaskSpec {
        spec(serde_json::json!({ "grants": grants }))
    }

    fn receipt(used: &[(&str, &[&str], &[&str])]) -> Receipt {
        let set = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
        Receipt {
            used: used
                .iter()
                .map(|(grant, verbs, parts)| {
                    (
                        grant.to_string(),
                        Use {
                            verbs: set(verbs),
                            parts: set(parts),
                        },
                    )
                })
                .collect(),
            ..Receipt::default()
        }
    }

    #[test]
    fn only_what_was_used_stays() {
        let wide = grants(serde_json::json!({
            "dirs": { "a": { "path": "/a", "access": "read-write" }, "b": { "path": "/b" } },
            "databases": { "site": { "verbs": ["read", "write", "pack"], "tables": ["t", "u"] } },
            "net": ["http://a.example", "http://b.example"],
            "secrets": { "s": { "env": "S" } },
        }));
        let receipts = [
            receipt(&[
                ("dirs.a", &["read"], &[]),
                ("net", &["GET"], &["http://a.example"]),
            ]),
            receipt(&[("databases.site", &["read", "pack"], &["t"])]),
        ];
        let (tight, loosened) = smallest(&of(&wide), &receipts);
        assert_eq!(
            tight,
            grants(serde_json::json!({
                "dirs": { "a": { "path": "/a", "access": "read-only" } },
                "databases": { "site": { "verbs": ["read", "pack"], "tables": ["t"] } },
                "net": ["http://a.example"],
            }))
        );
        assert_eq!(loosened.len(), 6, "{loosened:?}");
        assert_eq!(smallest(&of(&tight), &receipts), (tight.clone(), vec![]));
    }

    #[test]
    fn what_the_host_needs_stays() {
        let dirs = serde_json::json!({
            "w": { "path": "/w" },
            "q": { "path": "/q", "access": "read-write" },
            "x": { "path": "/x" },
        });
        let task = spec(serde_json::json!({
            "schedule": { "on_change": "w" },
            "receive": { "far": { "queues": "/q/in", "token": { "env": "T" } } },
            "grants": { "dirs": dirs },
        }));
        let (tight, loosened) = smallest(&task, &[receipt(&[])]);
        let mut expected = task.grants;
        expected.dirs.retain(|name, _| name.as_str() != "x");
        assert_eq!(tight, expected);
        assert_eq!(loosened.len(), 1, "{loosened:?}");
    }
}
