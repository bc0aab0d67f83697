//! Adding a snapshot.

use mhost_sdk::files::{Kind, WalkOptions};
use mhost_sdk::progress::Unit;
use mhost_sdk::repository::{BackupOptions, BackupSummary, Repository, Source};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Failure, Optional as _, Report};
use serde_json::json;

use crate::config::Backup;

/// Backs up. A dry run asks the host as well, which withholds the snapshot, and
/// reports what the sources hold.
pub fn backup(context: &Context, config: Backup) -> Result<Report, Failure> {
    let sources = sources(&config)?;
    let repository = open_or_create(context, &config)?;
    context.check_cancelled()?;
    let label = labels(&config).join(", ");
    context.report_progress(&format!("backing up {label}"), 0, None, Unit::Files);
    let done = match &repository {
        Some(repository) => repository
            .backup(&sources, &options(&config))
            .unless_dry_run()
            .doing(|| format!("back up {label} into `{}`", config.repository))?,
        None => None,
    };
    match done {
        Some(summary) => judge(context, &config, &summary),
        None => planned(context, &config, repository.is_none()),
    }
}

fn sources(config: &Backup) -> Result<Vec<Source>, Failure> {
    let paths = config.sources.iter().cloned().map(Source::Path);
    let databases = config.databases.iter().cloned().map(Source::Database);
    let sources: Vec<_> = paths.chain(databases).collect();
    if sources.is_empty() {
        return Err(Failure::permanent(
            "there is nothing to back up: name directories in `sources`, or databases in `databases`",
        ));
    }
    Ok(sources)
}

fn labels(config: &Backup) -> Vec<String> {
    let paths = config.sources.iter().map(|path| format!("`{path}`"));
    let databases = config.databases.iter();
    paths
        .chain(databases.map(|name| format!("the database `{name}`")))
        .collect()
}

/// `None` where there is no repository yet, and a dry run creates none.
fn open_or_create<'h>(
    context: &'h Context,
    config: &Backup,
) -> Result<Option<Box<dyn Repository + 'h>>, Failure> {
    let name = &config.repository;
    let opened = context.repository(name);
    if !config.create {
        return opened
            .map(Some)
            .doing(|| format!("open the repository `{name}`"));
    }
    let opened = opened.optional();
    if let Some(found) = opened.doing(|| format!("open the repository `{name}`"))? {
        return Ok(Some(found));
    }
    let created = context.create_repository(name).unless_dry_run();
    let created = created.doing(|| format!("create the repository `{name}`"))?;
    if created.is_some() {
        context.info(format!("created the repository `{name}`"));
    }
    Ok(created)
}

fn options(config: &Backup) -> BackupOptions {
    BackupOptions {
        tags: config.tags.clone(),
        hostname: config.host.clone(),
        exclude: config.exclude.clone(),
        one_file_system: config.one_file_system,
        parent: None,
    }
}

/// A snapshot with gaps is kept, but is no success unless the operator said so.
fn judge(context: &Context, config: &Backup, summary: &BackupSummary) -> Result<Report, Failure> {
    let report = report(summary);
    let Some(first) = summary.unread.first() else {
        return Ok(report);
    };
    for gap in &summary.unread {
        context.warn(format!("not in the snapshot: {gap}"));
    }
    if config.tolerate_unread {
        return Ok(report);
    }
    let message = format!(
        "the snapshot {} was kept, but lacks what could not be read: {first} ({} in all); \
         make that readable, `exclude` it, or set `tolerate_unread`",
        short(&summary.snapshot.id),
        summary.unread.len(),
    );
    Err(Failure::retryable(message).with_partial(report))
}

fn report(summary: &BackupSummary) -> Report {
    let snapshot = &summary.snapshot;
    let mut unread = Capped::default();
    summary.unread.iter().for_each(|gap| unread.push(gap));
    let text = format!(
        "snapshot {} of {} files, {}: {} new, {} changed, {} added",
        short(&snapshot.id),
        snapshot.files,
        human_bytes(snapshot.size),
        summary.files_new,
        summary.files_changed,
        human_bytes(summary.bytes_added),
    );
    Report::new(text)
        .metric("files_new", summary.files_new)
        .metric("files_changed", summary.files_changed)
        .metric("files_unmodified", summary.files_unmodified)
        .metric("files_unread", summary.unread.len())
        .metric("bytes_processed", summary.bytes_processed)
        .metric("bytes_added", summary.bytes_added)
        .artifact("snapshot", &snapshot.id, Some(snapshot.size))
        .details(&json!({ "snapshot": snapshot, "unread": unread }))
}

/// The first eight digits, as restic shows ids.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn planned(context: &Context, config: &Backup, creates: bool) -> Result<Report, Failure> {
    let (mut files, mut bytes) = (0, 0);
    for source in &config.sources {
        let (more_files, more_bytes) = weigh(context, source, config.one_file_system)?;
        files += more_files;
        bytes += more_bytes;
    }
    let text = format!(
        "would {}add a snapshot of {} to `{}`: {files} files, {} before exclusions",
        if creates {
            "create the repository and "
        } else {
            ""
        },
        labels(config).join(", "),
        config.repository,
        human_bytes(bytes),
    );
    Ok(Report::new(text)
        .metric("files_found", files)
        .metric("bytes_found", bytes))
}

/// Regular files below a source, and their bytes.
fn weigh(context: &Context, source: &str, one_file_system: bool) -> Result<(u64, u64), Failure> {
    let look = || format!("look at the source `{source}`");
    let found = context.files().stat(source).doing(look)?;
    if found.kind != Kind::Directory {
        return Ok((1, found.size));
    }
    let options = WalkOptions {
        max_depth: None,
        one_file_system,
    };
    let (entries, errors) = context.files().walk_all(source, options).doing(look)?;
    for error in errors {
        context.warn(format!("cannot be read: {error}"));
    }
    let files = entries
        .iter()
        .filter(|entry| entry.metadata.kind == Kind::File);
    Ok(files.fold((0, 0), |(count, bytes), entry| {
        (count + 1, bytes + entry.metadata.size)
    }))
}
