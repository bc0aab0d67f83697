//! From what is there to the steps of one log's rotation. Pure.

use std::fmt;

use mhost_sdk::files::Metadata;

use crate::archive::{Archive, Stamp};
use crate::config::{Compress, Config};
use crate::due::{Verdict, stamp};
use crate::scan::{Seen, pending_path};

/// One change of the directory. Each is whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// An empty log beside its place, with its mode and owner.
    Prepare {
        path: String,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    /// The prepared log into its place, unless the writer made one.
    Install { path: String, log: String },
    /// A prepared log that is not needed.
    Discard { path: String },
    /// To a free name.
    Move { from: String, to: String },
    /// The log's bytes to a free name.
    Copy { log: String, to: String },
    /// Empties the log, when `archive` holds all of it.
    Empty {
        log: String,
        archive: Option<String>,
    },
    /// To a free name; the original goes when the copy is proved whole.
    Compress { from: String, to: String },
    Remove {
        path: String,
        size: u64,
        why: String,
    },
}

/// What is to be done with one log.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Whether the log itself is rotated now.
    pub rotates: bool,
    /// Why, or why not.
    pub reason: String,
    /// Before the writers reopen their logs.
    pub before: Vec<Step>,
    /// After that.
    pub after: Vec<Step>,
    /// Whether the writers must reopen first.
    pub reopen: bool,
}

/// An archive under the name that it is to have.
struct Placed {
    path: String,
    stamp: Stamp,
    packed: bool,
    metadata: Metadata,
    fresh: bool,
}

/// Plans one log. `superseded` are archives whose compressed copy is known to be whole.
pub fn plan(
    config: &Config,
    seen: &Seen,
    verdict: &Verdict,
    superseded: &[String],
    now: u64,
    interrupted: bool,
) -> Plan {
    let mut plan = Plan::default();
    let log = match (&seen.log, verdict) {
        (None, _) => {
            plan.reason = "the log is missing, its archives are looked after".to_owned();
            None
        }
        (Some(_), Verdict::NotDue(why)) => {
            plan.reason.clone_from(why);
            None
        }
        (Some(_), Verdict::First) => {
            plan.reason = "it is new, and remembered from now on".to_owned();
            None
        }
        (Some(log), Verdict::Due(why)) => {
            plan.reason.clone_from(why);
            Some(log)
        }
    };
    plan.reopen = interrupted;
    settle(&mut plan, seen, superseded);
    let mut archives: Vec<_> = seen
        .archives
        .iter()
        .filter(|archive| !superseded.contains(&archive.path))
        .cloned()
        .collect();
    let placed = match config.dateext {
        true => by_date(&mut plan, config, seen, log, &mut archives, now),
        false => by_number(&mut plan, config, seen, log, &mut archives),
    };
    plan.reopen |= plan.rotates;
    finish(&mut plan, config, &placed, now);
    plan
}

/// What an interrupted run left.
fn settle(plan: &mut Plan, seen: &Seen, superseded: &[String]) {
    for archive in &seen.archives {
        if superseded.contains(&archive.path) {
            plan.before.push(Step::Remove {
                path: archive.path.clone(),
                size: archive.metadata.size,
                why: "its compressed copy is whole".to_owned(),
            });
        }
    }
    if !seen.pending {
        return;
    }
    let path = pending_path(&seen.path);
    if seen.log.is_none() {
        plan.before.push(Step::Install {
            path,
            log: seen.path.clone(),
        });
        plan.reopen = true;
    } else {
        plan.before.push(Step::Discard { path });
    }
}

/// Each archive moves as little as keeps the order: a gap that an interrupted run
/// left is filled, and two archives of one number are told apart.
fn by_number(
    plan: &mut Plan,
    config: &Config,
    seen: &Seen,
    log: Option<&Metadata>,
    archives: &mut Vec<Archive>,
) -> Vec<Placed> {
    archives.retain(|archive| matches!(archive.stamp, Stamp::Number(_)));
    archives.sort_by(|a, b| (&a.stamp, &a.suffix).cmp(&(&b.stamp, &b.suffix)));
    let keeps = !(config.copytruncate && config.rotate == 0);
    let mut last = u32::from(log.is_some() && keeps);
    let mut placed: Vec<Placed> = Vec::new();
    let mut moves = Vec::new();
    for archive in archives.iter() {
        let Stamp::Number(number) = archive.stamp else {
            continue;
        };
        last = number.max(last + 1);
        let path = format!("{}.{last}{}", seen.path, archive.suffix);
        if path != archive.path {
            moves.push(Step::Move {
                from: archive.path.clone(),
                to: path.clone(),
            });
        }
        placed.push(Placed::of(archive, path, Stamp::Number(last)));
    }
    // The oldest first: its new name is free, and then the next one's is.
    let moves: Vec<_> = moves.into_iter().rev().collect();
    if let Some(log) = log {
        let target = format!("{}.1", seen.path);
        rotate(
            plan,
            config,
            seen,
            log,
            keeps.then_some(target.as_str()),
            moves,
        );
        if keeps {
            placed.push(Placed::fresh(target, Stamp::Number(1), log));
        }
    } else {
        plan.before.extend(moves);
    }
    placed
}

fn by_date(
    plan: &mut Plan,
    config: &Config,
    seen: &Seen,
    log: Option<&Metadata>,
    archives: &mut Vec<Archive>,
    now: u64,
) -> Vec<Placed> {
    archives.retain(|archive| matches!(archive.stamp, Stamp::Date(_)));
    let today = stamp(config, now);
    let mut placed: Vec<_> = archives
        .iter()
        .map(|archive| Placed::of(archive, archive.path.clone(), archive.stamp.clone()))
        .collect();
    let taken = placed.iter().any(|p| p.stamp == Stamp::Date(today.clone()));
    match log {
        Some(_) if taken => {
            plan.reason = format!("it has an archive of {today} already");
        }
        Some(log) => {
            let target = format!("{}-{today}", seen.path);
            let keeps = !(config.copytruncate && config.rotate == 0);
            rotate(
                plan,
                config,
                seen,
                log,
                keeps.then_some(target.as_str()),
                Vec::new(),
            );
            if keeps {
                placed.push(Placed::fresh(target, Stamp::Date(today), log));
            }
        }
        None => {}
    }
    placed.sort_by(|a, b| b.stamp.cmp(&a.stamp));
    placed
}

/// The steps that take the log's bytes to `target`, or to nowhere.
fn rotate(
    plan: &mut Plan,
    config: &Config,
    seen: &Seen,
    log: &Metadata,
    target: Option<&str>,
    moves: Vec<Step>,
) {
    plan.rotates = true;
    let path = seen.path.clone();
    let prepared = pending_path(&path);
    let create = config.create.as_ref();
    if let Some(create) = create {
        plan.before.push(Step::Prepare {
            path: prepared.clone(),
            mode: create.mode.map_or(log.mode, |mode| mode.0),
            uid: log.uid,
            gid: log.gid,
        });
    }
    plan.before.extend(moves);
    match target {
        Some(to) if config.copytruncate => {
            let to = to.to_owned();
            plan.before.push(Step::Copy {
                log: path.clone(),
                to: to.clone(),
            });
            plan.before.push(Step::Empty {
                log: path.clone(),
                archive: Some(to),
            });
        }
        Some(to) => plan.before.push(Step::Move {
            from: path.clone(),
            to: to.to_owned(),
        }),
        None => plan.before.push(Step::Empty {
            log: path.clone(),
            archive: None,
        }),
    }
    if create.is_some() {
        plan.before.push(Step::Install {
            path: prepared,
            log: path,
        });
    }
}

/// What is too old or too many goes, what is to be compressed is.
fn finish(plan: &mut Plan, config: &Config, placed: &[Placed], now: u64) {
    let mut newest_first: Vec<_> = placed.iter().collect();
    if !config.dateext {
        newest_first.sort_by(|a, b| a.stamp.cmp(&b.stamp));
    }
    for (at, archive) in newest_first.into_iter().enumerate() {
        let position = match archive.stamp {
            Stamp::Number(number) => number,
            Stamp::Date(_) => u32::try_from(at + 1).unwrap_or(u32::MAX),
        };
        if let Some(why) = goes(config, archive, position, now) {
            let (path, size) = (archive.path.clone(), archive.metadata.size);
            plan.after.push(Step::Remove { path, size, why });
        } else if let Some(format) = config.compress.0
            && !archive.packed
            && position > u32::from(config.delaycompress)
        {
            plan.reopen = true;
            plan.after.push(Step::Compress {
                from: archive.path.clone(),
                to: format!("{}{}", archive.path, Compress::suffix(format)),
            });
        }
    }
}

fn goes(config: &Config, archive: &Placed, position: u32, now: u64) -> Option<String> {
    if position > config.rotate {
        return Some(format!("{} archives are kept", config.rotate));
    }
    let most = config.maxage?;
    let millis = u64::try_from(most.duration().as_millis()).unwrap_or(u64::MAX);
    let old = archive.metadata.modified.millis().saturating_add(millis) < now;
    (old && !archive.fresh).then(|| format!("it is older than {most}"))
}

impl Placed {
    fn of(archive: &Archive, path: String, stamp: Stamp) -> Self {
        Self {
            path,
            stamp,
            packed: !archive.suffix.is_empty(),
            metadata: archive.metadata,
            fresh: false,
        }
    }

    fn fresh(path: String, stamp: Stamp, log: &Metadata) -> Self {
        Self {
            path,
            stamp,
            packed: false,
            metadata: *log,
            fresh: true,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepare { path, mode, .. } => {
                write!(f, "make the new log `{path}` with mode {mode:04o}")
            }
            Self::Install { path, log } => {
                write!(f, "put the new log `{path}` in its place `{log}`")
            }
            Self::Discard { path } => write!(f, "remove the new log `{path}`, which is not needed"),
            Self::Move { from, to } => write!(f, "rename `{from}` to `{to}`"),
            Self::Copy { log, to } => write!(f, "copy `{log}` to `{to}`"),
            Self::Empty { log, .. } => write!(f, "empty `{log}`"),
            Self::Compress { from, to } => write!(f, "compress `{from}` to `{to}`"),
            Self::Remove { path, why, .. } => write!(f, "remove `{path}`: {why}"),
        }
    }
}
