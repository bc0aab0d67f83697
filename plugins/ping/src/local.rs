//! What is looked at on this machine: files, space, processes, databases, other tasks.

use mhost_sdk::files::Kind;
use mhost_sdk::tasks::TaskState;
use mhost_sdk::{Context, Error, Result};

use crate::config::{Disk, FileAge, Freshness, Target};
use crate::finding::{Finding, Verdict};
use crate::report::time;

/// Looks once.
pub fn look(context: &Context, target: &Target, name: String) -> Finding {
    let verdict = match target {
        Target {
            file: Some(file), ..
        } => self::file(context, file),
        Target {
            disk: Some(disk), ..
        } => self::disk(context, disk),
        Target {
            process: Some(process),
            ..
        } => self::process(context, process),
        Target {
            database: Some(database),
            ..
        } => self::database(context, database),
        Target {
            task: Some(task), ..
        } => self::task(context, task),
        _ => Ok(Verdict::None),
    };
    match verdict {
        Ok(verdict) => Finding {
            verdict,
            ..Finding::new(name)
        },
        Err(error) => Finding::failed(name, error),
    }
}

fn bad(why: String) -> Result<Verdict> {
    Ok(Verdict::Bad(why))
}

fn file(context: &Context, file: &FileAge) -> Result<Verdict> {
    let stat = match context.files().stat(&file.path) {
        Ok(stat) => stat,
        Err(Error::NotFound(_)) => return bad("there is no such file".to_owned()),
        Err(error) => return Err(error),
    };
    if stat.kind == Kind::Directory {
        return bad("it is a directory, and not a file".to_owned());
    }
    let age = context.now().saturating_sub(stat.modified.millis());
    if let Some(limit) = file.max_age.filter(|limit| over(age, limit.duration())) {
        return bad(format!(
            "it was written {} ago, more than {limit}",
            span(age)
        ));
    }
    if let Some(limit) = file.min_size.filter(|limit| stat.size < limit.bytes()) {
        return bad(format!("it has {} bytes, fewer than {limit}", stat.size));
    }
    if let Some(limit) = file.max_size.filter(|limit| stat.size > limit.bytes()) {
        return bad(format!("it has {} bytes, more than {limit}", stat.size));
    }
    Ok(Verdict::Good)
}

fn over(age_ms: u64, limit: std::time::Duration) -> bool {
    u128::from(age_ms) > limit.as_millis()
}

/// For people: `3h 25m`, `2d 4h`.
fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m {rest}s"),
        (0, ..) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

fn disk(context: &Context, disk: &Disk) -> Result<Verdict> {
    let space = context.files().free_space(&disk.path)?;
    let free = space.available;
    let percent = free as f64 * 100.0 / space.total.max(1) as f64;
    let told = format!(
        "{} ({percent:.1} %) are free",
        mhost_sdk::units::human_bytes(free)
    );
    let less = |size: Option<mhost_sdk::units::Size>, part: Option<f64>| {
        let size = size.filter(|limit| free < limit.bytes());
        let part = part.filter(|limit| percent < *limit);
        size.map(|limit| format!("{told}, less than {limit}"))
            .or(part.map(|limit| format!("{told}, less than {limit} %")))
    };
    Ok(match less(disk.min_free, disk.min_free_percent) {
        Some(problem) => Verdict::Bad(problem),
        None => match less(disk.warn_free, disk.warn_free_percent) {
            Some(warning) => Verdict::Warned(warning),
            None => Verdict::Good,
        },
    })
}

fn process(context: &Context, name: &str) -> Result<Verdict> {
    match context.find_process(name) {
        Ok(_) => Ok(Verdict::Good),
        Err(Error::NotFound(why)) => bad(why),
        Err(error) => Err(error),
    }
}

fn database(context: &Context, name: &str) -> Result<Verdict> {
    let verdict = context.database(name)?.verify()?;
    if verdict.sound {
        return Ok(Verdict::Good);
    }
    let first = verdict.findings.first().cloned().unwrap_or_default();
    bad(format!(
        "it is damaged, with {} findings: {first}",
        verdict.findings.len()
    ))
}

/// A task is as good as its newest success: a schedule that stopped calling shows as well
/// as runs that fail.
fn task(context: &Context, task: &Freshness) -> Result<Verdict> {
    let state = context.tasks().status(&task.name)?;
    let now = context.now();
    let age = state.last_success.map(|at| now.saturating_sub(at));
    let late = state.success_due.filter(|due| now > *due);
    let told = told(&state, age);
    let problem = match (task.max_age, age) {
        (Some(limit), Some(age)) => {
            over(age, limit.duration()).then(|| format!("{told}, which is more than {limit}"))
        }
        // One that was made just now has had no chance yet.
        (Some(_), None) => (late.is_some() || state.failures > 0 || state.success_due.is_none())
            .then(|| told.clone()),
        (None, _) if !state.enabled => None,
        (None, _) if state.success_due.is_none() => Some(format!(
            "its schedule has no times, so say after which `max_age` it is down; {told}"
        )),
        (None, _) => {
            late.map(|due| format!("{told}; its schedule called for one by {}", time(due)))
        }
    };
    Ok(match problem {
        Some(problem) => Verdict::Bad(problem),
        None if !state.enabled => Verdict::Warned(format!("it is disabled; {told}")),
        None if state.failures > 0 || age.is_none() => Verdict::Warned(told),
        None => Verdict::Good,
    })
}

/// What is known of a task's runs.
fn told(state: &TaskState, age: Option<u64>) -> String {
    let success = match age {
        Some(age) => format!("its newest success was due {} ago", span(age)),
        None => "it has not succeeded yet".to_owned(),
    };
    match (state.failures, &state.last_outcome) {
        (0, _) | (_, None) => success,
        (1, Some(outcome)) => format!("its newest run {outcome}, {success}"),
        (count, Some(outcome)) => {
            format!("its newest {count} runs did not succeed (the last {outcome}), {success}")
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn spans_for_people() {
        for (millis, expected) in [
            (999, "0s"),
            (61_000, "1m 1s"),
            (3_725_000, "1h 2m"),
            (90_000_000, "1d 1h"),
        ] {
            assert_eq!(super::span(millis), expected);
        }
    }
}
