//! What a mirror says in the end.

use mhost_sdk::trees::shown;
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Error, Failure, Report, Result};
use serde::Serialize;

use super::apply::{Refused, Shown, Tally};
use super::plan::{Plan, Trouble, What};

/// What the surveys saw, all pairs together.
#[derive(Debug, Default)]
pub struct Seen {
    unchanged: u64,
    left_out: Capped<String>,
    unread: Capped<Refused>,
    blocked: Capped<Refused>,
    first: Option<String>,
}

impl Seen {
    pub fn add(&mut self, plan: &Plan) {
        self.unchanged += plan.counts.unchanged;
        for path in &plan.left_out {
            self.left_out.push(shown(path));
        }
        let refused = |trouble: &Trouble| Refused {
            path: shown(&trouble.path),
            error: trouble.why.clone(),
        };
        for trouble in plan.unread.iter().chain(&plan.unread_there) {
            self.first.get_or_insert_with(|| trouble.why.clone());
            self.unread.push(refused(trouble));
        }
        for trouble in &plan.blocked {
            self.first.get_or_insert_with(|| trouble.why.clone());
            self.blocked.push(refused(trouble));
        }
    }

    fn failures(&self) -> u64 {
        self.unread.len() + self.blocked.len()
    }
}

/// What does not fit into figures.
#[derive(Serialize)]
struct Details {
    steps: Capped<Shown>,
    left_out: Capped<String>,
    errors: Capped<Refused>,
    /// What could not be looked at or listed.
    unlisted: Capped<Refused>,
    /// What stands in the way.
    blocked: Capped<Refused>,
    /// Files that changed while they were copied.
    changed_meanwhile: Vec<String>,
}

/// The report, or the failure where something could not be done.
pub fn conclude(
    context: &Context<'_>,
    outcome: std::result::Result<(), Failure>,
    tally: Tally,
    seen: Seen,
) -> std::result::Result<Report, Failure> {
    let failures = tally.errors.len() + seen.failures();
    let not_deleted = tally.not_deleted;
    for path in &tally.restless {
        context.warn(format!("{}: it changed while it was copied", shown(path)));
    }
    let cause = tally.cause.clone();
    let first = cause.as_ref().map(ToString::to_string);
    let first = first.or_else(|| seen.first.clone());
    let report = report(context.dry_run(), tally, seen);
    if let Err(failure) = outcome {
        return Err(failure.with_partial(report));
    }
    if failures == 0 {
        return Ok(report);
    }
    let first = first.unwrap_or_default();
    let deletions = match not_deleted {
        0 => String::new(),
        count => format!("; {count} deletions were left for the next run"),
    };
    let cause = cause.unwrap_or_else(|| Error::Failed(first.clone()));
    let failure = Failure {
        message: format!(
            "{failures} of the entries could not be mirrored; the first: {first}{deletions}"
        ),
        ..Failure::from(cause)
    };
    Err(failure.with_partial(report))
}

fn report(dry_run: bool, tally: Tally, seen: Seen) -> Report {
    let word = if dry_run { "would copy" } else { "copied" };
    let summary = format!(
        "{word} {} files ({}), {} deleted, {} unchanged",
        tally.copied,
        human_bytes(tally.bytes),
        tally.deleted,
        seen.unchanged
    );
    Report::new(summary)
        .metric("files_copied", tally.copied)
        .metric("bytes_copied", tally.bytes)
        .metric("bytes_written", tally.written)
        .metric("files_deleted", tally.deleted)
        .metric("files_renamed", tally.renamed)
        .metric("files_unchanged", seen.unchanged)
        .metric("files_vanished", tally.vanished)
        .metric("dirs_created", tally.created)
        .metric("links_made", tally.linked)
        .metric("hard_links_made", tally.hard_linked)
        .metric("metadata_changed", tally.metadata)
        .details(&Details {
            steps: tally.steps,
            left_out: seen.left_out,
            errors: tally.errors,
            unlisted: seen.unread,
            blocked: seen.blocked,
            changed_meanwhile: tally.restless.iter().map(|path| shown(path)).collect(),
        })
}

/// A dry run whose target is not there yet: everything would be made.
pub fn pretend(plan: Plan, tally: &mut Tally) -> std::result::Result<(), Failure> {
    for change in plan.make {
        match change.what {
            What::Directory => tally.created += 1,
            What::Copy { size, .. } => {
                tally.copied += 1;
                tally.bytes += size;
            }
            What::HardLink { .. } | What::LinkBeside { .. } => tally.hard_linked += 1,
            _ => tally.linked += 1,
        }
        tally.steps.push(Shown {
            change: change.code,
            path: shown(&change.path),
            from: None,
        });
    }
    Ok(())
}

/// What the comparison of a copied file said.
pub fn verified(context: &Context<'_>, tally: &mut Tally, path: &[u8], answer: Result<bool>) {
    let error = match answer {
        Ok(true) => return,
        Ok(false) if tally.restless.iter().any(|restless| restless == path) => return,
        Ok(false) => Error::Damaged(format!(
            "`{}` differs from its source after it was copied",
            shown(path)
        )),
        Err(Error::NotFound(_)) => return,
        Err(error) => error,
    };
    wrong(context, tally, path, error);
}

/// What a second look at both trees found.
pub fn left(context: &Context<'_>, tally: &mut Tally, plan: &Plan) {
    let paths = plan.make.iter().chain(&plan.clear).chain(&plan.finish);
    let paths = paths.map(|change| &change.path);
    let extra = plan.delete.iter().map(|extra| &extra.path);
    for path in paths.chain(extra) {
        differs(context, tally, path);
    }
}

/// A path that still differs; nothing new where something failed anyway.
pub fn differs(context: &Context<'_>, tally: &mut Tally, path: &[u8]) {
    if tally.errors.is_empty() {
        let text = format!("`{}` still differs after the run", shown(path));
        wrong(context, tally, path, Error::Damaged(text));
    }
}

fn wrong(context: &Context<'_>, tally: &mut Tally, path: &[u8], error: Error) {
    context.error(error.to_string());
    tally.errors.push(Refused {
        path: shown(path),
        error: error.to_string(),
    });
    tally.cause.get_or_insert(error);
}
