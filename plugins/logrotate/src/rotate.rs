//! The action: looks, plans, takes the steps of each log, and reports. One bad
//! log fails the run, but does not keep the others from their rotation.

use std::collections::BTreeSet;

use mhost_sdk::files::{Kind, Metadata, split};
use mhost_sdk::progress::Unit;
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Error, Failure, Report};
use serde::Serialize;

use crate::archive::Stamp;
use crate::carry;
use crate::config::Config;
use crate::due::{Facts, Verdict, due, stamp};
use crate::memory::Memory;
use crate::plan::{Plan, Step, plan};
use crate::scan::{Scan, Seen, scan};

/// One log on its way through the run.
struct Item {
    seen: Seen,
    plan: Plan,
    trouble: Option<Trouble>,
}

/// Why a log was not looked after.
enum Trouble {
    /// The log is of a kind that is not rotated.
    Refused(String),
    Failed(Error),
    /// The writers could not be asked to reopen it.
    Waiting,
}

/// Rotates.
pub fn rotate(context: &Context, config: Config) -> Result<Report, Failure> {
    config.check()?;
    let mut memory = Memory::load(context, config.state.as_deref())?;
    let found = scan(context, &config.logs)?;
    let missing = found.missing.clone();
    let mut items = prepare(context, &config, &memory, found);
    let before: u64 = items.iter().map(|item| item.seen.bytes()).sum();
    let mut hooks = None;
    if !context.dry_run() {
        hooks = carry_out(context, &config, &mut items)?;
        remember(context, &mut memory, &items);
        let current = |log: &str| items.iter().any(|item| item.seen.path == log);
        if config.frequency.is_some()
            && config.state.is_none()
            && items.iter().any(|item| item.trouble.is_some())
        {
            context.warn(
                "the times of rotations are kept by a run that succeeds, or in a `state` file: \
                 logs without archives count as new at the next run",
            );
        }
        memory.save(context, config.state.as_deref(), current)?;
    }
    let after = match context.dry_run() {
        true => before - items.iter().map(removed_bytes).sum::<u64>(),
        false => scan(context, &config.logs)?
            .logs
            .iter()
            .map(Seen::bytes)
            .sum(),
    };
    let report = report(context, &items, before, after);
    judge(&config, &items, &missing, hooks, report)
}

fn prepare(context: &Context, config: &Config, memory: &Memory, found: Scan) -> Vec<Item> {
    let items = found.logs.into_iter().map(|seen| {
        let trouble = seen
            .log
            .as_ref()
            .and_then(|log| unfit(config, log))
            .map(Trouble::Refused);
        let plan = match trouble {
            None => plan_one(context, config, memory, &seen),
            Some(_) => Plan::default(),
        };
        Item {
            seen,
            plan,
            trouble,
        }
    });
    items.collect()
}

/// Why a log must not be rotated, whatever its time.
fn unfit(config: &Config, log: &Metadata) -> Option<String> {
    let what = match log.kind {
        Kind::File if log.links > 1 && !config.allowhardlink => {
            return Some(format!(
                "it has {} names (hard links), so another path would keep being written to; \
                 set `allowhardlink` if that is meant",
                log.links
            ));
        }
        Kind::File => return None,
        Kind::SymbolicLink => "a symbolic link: name the file that it leads to",
        Kind::Directory => "a directory: name the files in it, such as `/logs/*.log`",
        Kind::Fifo => "a named pipe, which holds nothing to keep",
        Kind::Socket => "a socket, which holds nothing to keep",
        Kind::BlockDevice | Kind::CharacterDevice => "a device",
    };
    Some(format!("it is {what}"))
}

fn plan_one(context: &Context, config: &Config, memory: &Memory, seen: &Seen) -> Plan {
    let now = context.now();
    let newest = newest_made(config, seen, now);
    // This fire's earlier attempt rotated it, and did not come to its end.
    let interrupted = context.attempt() > 1 && newest >= Some(context.fire_time());
    let facts = Facts {
        size: seen.log.as_ref().map_or(0, |log| log.size),
        now,
        last: memory.last(&seen.path).or(newest.filter(|at| *at <= now)),
    };
    let verdict = match interrupted && !config.force {
        true => Verdict::NotDue("an earlier attempt of this run rotated it".to_owned()),
        false => due(config, facts),
    };
    let superseded = carry::superseded(context.files(), seen);
    plan(config, seen, &verdict, &superseded, now, interrupted)
}

/// When the newest archive was made, milliseconds. A rename changes the change time
/// alone, so this tells of rotations that no record was kept of.
fn newest_made(config: &Config, seen: &Seen, now: u64) -> Option<u64> {
    let newest = match config.dateext {
        true => Stamp::Date(stamp(config, now)),
        false => Stamp::Number(1),
    };
    let made = seen
        .archives
        .iter()
        .filter(|archive| archive.stamp == newest);
    made.map(|archive| archive.metadata.changed.millis()).max()
}

/// Takes all steps; what became of the hooks.
fn carry_out(
    context: &Context,
    config: &Config,
    items: &mut [Item],
) -> Result<Option<Error>, Failure> {
    let total = Some(items.len() as u64);
    let mut begun = 0;
    for item in items.iter_mut() {
        if context.cancelled() {
            break;
        }
        context.report_progress("rotating", begun as u64, total, Unit::Files);
        item.take(context, config, |plan| &plan.before);
        begun += 1;
    }
    let items = &mut items[..begun];
    // Also when the run is to end: what was renamed is still being written to.
    if let Some(error) = reopen(context, config, items) {
        return Ok(Some(error));
    }
    for (at, item) in items.iter_mut().enumerate() {
        context.check_cancelled()?;
        context.report_progress("compressing", at as u64, total, Unit::Files);
        item.take(context, config, |plan| &plan.after);
    }
    context.check_cancelled()?;
    Ok(None)
}

/// Makes the renames durable, and lets the writers reopen their logs.
fn reopen(context: &Context, config: &Config, items: &mut [Item]) -> Option<Error> {
    let error = settle(context, config, items).err()?;
    let waiting = items.iter_mut().filter(|item| item.plan.reopen);
    waiting.for_each(|item| item.trouble = item.trouble.take().or(Some(Trouble::Waiting)));
    Some(error)
}

fn settle(context: &Context, config: &Config, items: &[Item]) -> mhost_sdk::Result<()> {
    let renamed = items.iter().filter(|item| !item.plan.before.is_empty());
    let directories: BTreeSet<_> = renamed.map(|item| split(&item.seen.path).0).collect();
    for directory in directories {
        context.files().sync(directory)?;
    }
    let sound = |item: &&Item| item.trouble.is_none() && item.plan.reopen;
    match items.iter().find(sound) {
        Some(_) => carry::reopen(context, &config.postrotate),
        None => Ok(()),
    }
}

impl Item {
    fn take(&mut self, context: &Context, config: &Config, steps: impl Fn(&Plan) -> &Vec<Step>) {
        if self.trouble.is_some() {
            return;
        }
        if let Err(error) = carry::take(context, config, steps(&self.plan)) {
            context.error(format!("`{}`: {error}", self.seen.path));
            self.trouble = Some(Trouble::Failed(error));
        }
    }

    fn outcome(&self) -> &'static str {
        match &self.trouble {
            Some(Trouble::Refused(_)) => "refused",
            Some(Trouble::Failed(_)) => "failed",
            Some(Trouble::Waiting) => "waiting",
            None if self.plan.rotates => "rotated",
            None => "kept",
        }
    }

    fn rotated(&self) -> bool {
        self.plan.rotates && matches!(self.trouble, None | Some(Trouble::Waiting))
    }

    fn reason(&self) -> String {
        match &self.trouble {
            Some(Trouble::Refused(why)) => why.clone(),
            Some(Trouble::Failed(error)) => error.to_string(),
            Some(Trouble::Waiting) => "its writer could not be asked to reopen it".to_owned(),
            None => self.plan.reason.clone(),
        }
    }

    /// The steps that were taken, as far as is known.
    fn steps(&self) -> impl Iterator<Item = &Step> {
        let (before, after) = match &self.trouble {
            None => (self.plan.before.as_slice(), self.plan.after.as_slice()),
            Some(Trouble::Waiting) => (self.plan.before.as_slice(), [].as_slice()),
            Some(_) => ([].as_slice(), [].as_slice()),
        };
        before.iter().chain(after)
    }
}

fn remember(context: &Context, memory: &mut Memory, items: &[Item]) {
    for item in items {
        let new = item.seen.log.is_some() && memory.last(&item.seen.path).is_none();
        if item.rotated() || (new && item.trouble.is_none()) {
            memory.set(&item.seen.path, context.now());
        }
    }
}

fn removed_bytes(item: &Item) -> u64 {
    let sizes = item.steps().map(|step| match step {
        Step::Remove { size, .. } => *size,
        _ => 0,
    });
    sizes.sum()
}

#[derive(Serialize)]
struct Line {
    log: String,
    outcome: &'static str,
    reason: String,
    steps: Vec<String>,
}

fn report(context: &Context, items: &[Item], before: u64, after: u64) -> Report {
    let count = |wanted: fn(&Step) -> bool| {
        let steps = items.iter().flat_map(Item::steps);
        steps.filter(|step| wanted(step)).count()
    };
    let rotated = items.iter().filter(|item| item.rotated()).count();
    let removed = count(|step| matches!(step, Step::Remove { .. }));
    let compressed = count(|step| matches!(step, Step::Compress { .. }));
    let would = if context.dry_run() { "would have " } else { "" };
    let text = format!(
        "{would}rotated {rotated} of {} logs, compressed {compressed}, removed {removed}, {} in place of {}",
        items.len(),
        human_bytes(after),
        human_bytes(before),
    );
    let mut lines = Capped::default();
    for item in items {
        lines.push(Line {
            log: item.seen.path.clone(),
            outcome: item.outcome(),
            reason: item.reason(),
            steps: item.steps().map(ToString::to_string).collect(),
        });
    }
    Report::new(text)
        .metric("files_rotated", rotated)
        .metric("files_removed", removed)
        .metric("files_compressed", compressed)
        .metric("bytes_before", before)
        .metric("bytes_after", after)
        .details(&serde_json::json!({ "logs": lines }))
}

/// Whether all went well.
fn judge(
    config: &Config,
    items: &[Item],
    missing: &[String],
    hooks: Option<Error>,
    report: Report,
) -> Result<Report, Failure> {
    if let Some(error) = hooks {
        let message = format!(
            "cannot have the writers reopen their logs, so nothing was compressed or removed: {error}"
        );
        return Err(Failure {
            message,
            ..Failure::from(error)
        }
        .with_partial(report));
    }
    let bad: Vec<_> = items.iter().filter(|item| item.trouble.is_some()).collect();
    if let Some(first) = bad.first() {
        let others = match bad.len() {
            1 => String::new(),
            count => format!(", and {} other logs are not right either", count - 1),
        };
        let message = format!(
            "cannot rotate `{}`: {}{others}",
            first.seen.path,
            first.reason()
        );
        let failure = match &first.trouble {
            Some(Trouble::Failed(error)) => Failure {
                message,
                ..Failure::from(error.clone())
            },
            _ => Failure::permanent(message),
        };
        return Err(failure.with_partial(report));
    }
    match missing.first() {
        Some(pattern) if !config.missingok => Err(Failure::permanent(format!(
            "there is no log `{pattern}`; set `missingok` if that is fine"
        ))
        .with_partial(report)),
        _ => Ok(report),
    }
}
