//! Restoring a snapshot.

use mhost_sdk::progress::Unit;
use mhost_sdk::repository::{self, Repository, RestoreResult, RestoreRules, Source};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Doing as _, Failure, Optional as _, Report};
use serde_json::json;

use crate::backup::short;
use crate::config::{Existing, Restore};
use crate::snapshots::{Choice, choose};

/// What a dry run counts at most.
const LISTED: u32 = 100_000;

/// Restores. A dry run asks the host as well, which withholds the writing.
pub fn restore(context: &Context, mut config: Restore) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    let id = choose(repository.as_ref(), &config.choice())?;
    if config.in_place {
        config.folder = Some(own_folder(context, &config)?);
    }
    let databases = database_paths(context, &mut config)?;
    context.check_cancelled()?;
    context.report_progress(&format!("restoring {}", short(&id)), 0, None, Unit::Files);
    let named = match &config.folder {
        Some(folder) => format!("{id}:{folder}"),
        None => id.clone(),
    };
    let done = repository
        .restore_with(&named, &config.to, &config.rules())
        .unless_dry_run()
        .doing(|| format!("restore the snapshot {} to `{}`", short(&id), config.to))?;
    let Some(done) = done else {
        return planned(repository.as_ref(), &config, &id);
    };
    let mut swapped = Vec::new();
    for (name, path) in databases {
        swapped.push(swap(context, &config, &name, &path)?);
    }
    Ok(report(&config, &id, &done, &swapped))
}

impl Restore {
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

/// The restored file is verified by the host before it takes the database's place.
fn swap(context: &Context, config: &Restore, name: &str, path: &str) -> Result<String, Failure> {
    let copy = format!("{}{path}", config.to.trim_end_matches('/'));
    let database = context.database(name);
    let database = database.doing(|| format!("open the database `{name}`"))?;
    let old = database.restore(&copy);
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

fn planned(repository: &dyn Repository, config: &Restore, id: &str) -> Result<Report, Failure> {
    let root = config.folder.as_deref().unwrap_or("/");
    let nodes = repository.listing(id, root, LISTED);
    let nodes = nodes.doing(|| format!("list the snapshot {}", short(id)))?;
    let files = nodes.iter().filter(|node| {
        node.kind == "file"
            && (config.paths.is_empty() || config.paths.iter().any(|path| below(&node.path, path)))
    });
    let (count, bytes) = files.fold((0u64, 0u64), |(n, bytes), node| (n + 1, bytes + node.size));
    let text = format!(
        "would restore {}{count} files, {} of snapshot {} to `{}`{}",
        if nodes.len() < LISTED as usize {
            ""
        } else {
            "at least "
        },
        human_bytes(bytes),
        short(id),
        config.to,
        match (&config.include[..], &config.exclude[..]) {
            ([], []) => "",
            _ => ", before `include` and `exclude`",
        },
    );
    Ok(Report::new(text)
        .metric("files_found", count)
        .metric("bytes_found", bytes)
        .details(&json!({ "snapshot": id, "to": config.to })))
}

/// Whether a path is another, or lies below it.
fn below(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path.strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
