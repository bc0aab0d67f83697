//! The action `mirror`.

use mhost_sdk::files::{HashAlgorithm, Kind, Metadata, join};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Failure, Optional as _, Report};
use serde::Serialize;

use crate::apply::{Apply, Done, Refused};
use crate::brake;
use crate::config::Mirror;
use crate::filter::Filter;
use crate::listing::{Listing, Thing};
use crate::plan::{self, Plan, Step};

/// What does not fit into figures.
#[derive(Serialize)]
struct Details {
    steps: Capped<Step>,
    left_out: Capped<String>,
    errors: Capped<Refused>,
    /// What could not be listed.
    unlisted: Capped<String>,
}

/// Makes `to` equal to `from`.
pub fn mirror(context: &Context<'_>, config: Mirror) -> Result<Report, Failure> {
    let filter = Filter::new(&config.exclude)?;
    let there = check_ends(context, &config)?;
    let files = context.files();
    let source =
        Listing::read(files, &config.from, &filter).doing(|| format!("list {}", config.from))?;
    let target = match there {
        true => {
            Listing::read(files, &config.to, &filter).doing(|| format!("list {}", config.to))?
        }
        false => Listing::default(),
    };
    let plan = compare(context, &config, &source, &target)?;
    brake::check(&config, &source, &target, &plan)?;
    if !there {
        files
            .create_directory(&config.to)
            .unless_dry_run()
            .doing(|| format!("make {}", config.to))?;
    }
    let mut apply = Apply {
        context,
        from: &config.from,
        to: &config.to,
        source: &source,
        total: plan.bytes,
        done: Done::default(),
    };
    let outcome = apply.all(&plan);
    conclude(context, outcome, apply.done, &plan, &source, &target)
}

/// Refuses ends that make no sense; answers whether the target is there.
fn check_ends(context: &Context<'_>, config: &Mirror) -> Result<bool, Failure> {
    let files = context.files();
    let from = files
        .stat(&config.from)
        .doing(|| format!("look at the source {}", config.from))?;
    if from.kind != Kind::Directory {
        return Err(Failure::permanent(format!(
            "the source {} is not a directory",
            config.from
        )));
    }
    let to = files
        .stat_optional(&config.to)
        .doing(|| format!("look at the target {}", config.to))?;
    let Some(to) = to else {
        return Ok(false);
    };
    if to.kind != Kind::Directory {
        return Err(Failure::permanent(format!(
            "the target {} is not a directory",
            config.to
        )));
    }
    let same = |a: &Metadata, b: &Metadata| (a.device, a.inode) == (b.device, b.inode);
    let inside = |outer: &str, inner: &str| join(inner, "").starts_with(&join(outer, ""));
    if same(&from, &to) || inside(&config.from, &config.to) || inside(&config.to, &config.from) {
        return Err(Failure::permanent(format!(
            "{} and {} are the same directory, or one lies in the other",
            config.from, config.to
        )));
    }
    Ok(true)
}

fn compare(
    context: &Context<'_>,
    config: &Mirror,
    source: &Listing,
    target: &Listing,
) -> Result<Plan, Failure> {
    let mut refused = None;
    let mut same = |path: &str, a: &Thing, b: &Thing| {
        if !config.checksum {
            return plan::quick(&a.metadata, &b.metadata);
        }
        let hash = |top: &str| {
            context
                .files()
                .hash(&join(top, path), HashAlgorithm::Blake3, 0, None)
        };
        match (hash(&config.from), hash(&config.to)) {
            (Ok(a), Ok(b)) => a == b,
            // Copying it meets the same error, and puts it on the list.
            (Err(error), _) | (_, Err(error)) => {
                refused.get_or_insert(error);
                false
            }
        }
    };
    let plan = plan::compare(source, target, config.links, config.delete, &mut same);
    if let Some(error) = refused {
        context.warn(format!("cannot compare by hash: {error}"));
    }
    Ok(plan)
}

fn conclude(
    context: &Context<'_>,
    outcome: Result<(), Failure>,
    done: Done,
    plan: &Plan,
    source: &Listing,
    target: &Listing,
) -> Result<Report, Failure> {
    let failures = done.errors.len() + (source.errors.len() + target.errors.len()) as u64;
    let cause = done
        .cause
        .clone()
        .or_else(|| source.errors.iter().chain(&target.errors).next().cloned());
    let report = report(context.dry_run(), done, plan, source, target);
    if let Err(failure) = outcome {
        return Err(failure.with_partial(report));
    }
    let Some(cause) = cause else {
        return Ok(report);
    };
    let failure = Failure {
        message: format!("{failures} of the entries could not be mirrored; the first: {cause}"),
        ..Failure::from(cause)
    };
    Err(failure.with_partial(report))
}

fn report(dry_run: bool, done: Done, plan: &Plan, source: &Listing, target: &Listing) -> Report {
    let word = if dry_run { "would copy" } else { "copied" };
    let summary = format!(
        "{word} {} files ({}), {} deleted, {} unchanged",
        done.copied,
        human_bytes(done.bytes),
        done.deleted,
        plan.unchanged
    );
    let mut left_out = Capped::default();
    plan.left_out
        .iter()
        .for_each(|path| left_out.push(path.clone()));
    let mut unlisted = Capped::default();
    source
        .errors
        .iter()
        .chain(&target.errors)
        .for_each(|error| unlisted.push(error.to_string()));
    Report::new(summary)
        .metric("files_copied", done.copied)
        .metric("bytes_copied", done.bytes)
        .metric("files_deleted", done.deleted)
        .metric("files_unchanged", plan.unchanged)
        .metric("dirs_created", done.created)
        .metric("links_made", done.linked)
        .metric("metadata_changed", done.metadata)
        .details(&Details {
            steps: done.steps,
            left_out,
            errors: done.errors,
            unlisted,
        })
}
