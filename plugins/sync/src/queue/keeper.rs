//! What an operator asks of the queues: make them, look at them, try errors again.

use std::collections::BTreeMap;

use mhost_sdk::files::{Kind, WalkOptions};
use mhost_sdk::{Context, Doing as _, Failure, Optional as _, Report, Result};
use serde::Serialize;

use super::config;
use super::item;
use super::store::{self, Folder, STATES, State, Way};

const WAYS: [Way; 2] = [Way::Export, Way::Import];

/// The names of all queues of a directory.
pub fn names(context: &Context<'_>, queues: &str) -> std::result::Result<Vec<String>, Failure> {
    let options = WalkOptions {
        max_depth: Some(0),
        one_file_system: false,
    };
    let (entries, _) = context
        .files()
        .walk_all(queues, options)
        .doing(|| format!("list the queues in {queues}"))?;
    let folders = entries
        .into_iter()
        .filter(|entry| entry.metadata.kind == Kind::Directory && entry.raw.is_none());
    Ok(folders
        .map(|entry| entry.path)
        .filter(|name| store::queue(queues, name).is_ok())
        .collect())
}

/// The action `create-queue`.
pub fn create_queue(
    context: &Context<'_>,
    config: config::CreateQueue,
) -> std::result::Result<Report, Failure> {
    let mut made = 0;
    for name in &config.targets {
        let queue = store::queue(&config.queues, name)?;
        for way in WAYS {
            made += Folder::new(context.files(), &queue, way)
                .make()
                .doing(|| format!("make the queue {queue}"))?;
        }
    }
    Ok(Report::new(format!(
        "{} queues are there, {made} folders were made",
        config.targets.len()
    ))
    .metric("dirs_created", made))
}

/// How one way of a queue is.
#[derive(Debug, Serialize)]
struct Seen {
    queue: String,
    way: &'static str,
    to_process: u64,
    processing: u64,
    done: u64,
    errors: u64,
    /// Of what waits: the minutes since the oldest came.
    oldest_minutes: u64,
    /// Items that were done within the last hour.
    done_last_hour: u64,
    /// The first ten.
    reasons: BTreeMap<String, String>,
}

fn look(context: &Context<'_>, queue: &str, name: &str, way: Way) -> Result<Seen> {
    let folder = Folder::new(context.files(), queue, way);
    let now = context.now();
    let mut seen = Seen {
        queue: name.to_owned(),
        way: way.name(),
        to_process: 0,
        processing: 0,
        done: 0,
        errors: 0,
        oldest_minutes: 0,
        done_last_hour: 0,
        reasons: BTreeMap::new(),
    };
    for state in STATES {
        if context
            .files()
            .stat_optional(&folder.folder(state))?
            .is_none()
        {
            continue;
        }
        let items = folder.items(state)?;
        let count = items.len() as u64;
        let minutes = |since: u64| now.saturating_sub(since) / 60_000;
        match state {
            State::ToProcess | State::Processing => {
                let oldest = items.iter().map(|entry| minutes(entry.since)).max();
                seen.oldest_minutes = seen.oldest_minutes.max(oldest.unwrap_or(0));
                match state {
                    State::ToProcess => seen.to_process = count,
                    _ => seen.processing = count,
                }
            }
            State::Done => {
                seen.done = count;
                let recent = items.iter().filter(|entry| minutes(entry.since) < 60);
                seen.done_last_hour = recent.count() as u64;
            }
            State::Error => {
                seen.errors = count;
                for entry in items.iter().take(10) {
                    let reason = folder.reason(&entry.name)?.unwrap_or_default();
                    seen.reasons.insert(entry.name.clone(), reason);
                }
            }
        }
    }
    Ok(seen)
}

/// The action `status`.
pub fn status(
    context: &Context<'_>,
    config: config::Status,
) -> std::result::Result<Report, Failure> {
    let mut all = Vec::new();
    for name in names(context, &config.queues)? {
        let queue = store::queue(&config.queues, &name)?;
        for way in WAYS {
            all.push(look(context, &queue, &name, way).doing(|| format!("look at {queue}"))?);
        }
    }
    let sum = |figure: fn(&Seen) -> u64| all.iter().map(figure).sum::<u64>();
    let oldest = all
        .iter()
        .map(|seen| seen.oldest_minutes)
        .max()
        .unwrap_or(0);
    let (depth, errors) = (
        sum(|one| one.to_process + one.processing),
        sum(|one| one.errors),
    );
    let report = Report::new(format!(
        "{depth} items wait, the oldest for {oldest} minutes; {errors} errors"
    ))
    .metric("items_waiting", depth)
    .metric("items_failed", errors)
    .metric("items_done", sum(|one| one.done))
    .metric("items_done_last_hour", sum(|one| one.done_last_hour))
    .metric("oldest_minutes", oldest)
    .details(&serde_json::json!({ "queues": all }));
    let wrong = match config.max_age_minutes {
        _ if config.fail_on_errors && errors > 0 => format!("{errors} items are errors"),
        Some(most) if oldest > most => {
            format!("an item waits for {oldest} minutes, more than {most}")
        }
        _ => return Ok(report),
    };
    Err(Failure::permanent(wrong).with_partial(report))
}

/// The action `retry`.
pub fn retry(context: &Context<'_>, config: config::Retry) -> std::result::Result<Report, Failure> {
    let names = match config.targets.is_empty() {
        true => names(context, &config.queues)?,
        false => config.targets.clone(),
    };
    let mut moved = 0;
    for name in &names {
        let queue = store::queue(&config.queues, name)?;
        for way in WAYS {
            let folder = Folder::new(context.files(), &queue, way);
            if !config.targets.is_empty() && way == Way::Export {
                let there = folder.demand();
                there.doing(|| format!("try the errors of {queue} again"))?;
            }
            moved += again(context, &folder, config.reseal)
                .doing(|| format!("try the errors of {queue} again"))?;
        }
    }
    let word = if context.dry_run() { "would be" } else { "are" };
    Ok(Report::new(format!("{moved} items {word} tried again")).metric("items_retried", moved))
}

/// The item moves first: an error without a reason can be looked at, a reason without an
/// error is only litter.
fn again(context: &Context<'_>, folder: &Folder<'_>, reseal: bool) -> Result<u64> {
    if context
        .files()
        .stat_optional(&folder.folder(State::Error))?
        .is_none()
    {
        return Ok(0);
    }
    let items = folder.items(State::Error)?;
    if !context.dry_run() {
        for entry in &items {
            if reseal {
                let path = folder.path(State::Error, &entry.name);
                let aside = folder.path(State::Error, &format!(".new-{}", entry.name));
                context.files().remove_file(&aside).optional()?;
                item::reseal(context.files(), &path, &aside)?;
            }
            folder.shift(&entry.name, State::Error, State::ToProcess)?;
            folder.forget_reason(&entry.name)?;
        }
    }
    Ok(items.len() as u64)
}
