//! A drill: the newest snapshot is restored for a try, compared, its databases are
//! verified, and the time that took is told. A backup that was never restored is a hope.

use mhost_sdk::progress::Unit;
use mhost_sdk::repository::{Existing, Repository, RestoreRules, RestoreSummary, Source};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Failure, Optional as _, Report};
use serde_json::json;

use crate::backup::short;
use crate::clear::clear;
use crate::config::Drill;
use crate::snapshots::{Choice, choose};

/// Restores, compares, verifies, and removes what it restored.
pub fn drill(context: &Context, config: Drill) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    let choice = Choice {
        repository: &config.repository,
        snapshot: &config.snapshot,
        at: None,
        host: config.host.as_deref(),
        tags: &config.tags,
    };
    let id = choose(repository.as_ref(), &choice)?;
    context.check_cancelled()?;
    let folder = format!(
        "{}/drill-{}",
        config.scratch.trim_end_matches('/'),
        short(&id)
    );
    if context.dry_run() {
        return planned(&config, repository.as_ref(), &id, &folder);
    }
    clear(context, &folder)?;
    let made = context.files().create_directory(&folder);
    made.doing(|| format!("make the folder `{folder}`"))?;
    let tried = attempt(context, &config, repository.as_ref(), &id, &folder);
    if config.keep {
        return tried;
    }
    match (tried, clear(context, &folder)) {
        (tried, Ok(())) => tried,
        (Ok(report), Err(failure)) => Err(failure.with_partial(report)),
        // What the drill found is the more important.
        (Err(mut first), Err(second)) => {
            first.message = format!("{}; and {}", first.message, second.message);
            Err(first)
        }
    }
}

/// Nothing is written, and so nothing proved; but everything is looked for.
fn planned(
    config: &Drill,
    repository: &dyn Repository,
    id: &str,
    folder: &str,
) -> Result<Report, Failure> {
    // Whether it may be written there; the host lets nothing through.
    let asked = repository.restore_with(id, &config.scratch, &rules(config));
    asked
        .unless_dry_run()
        .doing(|| format!("restore the snapshot {} to `{folder}`", short(id)))?;
    let plan = repository.plan_restore(id, None, &rules(config));
    let plan = plan.doing(|| format!("plan the drill of the snapshot {}", short(id)))?;
    let text = format!(
        "would restore snapshot {} ({} files, {}) to `{folder}`, compare it and verify its databases",
        short(id),
        plan.summary.files,
        human_bytes(plan.summary.bytes),
    );
    Ok(Report::new(text)
        .metric("files_found", plan.summary.files)
        .metric("bytes_found", plan.summary.bytes))
}

fn attempt(
    context: &Context,
    config: &Drill,
    repository: &dyn Repository,
    id: &str,
    folder: &str,
) -> Result<Report, Failure> {
    let begun = context.now();
    context.report_progress(&format!("restoring {}", short(id)), 0, None, Unit::Files);
    let done = repository.restore_with(id, folder, &rules(config));
    let done = done.doing(|| format!("restore the snapshot {} to `{folder}`", short(id)))?;
    let milliseconds = context.now().saturating_sub(begun);
    let compared = repository.compare(id, folder, &rules(config));
    let compared =
        compared.doing(|| format!("compare `{folder}` with the snapshot {}", short(id)))?;
    let mut findings = compared.differences;
    let databases = compared.databases.len();
    for path in &compared.databases {
        findings.extend(verified(context, path)?);
    }
    let since = changed_since(context, config, repository, id)?;
    let result = Tried {
        restored: done.summary,
        milliseconds,
        databases,
        since,
    };
    result.judge(id, findings)
}

struct Tried {
    restored: RestoreSummary,
    milliseconds: u64,
    databases: usize,
    /// Where sources were compared as well: how much of them changed since.
    since: Option<u64>,
}

impl Tried {
    fn judge(&self, id: &str, findings: Vec<String>) -> Result<Report, Failure> {
        let RestoreSummary { files, bytes, .. } = self.restored;
        let seconds = self.milliseconds as f64 / 1000.0;
        let mut text = format!(
            "snapshot {} restores: {files} files, {} in {seconds:.1} s, all as recorded, {} databases sound",
            short(id),
            human_bytes(bytes),
            self.databases,
        );
        if let Some(since) = self.since {
            text = format!("{text}; {since} things changed in the sources since");
        }
        let listed: Capped<_> = findings.iter().collect();
        let report = Report::new(text)
            .metric("files_restored", files)
            .metric("bytes_restored", bytes)
            .metric("seconds_to_restore", seconds)
            .metric("databases_verified", self.databases)
            .metric("findings", findings.len())
            .details(&json!({ "snapshot": id, "findings": listed, "changed_since": self.since }));
        match findings.first() {
            None => Ok(report),
            Some(first) => Err(Failure::permanent(format!(
                "the drill failed: snapshot {} does not restore as it was recorded: {first} ({} findings in the report)",
                short(id),
                findings.len()
            ))
            .with_partial(report)),
        }
    }
}

fn rules(config: &Drill) -> RestoreRules {
    RestoreRules {
        paths: config.paths.clone(),
        include: Vec::new(),
        exclude: Vec::new(),
        delete: false,
        existing: Existing::Refuse,
    }
}

/// What is wrong with a restored database.
fn verified(context: &Context, path: &str) -> Result<Vec<String>, Failure> {
    let verdict = context.verify_file(path);
    let verdict = verdict.doing(|| format!("verify the restored database `{path}`"))?;
    if verdict.sound {
        return Ok(Vec::new());
    }
    let told = verdict.findings.join("; ");
    Ok(vec![format!("the database `{path}` is not sound: {told}")])
}

/// Changes in the sources are what tomorrow's backup is for.
fn changed_since(
    context: &Context,
    config: &Drill,
    repository: &dyn Repository,
    id: &str,
) -> Result<Option<u64>, Failure> {
    let mut changed = None;
    for source in &config.sources {
        let place = context.stands_at(&Source::Path(source.clone()));
        let place = place.doing(|| format!("find out where `{source}` lies"))?;
        let everything = RestoreRules {
            paths: Vec::new(),
            ..rules(config)
        };
        let compared = repository.compare(&format!("{id}:{place}"), source, &everything);
        let compared =
            compared.doing(|| format!("compare `{source}` with the snapshot {}", short(id)))?;
        for difference in compared.differences.iter().take(20) {
            context.info(format!("changed since the snapshot: {difference}"));
        }
        *changed.get_or_insert(0) += compared.differing;
    }
    Ok(changed)
}
