//! Restoring a snapshot.

use mhost_sdk::progress::Unit;
use mhost_sdk::repository::{self, Power, Repository, RestoreResult, RestoreRules, Source};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Doing as _, Failure, Optional as _, Report};
use serde_json::json;

use crate::backup::short;
use crate::config::{Existing, Restore};
use crate::snapshots::{Choice, choose};
use crate::table;

/// Restores. A dry run asks the host as well, which withholds the writing.
pub fn restore(context: &Context, mut config: Restore) -> Result<Report, Failure> {
    config.check()?;
    let repository = crate::open(context, &config.repository)?;
    let powers = config.databases.iter();
    let powers = powers.map(|name| Power::Database((name.clone(), "restore".to_owned())));
    let granted = context.require(&powers.collect::<Vec<_>>());
    granted.doing(|| "restore the databases".to_owned())?;
    let id = choose(repository.as_ref(), &config.choice())?;
    if config.in_place {
        config.folder = Some(own_folder(context, &config)?);
    }
    let databases = database_paths(context, &mut config)?;
    context.check_cancelled()?;
    let is_there = context.files().stat_optional(&config.to);
    let is_there = is_there.doing(|| format!("look for `{}`", config.to))?;
    let target = is_there.is_some().then_some(config.to.as_str());
    if context.dry_run() {
        if target.is_some() {
            // Whether it may be written there; the host lets nothing through.
            ask(repository.as_ref(), &config, &id)?;
        }
        return planned(repository.as_ref(), &config, &id, target);
    }
    if target.is_none() {
        make(context, &config.to)?;
    }
    context.report_progress(&format!("restoring {}", short(&id)), 0, None, Unit::Files);
    let done = repository
        .restore_with(&config.reference(&id), &config.to, &config.rules())
        .doing(|| format!("restore the snapshot {} to `{}`", short(&id), config.to))?;
    let mut swapped = Vec::new();
    let all = swap_all(context, &config, &databases, &mut swapped);
    let report = report(&config, &id, &done, &swapped);
    match all {
        Ok(()) => Ok(report),
        Err(failure) => Err(failure.with_partial(report)),
    }
}

/// What the host answers where it would restore.
fn ask(repository: &dyn Repository, config: &Restore, id: &str) -> Result<(), Failure> {
    repository
        .restore_with(&config.reference(id), &config.to, &config.rules())
        .unless_dry_run()
        .doing(|| format!("restore the snapshot {} to `{}`", short(id), config.to))
        .map(drop)
}

/// The target and the folders above it, as far as they are missing.
fn make(context: &Context, target: &str) -> Result<(), Failure> {
    let files = context.files();
    let mut place = String::new();
    for name in target.split('/').filter(|name| !name.is_empty()) {
        place = format!("{place}/{name}");
        let there = files.stat_optional(&place);
        if there.doing(|| format!("look for `{place}`"))?.is_none() {
            let made = files.create_directory(&place);
            made.doing(|| format!("make the folder `{place}` to restore into"))?;
        }
    }
    Ok(())
}

impl Restore {
    fn check(&self) -> Result<(), Failure> {
        if self.overwrite && self.existing.is_some() {
            return Err(Failure::permanent(
                "`existing` says what becomes of files that differ, and so does `overwrite`: leave one out",
            ));
        }
        Ok(())
    }

    /// The snapshot, with the folder that is meant.
    fn reference(&self, id: &str) -> String {
        match &self.folder {
            Some(folder) => format!("{id}:{folder}"),
            None => id.to_owned(),
        }
    }

    fn choice(&self) -> Choice<'_> {
        Choice {
            repository: &self.repository,
            snapshot: &self.snapshot,
            at: self.at.as_deref(),
            host: self.host.as_deref(),
            tags: &self.tags,
        }
    }

    fn rules(&self) -> RestoreRules {
        let existing = match (self.existing, self.overwrite) {
            (Some(Existing::Refuse), _) | (None, false) => repository::Existing::Refuse,
            (Some(Existing::Replace), _) | (None, true) => repository::Existing::Replace,
            (Some(Existing::ReplaceOlder), _) => repository::Existing::ReplaceOlder,
            (Some(Existing::Keep), _) => repository::Existing::Keep,
        };
        RestoreRules {
            paths: self.paths.clone(),
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            delete: self.delete,
            existing,
        }
    }
}

/// The folder of the snapshot that the target was backed up as.
fn own_folder(context: &Context, config: &Restore) -> Result<String, Failure> {
    if config.folder.is_some() {
        return Err(Failure::permanent(
            "`in_place` says which folder is meant, and so does `folder`: leave one out",
        ));
    }
    let place = context.stands_at(&Source::Path(config.to.clone()));
    place.doing(|| format!("find out where `{}` lies", config.to))
}

/// Where the databases stand in the snapshot. Only they are restored, unless other
/// paths are named as well.
fn database_paths(
    context: &Context,
    config: &mut Restore,
) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for name in &config.databases {
        let place = context.stands_at(&Source::Database(name.clone()));
        let place = place.doing(|| format!("find out where the database `{name}` lies"))?;
        config.paths.push(place.clone());
        found.push((name.clone(), place));
    }
    if !found.is_empty() && config.folder.is_some() {
        return Err(Failure::permanent(
            "`databases` are restored under their whole paths: leave `folder` and `in_place` out",
        ));
    }
    Ok(found)
}

/// All restored files are verified before the first takes its database's place, so that
/// databases that belong together come back together.
fn swap_all(
    context: &Context,
    config: &Restore,
    databases: &[(String, String)],
    swapped: &mut Vec<String>,
) -> Result<(), Failure> {
    let copy = |path: &str| format!("{}{path}", config.to.trim_end_matches('/'));
    for (name, path) in databases {
        let copy = copy(path);
        let verdict = context.verify_file(&copy);
        let verdict = verdict.doing(|| format!("verify the restored `{copy}`"))?;
        if !verdict.sound {
            return Err(Failure::permanent(format!(
                "the restored `{copy}` of the database `{name}` is not sound, and no database was replaced: {}",
                verdict.findings.join("; ")
            )));
        }
    }
    for (name, path) in databases {
        swapped.push(swap(context, name, &copy(path))?);
    }
    Ok(())
}

fn swap(context: &Context, name: &str, copy: &str) -> Result<String, Failure> {
    let database = context.database(name);
    let database = database.doing(|| format!("open the database `{name}`"))?;
    let old = database.restore(copy);
    let old =
        old.doing(|| format!("put the restored `{copy}` in the place of the database `{name}`"))?;
    context.info(format!(
        "restored the database `{name}`; the old file is `{old}`"
    ));
    Ok(format!("{name} (the old one is {old})"))
}

fn report(config: &Restore, id: &str, done: &RestoreResult, swapped: &[String]) -> Report {
    let summary = &done.summary;
    let mut text = format!(
        "restored {} files, {} of snapshot {} to `{}`, {} were right already",
        summary.files,
        human_bytes(summary.bytes),
        short(id),
        config.to,
        summary.unchanged,
    );
    if done.kept > 0 {
        text = format!("{text}, {} were left as they are", done.kept);
    }
    if !swapped.is_empty() {
        text = format!("{text}; swapped in: {}", swapped.join(", "));
    }
    Report::new(text)
        .metric("files_restored", summary.files)
        .metric("files_unchanged", summary.unchanged)
        .metric("files_kept", done.kept)
        .metric("bytes_restored", summary.bytes)
        .metric("databases_restored", swapped.len())
        .details(&json!({ "snapshot": id, "to": config.to, "databases": swapped }))
}

fn planned(
    repository: &dyn Repository,
    config: &Restore,
    id: &str,
    target: Option<&str>,
) -> Result<Report, Failure> {
    let plan = repository.plan_restore(&config.reference(id), target, &config.rules());
    let plan = plan.doing(|| format!("plan to restore the snapshot {}", short(id)))?;
    let summary = &plan.summary;
    let mut text = format!(
        "would restore {} files, {} of snapshot {} to `{}`, {} are right already",
        summary.files,
        human_bytes(summary.bytes),
        short(id),
        config.to,
        summary.unchanged,
    );
    if plan.kept > 0 {
        text = format!("{text}, {} would be left as they are", plan.kept);
    }
    if plan.removed > 0 {
        text = format!("{text}, {} would be removed", plan.removed);
    }
    if plan.conflicting > 0 {
        text = format!(
            "would refuse to restore snapshot {} to `{}`: {} things there exist and differ; `overwrite` replaces \
             files, `overwrite` with `delete` also folders",
            short(id),
            config.to,
            plan.conflicting,
        );
    }
    let removals = plan.removals.iter().map(|path| ("removed", path));
    let conflicts = plan.conflicts.iter().map(|path| ("in the way", path));
    let rows = conflicts.chain(removals);
    let rows = rows.map(|(what, path)| [what.to_owned(), path.clone()]);
    let details = json!({
        "snapshot": id, "to": config.to, "removals": plan.removals, "conflicts": plan.conflicts,
    });
    Ok(Report::new(text)
        .metric("files_found", summary.files)
        .metric("files_unchanged", summary.unchanged)
        .metric("files_kept", plan.kept)
        .metric("bytes_found", summary.bytes)
        .metric("removals", plan.removed)
        .metric("conflicts", plan.conflicting)
        .details(&table::with(details, ["what", "path"], rows)))
}
