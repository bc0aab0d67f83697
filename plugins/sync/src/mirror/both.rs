//! Both ways: what changed on one side since the last run is carried to the other. What
//! changed on both is a conflict, and nothing of it is lost without a word.
//!
//! `merge` decides, one path at a time; `base` is what both sides had when they were
//! equal last; here the sides are listed and the decisions become steps.

mod base;
mod merge;
mod side;

use std::collections::{BTreeMap, BTreeSet};

use mhost_sdk::trees::{ListOptions, shown};
use mhost_sdk::{Capped, Context, Doing as _, Failure, Report};
use serde::Serialize;

use super::apply::{Apply, Tally, removal};
use super::brake;
use super::config::{Delta, Mirror, Verify};
use super::ends::{self, Pair};
use super::filter::Filter;
use super::plan::{Change, Code, Counts, Extra, Plan, Rules, What};
use super::report::{self, Seen};
use super::stream::{Path, below, order, parent};
pub use base::Base;
use merge::{Decision, Doubt};
use side::{Print, Side};

/// A path that changed on both sides, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Conflict {
    path: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_as: Option<String>,
}

/// What is to be done on both sides.
#[derive(Default)]
struct Both {
    /// In `to`.
    there: Plan,
    /// In `from`.
    here: Plan,
    conflicts: Capped<Conflict>,
    /// Paths whose base stays as it was, as nobody decided.
    open: BTreeSet<Path>,
    /// The other names of what is kept beside another version.
    names: BTreeSet<Path>,
    /// What changed while it was copied to `to`, and to `from`.
    restless: [Vec<Vec<u8>>; 2],
}

/// Refuses what would make one side's changes look like those of the other, or what both
/// ways do not do.
fn check(config: &Mirror) -> Result<(), Failure> {
    let refused = [
        (
            config.delta == Delta::InPlace,
            "`delta = \"in-place\"`: a run that is cut off would leave half a file, which the next could not \
             tell from a change",
        ),
        (
            !config.permissions || !config.times,
            "`permissions = false` or `times = false`: by them it is known what changed",
        ),
        (
            config.update || config.existing || config.ignore_existing,
            "`update`, `existing` or `ignore_existing`: what changed on one side replaces what the other has",
        ),
        (
            config.verify != Verify::Off,
            "`verify`: mirror one way with `checksum` in a dry run to compare the contents",
        ),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, text)) => Err(Failure::permanent(format!(
            "`both_ways` does not go together with {text}"
        ))),
        None => Ok(()),
    }
}

/// Makes both sides equal.
pub fn run(
    context: &Context<'_>,
    config: &Mirror,
    filter: &Filter,
    pair: Pair,
) -> Result<Report, Failure> {
    check(config)?;
    if !pair.there {
        // So that what is missing is not made within the source.
        let options = ListOptions {
            one_file_system: config.one_file_system,
            attributes: false,
        };
        let (from, other) = (&pair.from, pair.roots.target);
        Side::list(context.trees(), from, options, config, filter, &[], other)
            .doing(|| format!("list {from}"))?;
    }
    ends::make(context, &pair)?;
    if !pair.there && context.dry_run() {
        let text = "the target is not there yet: make it, or mirror one way first";
        return Err(Failure::permanent(text));
    }
    let pair = Pair {
        there: true,
        ..pair
    };
    let rules = ends::rules(context, config, &pair)?;
    let base = Base::read(context, &name(&pair))?;
    let (here, there) = sides(context, config, filter, &pair)?;
    complete(&pair, &here, &there)?;
    let mut same = |path: &Path| same(context, &pair, path);
    let mut both = decide(config, &rules, (&here, &there), &base, &mut same);
    hold(config, &pair, &both, &base, (&here, &there))?;
    let mut tally = Tally::default();
    let mut seen = Seen::default();
    seen.add(&both.there);
    let outcome = carry_out(context, config, &pair, &rules, &mut both, &mut tally);
    let conflicts = std::mem::take(&mut both.conflicts);
    let report = report::conclude(context, outcome, tally, seen);
    // What could not be done keeps nobody from remembering what is equal now.
    let renewed = match context.dry_run() {
        true => Ok(()),
        false => renew(context, config, filter, &pair, &both, &base),
    };
    let report = report?;
    renewed?;
    Ok(with_conflicts(report, &conflicts))
}

/// What a pair's base is kept under.
fn name(pair: &Pair) -> String {
    format!("both {} {}", pair.from, pair.to)
}

/// Remembers what both sides have now.
fn renew(
    context: &Context<'_>,
    config: &Mirror,
    filter: &Filter,
    pair: &Pair,
    both: &Both,
    base: &Base,
) -> Result<(), Failure> {
    let (here, there) = sides(context, config, filter, pair)?;
    let mut new = base.renewed(&here, &there, &both.open);
    // The copy of what changed meanwhile is nobody's change.
    for (side, paths) in [&there, &here].into_iter().zip(&both.restless) {
        for path in paths.iter().map(|path| Path(path.clone())) {
            if let Some(print) = side.entries.get(&path) {
                new.0.insert(path, print.digest());
            }
        }
    }
    new.write(context, &name(pair))?;
    // Even where the run fails for something else.
    Ok(context.keep_state()?)
}

/// Whether a file has the same content on both sides; what cannot be read has not.
fn same(context: &Context<'_>, pair: &Pair, path: &Path) -> bool {
    let paths = [(path.0.clone(), path.0.clone())];
    let answers = context.trees().same(&pair.from, &pair.to, &paths);
    answers.is_ok_and(|answers| matches!(answers.as_slice(), [Ok(true)]))
}

/// Both listings.
fn sides(
    context: &Context<'_>,
    config: &Mirror,
    filter: &Filter,
    pair: &Pair,
) -> Result<(Side, Side), Failure> {
    Ok((
        list(
            context,
            config,
            filter,
            (&pair.from, &pair.apart_here),
            pair.roots.target,
        )?,
        list(
            context,
            config,
            filter,
            (&pair.to, &pair.apart),
            pair.roots.source,
        )?,
    ))
}

fn with_conflicts(report: Report, conflicts: &Capped<Conflict>) -> Report {
    let mut report = report.metric("conflicts", conflicts.len());
    if let Some(details) = report
        .details
        .as_mut()
        .and_then(|details| details.as_object_mut())
    {
        let list = serde_json::to_value(conflicts).unwrap_or_default();
        details.insert("conflicts".to_owned(), list);
    }
    if !conflicts.is_empty() {
        report
            .summary
            .push_str(&format!(", {} conflicts", conflicts.len()));
    }
    report
}

fn list(
    context: &Context<'_>,
    config: &Mirror,
    filter: &Filter,
    (root, apart): (&str, &[Vec<u8>]),
    other: ends::Id,
) -> Result<Side, Failure> {
    let options = ListOptions {
        one_file_system: config.one_file_system,
        attributes: false,
    };
    Side::list(context.trees(), root, options, config, filter, apart, other)
        .doing(|| format!("list {root}"))
}

/// With anything unread, absence proves nothing.
fn complete(pair: &Pair, here: &Side, there: &Side) -> Result<(), Failure> {
    for (root, side) in [(&pair.from, here), (&pair.to, there)] {
        if let Some(trouble) = side.unread.first() {
            return Err(Failure::retryable(format!(
                "{root} could not be listed completely ({trouble}), so nothing can be said to be gone: nothing was changed"
            )));
        }
    }
    Ok(())
}

/// All decisions, as plans for the two sides.
fn decide(
    config: &Mirror,
    rules: &Rules,
    (here, there): (&Side, &Side),
    base: &Base,
    same: &mut dyn FnMut(&Path) -> bool,
) -> Both {
    let mut both = Both::default();
    let (decisions, open) = merge::all(here, there, &base.0, config.conflicts);
    for (path, decision) in decisions {
        let (a, b) = (here.entries.get(path), there.entries.get(path));
        match decision {
            Decision::Nothing => {
                both.there.counts.unchanged += u64::from(a.is_some_and(Print::is_file));
            }
            Decision::There => put(&mut both.there, rules, path, a, b),
            Decision::Here => put(&mut both.here, rules, path, b, a),
            // The same content came to both sides: there is nothing to keep twice.
            Decision::Doubt(Doubt::Both) if equal_files(a, b) && same(path) => {
                put(&mut both.there, rules, path, a, b);
            }
            Decision::Doubt(doubt) => {
                doubtful(&mut both, rules, path, (a, b), doubt, (here, there));
            }
        }
    }
    both.open.extend(open);
    both.there.partials.clone_from(&there.partials);
    both.here.partials.clone_from(&here.partials);
    both
}

/// Whether two files may have the same content.
fn equal_files(a: Option<&Print>, b: Option<&Print>) -> bool {
    a.zip(b)
        .is_some_and(|(a, b)| a.is_file() && b.is_file() && a.size == b.size)
}

fn doubtful(
    both: &mut Both,
    rules: &Rules,
    path: &Path,
    (a, b): (Option<&Print>, Option<&Print>),
    doubt: Doubt,
    sides: (&Side, &Side),
) {
    let mut kept_as = None;
    let outcome = match doubt {
        Doubt::There => {
            put(&mut both.there, rules, path, a, b);
            "the version of `from` was taken"
        }
        Doubt::Here => {
            put(&mut both.here, rules, path, b, a);
            "the version of `to` was taken"
        }
        Doubt::Ask => {
            both.open.insert(path.clone());
            "left as it is on both sides: make them equal, or remove one"
        }
        Doubt::Both => {
            let name = merge::other_name(path, |name| {
                sides.0.has(name) || sides.1.has(name) || both.names.contains(name)
            });
            both.names.insert(name.clone());
            keep_both(both, rules, path, &name, (a, b));
            kept_as = Some(shown(&name.0));
            "both were kept"
        }
    };
    both.conflicts.push(Conflict {
        path: shown(&path.0),
        outcome,
        kept_as,
    });
}

/// The version of `to` gets another name on both sides.
fn keep_both(
    both: &mut Both,
    rules: &Rules,
    path: &Path,
    name: &Path,
    (a, b): (Option<&Print>, Option<&Print>),
) {
    let what = What::Rename {
        from: path.0.clone(),
        changes: None,
    };
    both.there.make.push(Change {
        path: name.0.clone(),
        what,
        code: Code::new(b'c', b'f'),
    });
    put(&mut both.there, rules, path, a, None);
    put(&mut both.here, rules, name, b, None);
}

/// Makes a path in one side's tree what it is on the other.
fn put(plan: &mut Plan, rules: &Rules, path: &Path, wanted: Option<&Print>, there: Option<&Print>) {
    let Some(wanted) = wanted else {
        plan.delete.push(Extra {
            path: path.0.clone(),
            directory: there.is_some_and(Print::is_directory),
            file: None,
        });
        return;
    };
    let other_kind = there.filter(|there| there.kind != wanted.kind);
    if let Some(other) = other_kind
        && (other.is_directory() || wanted.is_directory())
    {
        plan.clear.push(Change {
            path: path.0.clone(),
            what: match other.is_directory() {
                true => What::DeleteDirectory,
                false => What::Delete,
            },
            code: Code::DELETING,
        });
    }
    // A directory went before.
    let replaces = there.is_some_and(|there| there.is_directory() == wanted.is_directory());
    let (what, code) = wanted.made(rules, there.filter(|_| other_kind.is_none()), replaces);
    if let What::Copy { size, .. } = what {
        plan.counts.bytes += size;
    }
    let path = path.0.clone();
    if wanted.is_directory() {
        plan.finish.push(Change {
            path: path.clone(),
            what: What::Metadata {
                changes: Box::new(wanted.changes(rules)),
                attributes: false,
            },
            code: Code::same(b'.', b'd'),
        });
        if replaces {
            return;
        }
    }
    plan.make.push(Change { path, what, code });
}

/// The brake, for each side.
fn hold(
    config: &Mirror,
    pair: &Pair,
    both: &Both,
    base: &Base,
    (here, there): (&Side, &Side),
) -> Result<(), Failure> {
    for (plan, from, to, source, target) in [
        (&both.there, &pair.from, &pair.to, here, there),
        (&both.here, &pair.to, &pair.from, there, here),
    ] {
        if base.0.is_empty() && plan.removals() == 0 {
            continue;
        }
        let counts = Counts {
            source: source.entries.len() as u64,
            target: target.entries.len() as u64,
            ..Counts::default()
        };
        brake::check_counts(config, &brake::Ends { from, to }, plan, counts)?;
    }
    Ok(())
}

fn carry_out(
    context: &Context<'_>,
    config: &Mirror,
    pair: &Pair,
    rules: &Rules,
    both: &mut Both,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let total = both.there.counts.bytes + both.here.counts.bytes;
    let keeps = (rules.owners, rules.attributes);
    let (mut there, mut here) = (settled(&mut both.there), settled(&mut both.here));
    let ends = (pair.from.as_str(), pair.to.as_str());
    let mut apply = Apply::new(context, config, ends, keeps, &[], total, tally);
    // First out of the way, whatever else happens; what could not be moved stays.
    let is_rename = |change: &Change| matches!(change.what, What::Rename { .. });
    let (renames, rest): (Vec<Change>, Vec<Change>) = std::mem::take(&mut there.make)
        .into_iter()
        .partition(is_rename);
    let names: BTreeMap<Vec<u8>, Vec<u8>> = renames.iter().filter_map(names).collect();
    apply.all(Plan {
        make: renames,
        ..Plan::default()
    })?;
    let stuck = std::mem::take(&mut apply.failed);
    there.make = rest;
    there.make.retain(|change| !stuck.contains(&change.path));
    here.make.retain(|change| {
        names
            .get(&change.path)
            .is_none_or(|old| !stuck.contains(old))
    });
    let done = apply.all(there);
    both.restless[0] = std::mem::take(&mut tally.restless);
    done?;
    let ends = (pair.to.as_str(), pair.from.as_str());
    let done = Apply::new(context, config, ends, keeps, &[], total, tally).all(here);
    both.restless[1].clone_from(&tally.restless);
    tally.restless.extend_from_slice(&both.restless[0]);
    done?;
    if config.durable && !context.dry_run() {
        for end in [&pair.from, &pair.to] {
            let flushed = context.trees().flush(end);
            flushed.doing(|| format!("make {end} durable"))?;
        }
    }
    Ok(())
}

/// The new name and the old one.
fn names(change: &Change) -> Option<(Vec<u8>, Vec<u8>)> {
    match &change.what {
        What::Rename { from, .. } => Some((change.path.clone(), from.clone())),
        _ => None,
    }
}

/// In the order in which the steps are done.
fn settled(plan: &mut Plan) -> Plan {
    let mut plan = std::mem::take(plan);
    let by_path = |a: &Change, b: &Change| order(&a.path, &b.path);
    // What lies in a directory that gives way goes with it.
    let tops: Vec<Vec<u8>> = plan
        .clear
        .iter()
        .map(|change| change.path.clone())
        .collect();
    let (inside, rest): (Vec<Extra>, Vec<Extra>) = std::mem::take(&mut plan.delete)
        .into_iter()
        .partition(|extra| tops.iter().any(|top| below(&extra.path, top)));
    plan.delete = rest;
    plan.clear.extend(inside.into_iter().map(removal));
    // A rename comes before what takes its place.
    plan.make
        .sort_by(|a, b| (depth(a), &a.path).cmp(&(depth(b), &b.path)));
    plan.delete.sort_by(|a, b| order(&a.path, &b.path));
    plan.clear.sort_by(by_path);
    plan.finish.sort_by(|a, b| by_path(b, a));
    plan
}

fn depth(change: &Change) -> (u8, usize) {
    let folders = std::iter::successors(Some(change.path.as_slice()), |path| {
        (!path.is_empty()).then(|| parent(path))
    });
    match change.what {
        What::Rename { .. } => (0, 0),
        What::Directory => (1, folders.count()),
        _ => (2, 0),
    }
}
