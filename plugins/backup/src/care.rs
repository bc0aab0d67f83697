//! Keeping a repository sound and small: check, forget, prune.

use mhost_sdk::progress::Unit;
use mhost_sdk::repository::{Judged, Keep, Power, PruneSummary, Repository, Share};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Failure, Optional as _, Report};
use serde_json::{Value, json};

use crate::config::{Check, Forget, Prune};
use crate::snapshots::cells;
use crate::table;

/// Checks; a repository that is not sound fails the run, for good.
pub fn check(context: &Context, config: Check) -> Result<Report, Failure> {
    let name = &config.repository;
    let repository = crate::open(context, name)?;
    context.report_progress(&format!("checking `{name}`"), 0, None, Unit::Bytes);
    let share = share(context, &config)?;
    let verdict = repository
        .check_share(share)
        .doing(|| format!("check the repository `{name}`"))?;
    let text = if verdict.sound {
        let read = human_bytes(verdict.bytes_read);
        format!("the repository `{name}` is sound, {read} of data compared")
    } else {
        format!("the repository `{name}` is damaged")
    };
    let findings: Capped<_> = verdict.findings.iter().collect();
    let report = Report::new(text)
        .metric("bytes_checked", verdict.bytes_read)
        .metric(
            "findings",
            if verdict.sound {
                0
            } else {
                verdict.findings.len()
            },
        )
        .details(&json!({ "sound": verdict.sound, "findings": findings }));
    if verdict.sound {
        return Ok(report);
    }
    let first = verdict
        .findings
        .first()
        .map_or("no finding was given", String::as_str);
    let message = format!(
        "the repository `{name}` is damaged: {first} ({} findings in the report); \
         do not prune it, copy it, and repair the copy with restic's `repair`",
        verdict.findings.len()
    );
    Err(Failure::permanent(message).with_partial(report))
}

/// Which part comes next; the state is kept only with the run's success, so a part
/// that was found damaged is read again.
fn share(context: &Context, config: &Check) -> Result<Share, Failure> {
    if config.rotate == 0 {
        return Ok(Share::Percent(config.data_percent));
    }
    let key = format!("checked-part/{}", config.repository);
    let last: Option<u32> = context
        .state()
        .get_json(&key)
        .doing(|| "read the task's state".to_owned())?;
    let part = last.map_or(0, |last| last % config.rotate) + 1;
    let kept = context.state().set_json(&key, &part);
    kept.doing(|| "keep the task's state".to_owned())?;
    context.info(format!("reading part {part} of {}", config.rotate));
    Ok(Share::Part((part, config.rotate)))
}

/// Removes what the policy does not keep; a dry run only judges.
pub fn forget(context: &Context, config: Forget) -> Result<Report, Failure> {
    let policy = policy(&config)?;
    let repository = crate::open(context, &config.repository)?;
    if config.prune {
        // Before a snapshot goes, not after: its data would stay for nothing.
        let power = Power::Repository((config.repository.clone(), "prune".to_owned()));
        let granted = context.require(&[power]);
        granted.doing(|| format!("prune the repository `{}`", config.repository))?;
    }
    context.check_cancelled()?;
    let judged = repository
        .forget(&policy, !context.dry_run())
        .doing(|| format!("forget snapshots of `{}`", config.repository))?;
    let report = forgotten(&judged, context.dry_run());
    if !config.prune || judged.iter().all(|snapshot| snapshot.keep) {
        return Ok(report);
    }
    match pruned(repository.as_ref(), &config.repository)? {
        Some(summary) => Ok(summary
            .metrics
            .into_iter()
            .fold(report, |report, (name, value)| report.metric(&name, value))),
        None => Ok(report),
    }
}

/// A policy that keeps nothing would remove every snapshot: that is a mistake.
fn policy(config: &Forget) -> Result<Keep, Failure> {
    let keep = Keep {
        last: config.keep_last,
        hourly: config.keep_hourly,
        daily: config.keep_daily,
        weekly: config.keep_weekly,
        monthly: config.keep_monthly,
        yearly: config.keep_yearly,
        within_seconds: config
            .keep_within
            .map_or(0, |span| span.duration().as_secs()),
        tags: config.keep_tags.clone(),
    };
    let counts = [
        keep.last,
        keep.hourly,
        keep.daily,
        keep.weekly,
        keep.monthly,
        keep.yearly,
    ];
    if counts.iter().all(|count| *count == 0) && keep.within_seconds == 0 && keep.tags.is_empty() {
        return Err(Failure::permanent(
            "this policy keeps nothing: set at least one of `keep_last`, `keep_hourly`, `keep_daily`, \
             `keep_weekly`, `keep_monthly`, `keep_yearly`, `keep_within`, `keep_tags`",
        ));
    }
    Ok(keep)
}

fn forgotten(judged: &[Judged], dry_run: bool) -> Report {
    let kept = judged.iter().filter(|snapshot| snapshot.keep).count();
    let removed = judged.len() - kept;
    let verb = if dry_run { "would remove" } else { "removed" };
    let listed: Capped<_> = judged.iter().map(verdict).collect();
    let columns = ["id", "time", "host", "paths", "tags", "kept for"];
    let rows = judged.iter().map(|one| {
        let [id, time, host, paths, tags] = cells(&one.snapshot);
        let why = match one.keep {
            true => one.reasons.join(", "),
            false => format!("nothing: {verb}"),
        };
        [id, time, host, paths, tags, why]
    });
    let details = json!({ "snapshots": listed });
    Report::new(format!("{verb} {removed} snapshots, {kept} are kept"))
        .metric("snapshots_removed", removed)
        .metric("snapshots_kept", kept)
        .details(&table::with(details, columns, rows))
}

fn verdict(judged: &Judged) -> Value {
    let snapshot = &judged.snapshot;
    json!({
        "id": snapshot.id,
        "time": snapshot.time,
        "host": snapshot.hostname,
        "paths": snapshot.paths,
        "tags": snapshot.tags,
        "keep": judged.keep,
        "reasons": judged.reasons,
    })
}

/// Removes what nothing refers to; a dry run says how much that is.
pub fn prune(context: &Context, config: Prune) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    context.check_cancelled()?;
    if let Some(done) = pruned(repository.as_ref(), &config.repository)? {
        return Ok(done);
    }
    let plan = repository.plan_prune();
    let plan = plan.doing(|| format!("plan a prune of the repository `{}`", config.repository))?;
    Ok(summary("would remove", &config.repository, plan))
}

fn pruned(repository: &dyn Repository, name: &str) -> Result<Option<Report>, Failure> {
    let done = repository
        .prune()
        .unless_dry_run()
        .doing(|| format!("prune the repository `{name}`"))?;
    Ok(done.map(|done| summary("removed", name, done)))
}

fn summary(verb: &str, name: &str, done: PruneSummary) -> Report {
    let removed = human_bytes(done.bytes_removed);
    Report::new(format!("{verb} {removed} from the repository `{name}`"))
        .metric("bytes_removed", done.bytes_removed)
        .metric("bytes_repacked", done.bytes_repacked)
        .metric("bytes_unused_left", done.bytes_unused_left)
}
