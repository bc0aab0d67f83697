//! The action `watch`: reads what was written to logs since the last run, wherever
//! rotations moved it, counts it, and raises alerts.
//!
//! [`trail`] finds what is new of a log, [`reader`] takes it through the lines,
//! [`rules`] judge them, [`memory`] keeps how far each log was read.

mod config;
mod marker;
mod memory;
mod reader;
mod report;
mod rules;
mod tally;
mod trail;
mod window;

use std::collections::BTreeSet;

use mhost_format_logrotate::expand;
use mhost_sdk::files::{Kind, WalkOptions};
use mhost_sdk::progress::Unit;
use mhost_sdk::{Context, Error, Failure, Optional as _, Report, Result};

pub use config::Config;
use memory::Memory;
use report::{Item, Told};
use rules::{Rules, Standing};

/// So many logs one task watches.
const MOST_LOGS: usize = 1000;
/// A log that is rotated again and again while it is read is left to the next run.
const TRIES: u32 = 3;

/// Watches.
pub fn watch(context: &Context, config: Config) -> std::result::Result<Report, Failure> {
    config.check()?;
    let rules = Rules::new(&config)?;
    let logs = logs(context, &config)?;
    let first = memory::is_first(context)?;
    let mut told = Told::default();
    let total = Some(logs.len() as u64);
    for (at, log) in logs.iter().enumerate() {
        if context.cancelled() {
            break;
        }
        context.report_progress("reading", at as u64, total, Unit::Items);
        told.items.push(one(context, &config, &rules, log, first));
    }
    memory::begun(context)?;
    let gone = forgotten(context, &config, &rules, &logs, &mut told);
    gone.map_err(Failure::from)?;
    context.keep_state()?;
    let report = report::report(&config, &told);
    context.check_cancelled()?;
    report::judge(&config, &told, report)
}

/// One log, whose troubles are its own. A rotation that comes in between is no trouble.
fn one(context: &Context, config: &Config, rules: &Rules, log: &str, first: bool) -> Item {
    let mut tries = 1;
    loop {
        let mut item = Item::new(log);
        match read(context, config, rules, &mut item, first) {
            Ok(()) => return item,
            Err(Error::Busy(_)) if tries < TRIES => tries += 1,
            Err(error) => {
                if !matches!(error, Error::NotFound(_)) {
                    context.error(format!("`{log}`: {error}"));
                }
                item.error = Some(error);
                return item;
            }
        }
    }
}

fn read(
    context: &Context,
    config: &Config,
    rules: &Rules,
    item: &mut Item,
    first: bool,
) -> Result<()> {
    let before = memory::recall(context, &item.log)?;
    let mut standing = Standing::new(rules, before.as_ref());
    let trail = trail::find(context, config, &item.log, before.as_ref(), first)?;
    item.gap = trail.gap.clone();
    let after = reader::read(
        context,
        config,
        &trail,
        &mut standing,
        item,
        before.as_ref(),
    )?;
    if let Some(gap) = &item.gap {
        context.warn(format!("`{}`: {gap}", item.log));
    }
    item.hits = standing.hits();
    item.alerts = standing.settle(context, &item.log)?;
    if context.dry_run() {
        return Ok(());
    }
    let memory = Memory {
        seen: context.now(),
        windows: standing.windows(),
        ..after
    };
    memory::keep(context, &item.log, &memory)?;
    match trail.log {
        Some(_) => Ok(()),
        None => Err(Error::NotFound("it does not exist".to_owned())),
    }
}

/// Logs that were watched and are not there: their alerts end with time, and after a week
/// they are forgotten.
fn forgotten(
    context: &Context,
    config: &Config,
    rules: &Rules,
    logs: &BTreeSet<String>,
    told: &mut Told,
) -> Result<()> {
    for log in memory::known(context)? {
        if logs.contains(&log) || context.cancelled() {
            continue;
        }
        let Some(memory) = memory::recall(context, &log)? else {
            continue;
        };
        let old = context.now().saturating_sub(memory.seen) > memory::KEPT;
        let wanted = expand_fits(config, &log);
        let mut standing = Standing::new(rules, Some(&memory));
        if old || !wanted {
            standing.resolve_all(context, &log)?;
            memory::forget(context, &log)?;
        } else {
            told.gone += standing.settle(context, &log)?.len();
        }
    }
    Ok(())
}

fn expand_fits(config: &Config, log: &str) -> bool {
    let mut patterns = config.logs.iter();
    patterns.any(|pattern| mhost_format_logrotate::fits_path(pattern, log))
}

/// The logs that the patterns stand for, without their archives.
fn logs(context: &Context, config: &Config) -> std::result::Result<BTreeSet<String>, Failure> {
    let listing = Listing(context);
    let mut found = BTreeSet::new();
    for pattern in &config.logs {
        // What no file fits stands for itself, and is missing.
        let paths = expand(pattern, &listing);
        found.extend(paths.into_iter().filter(|path| {
            !mhost_format_logrotate::is_pattern(path) || listing.0.files().stat(path).is_ok()
        }));
    }
    let archives: Vec<_> = found
        .iter()
        .filter(|path| trail::is_archive(config, path, &found))
        .cloned()
        .collect();
    found.retain(|path| !archives.contains(path));
    if found.len() > MOST_LOGS {
        return Err(Failure::permanent(format!(
            "`logs` stands for {} logs, and one task watches {MOST_LOGS}: divide them among several tasks",
            found.len()
        )));
    }
    Ok(found)
}

/// Folders, for the expansion of patterns.
struct Listing<'c>(&'c Context<'c>);

impl mhost_format_logrotate::Source for Listing<'_> {
    fn look(
        &self,
        path: &str,
    ) -> std::result::Result<Option<mhost_format_logrotate::Found>, String> {
        let found = match self.0.files().stat(path).optional() {
            Err(Error::Denied(_)) => None,
            found => found.map_err(|error| error.to_string())?,
        };
        Ok(found.map(|found| mhost_format_logrotate::Found {
            kind: match found.kind {
                Kind::Directory => mhost_format_logrotate::Kind::Directory,
                Kind::File => mhost_format_logrotate::Kind::File,
                _ => mhost_format_logrotate::Kind::Other,
            },
            mode: found.mode,
            uid: found.uid,
        }))
    }

    fn read(&self, path: &str) -> std::result::Result<String, String> {
        Err(format!("`{path}` is a log"))
    }

    fn list(&self, path: &str) -> std::result::Result<Vec<String>, String> {
        let options = WalkOptions {
            max_depth: Some(0),
            one_file_system: false,
        };
        let walked = match self.0.files().walk_all(path, options) {
            Err(Error::Denied(_)) => return Ok(Vec::new()),
            walked => walked.optional().map_err(|error| error.to_string())?,
        };
        let entries = walked.map(|(entries, _)| entries).unwrap_or_default();
        let named = entries.into_iter().filter(|entry| entry.raw.is_none());
        Ok(named.map(|entry| entry.path).collect())
    }

    fn user(&self, _: &str) -> Option<u32> {
        None
    }

    fn group(&self, _: &str) -> Option<u32> {
        None
    }
}
