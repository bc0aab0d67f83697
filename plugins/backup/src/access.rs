//! Who may open a repository, and who holds it: keys and locks.

use mhost_sdk::repository::Lock;
use mhost_sdk::{Context, Doing as _, Failure, Optional as _, Report};
use serde_json::{Value, json};

use crate::backup::short;
use crate::config::{Keys, Locks, Unlock};
use crate::snapshots::instant;
use crate::table;

/// Lists the keys of passwords, after adding or removing one.
pub fn keys(context: &Context, config: Keys) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    let mut told = Vec::new();
    if let Some(secret) = &config.add {
        let added = repository.add_key(secret).unless_dry_run();
        told.push(
            match added.doing(|| format!("add a key for the secret `{secret}`"))? {
                Some(id) => format!("added the key {}", short(&id)),
                None => format!("would add a key for the secret `{secret}`"),
            },
        );
    }
    if let Some(key) = &config.remove {
        let removed = repository.remove_key(key).unless_dry_run();
        told.push(match removed.doing(|| format!("remove the key `{key}`"))? {
            Some(id) => format!("removed the key {}", short(&id)),
            None => format!("would remove the key `{key}`"),
        });
    }
    let keys = repository.keys();
    let keys = keys.doing(|| format!("list the keys of `{}`", config.repository))?;
    told.push(match keys.len() {
        1 => "1 key opens it".to_owned(),
        count => format!("{count} keys open it"),
    });
    let rows = keys.iter().map(|key| {
        [
            short(&key.id).to_owned(),
            key.created.map_or_else(String::new, instant),
            format!("{}@{}", key.username, key.hostname),
            if key.current { "in use" } else { "" }.to_owned(),
        ]
    });
    let details = json!({ "keys": keys });
    Ok(Report::new(told.join("; "))
        .metric("keys", keys.len())
        .details(&table::with(
            details,
            ["id", "created", "by", "current"],
            rows,
        )))
}

/// Lists the locks, with what is known of their holders.
pub fn locks(context: &Context, config: Locks) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    let locks = repository.locks();
    let locks = locks.doing(|| format!("list the locks of `{}`", config.repository))?;
    let stale = locks.iter().filter(|lock| lock.stale).count();
    let text = match locks.len() {
        0 => "nobody locks it".to_owned(),
        count => format!("{count} locks, {stale} of them stale; `unlock` removes those"),
    };
    Ok(Report::new(text)
        .metric("locks", locks.len())
        .metric("locks_stale", stale)
        .details(&shown(json!({ "locks": locks }), &locks)))
}

/// Removes stale locks, or all.
pub fn unlock(context: &Context, config: Unlock) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    let found = repository.locks();
    let found = found.doing(|| format!("list the locks of `{}`", config.repository))?;
    let removed = repository.unlock(config.all).unless_dry_run();
    let removed = removed.doing(|| format!("remove locks of `{}`", config.repository))?;
    let (removed, word) = match removed {
        Some(removed) => (removed, "removed"),
        None => {
            let would = found.iter().filter(|lock| config.all || lock.stale);
            (would.cloned().collect(), "would remove")
        }
    };
    let text = format!("{word} {} of {} locks", removed.len(), found.len());
    Ok(Report::new(text)
        .metric("locks_removed", removed.len())
        .details(&shown(json!({ "removed": removed }), &removed)))
}

fn shown(details: Value, locks: &[Lock]) -> Value {
    let rows = locks.iter().map(|lock| {
        let kind = match lock.exclusive {
            true => "exclusive",
            false => "shared",
        };
        [
            short(&lock.id).to_owned(),
            kind.to_owned(),
            format!("{} of {}@{}", lock.pid, lock.username, lock.hostname),
            instant(lock.time),
            lock.explanation.clone(),
        ]
    });
    let columns = ["id", "kind", "process", "renewed", "explanation"];
    table::with(details, columns, rows)
}
