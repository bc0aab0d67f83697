//! Adding a snapshot.

use mhost_sdk::progress::Unit;
use mhost_sdk::repository::{
    BackupOptions, BackupResult, BackupRules, Repository, Source, StoragePair,
};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Error, Failure, Optional as _, Report};
use serde_json::{Value, json};

use crate::commands;
use crate::config::Backup;
use crate::lists;

/// Backs up. A dry run asks the host as well, which withholds the snapshot, and
/// reports what the sources hold.
pub fn backup(context: &Context, config: Backup) -> Result<Report, Failure> {
    let (config, sources) = complete(context, config)?;
    if context.dry_run() {
        return store(context, &config, &sources);
    }
    commands::before(context, &config.before)?;
    let done = store(context, &config, &sources);
    match commands::after(context, &config.after) {
        Ok(()) => done,
        // What went wrong with the backup itself is the more important.
        Err(failure) => Err(match done {
            Ok(report) => failure.with_partial(report),
            Err(first) => first,
        }),
    }
}

/// With what stands in files of patterns and sources.
fn complete(context: &Context, mut config: Backup) -> Result<(Backup, Vec<Source>), Failure> {
    for file in &config.exclude_file {
        config.exclude.extend(lists::read(context, file)?);
    }
    for file in &config.iexclude_file {
        config.iexclude.extend(lists::read(context, file)?);
    }
    for file in &config.files_from {
        config.sources.extend(lists::read(context, file)?);
    }
    if config.host.as_deref() == Some("") {
        return Err(Failure::permanent(
            "`host` is empty: name the host, or leave it out for this machine's name",
        ));
    }
    let sources = sources(&config)?;
    Ok((config, sources))
}

fn store(context: &Context, config: &Backup, sources: &[Source]) -> Result<Report, Failure> {
    let mut targets = Targets::open(context, config);
    context.check_cancelled()?;
    let label = labels(config).join(", ");
    context.report_progress(&format!("backing up {label}"), 0, None, Unit::Files);
    if targets.missing > 0 {
        return planned(context, config, sources, targets.missing);
    }
    let Some((first, others)) = targets.open.split_first() else {
        return Err(targets.failed());
    };
    let others: Vec<&dyn Repository> = others.iter().map(|(_, other)| other.as_ref()).collect();
    let (options, rules) = (options(config), rules(config));
    let done = first
        .1
        .backup_with(&others, sources, &options, &rules)
        .unless_dry_run()
        .doing(|| format!("back up {label}"))?;
    let Some(done) = done else {
        return planned(context, config, sources, 0);
    };
    let names: Vec<_> = targets.open.iter().map(|(name, _)| name.clone()).collect();
    for (name, one) in names.iter().zip(done) {
        match one {
            Ok(result) => targets.done.push((name.clone(), result)),
            Err(error) => targets
                .faults
                .push((format!("back up into `{name}`"), error)),
        }
    }
    targets.judge(context, config)
}

/// The repositories of one backup, and what became of it in each.
struct Targets<'h> {
    open: Vec<(String, Box<dyn Repository + 'h>)>,
    /// Repositories that there are not yet, in a dry run.
    missing: usize,
    done: Vec<(String, BackupResult)>,
    /// What could not be done, and why.
    faults: Vec<(String, Error)>,
}

impl<'h> Targets<'h> {
    fn open(context: &'h Context, config: &Backup) -> Self {
        let mut targets = Self {
            open: Vec::new(),
            missing: 0,
            done: Vec::new(),
            faults: Vec::new(),
        };
        for name in names(config) {
            match open_or_create(context, name, config.create) {
                Ok(Some(open)) => targets.open.push((name.clone(), open)),
                Ok(None) => targets.missing += 1,
                Err(error) => targets
                    .faults
                    .push((format!("open the repository `{name}`"), error)),
            }
        }
        targets
    }

    /// The failure of the first that failed.
    fn failed(&self) -> Failure {
        let all = self.faults.iter();
        let told: Vec<_> = all
            .map(|(doing, error)| format!("cannot {doing}: {error}"))
            .collect();
        let first = self.faults.first().map(|(_, error)| error.clone());
        let mut failure = Failure::retryable(told.join("; "));
        failure.retryable = self.faults.iter().any(|(_, error)| error.retryable());
        failure.cause = first.map(Box::new);
        failure
    }

    /// A snapshot with gaps is kept, but is no success unless the operator said so.
    fn judge(&self, context: &Context, config: &Backup) -> Result<Report, Failure> {
        let Some((_, first)) = self.done.first() else {
            return Err(self.failed());
        };
        let report = report(&self.done);
        for remark in &first.remarks {
            context.warn(remark);
        }
        if !self.faults.is_empty() {
            return Err(self.failed().with_partial(report));
        }
        let unread = &first.summary.unread;
        for gap in unread {
            context.warn(format!("not in the snapshot: {gap}"));
        }
        match unread.first() {
            Some(gap) if !config.tolerate_unread => Err(Failure::retryable(format!(
                "the snapshot {} was kept, but lacks what could not be read: {gap} ({} in all); \
                 make that readable, `exclude` it, or set `tolerate_unread`",
                short(&first.summary.snapshot.id),
                unread.len(),
            ))
            .with_partial(report)),
            _ => Ok(report),
        }
    }
}

fn names(config: &Backup) -> &[String] {
    match &config.repositories[..] {
        [] => std::slice::from_ref(&config.repository),
        several => several,
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
    name: &str,
    create: bool,
) -> mhost_sdk::Result<Option<Box<dyn Repository + 'h>>> {
    let opened = context.repository(name);
    if !create {
        return opened.map(Some);
    }
    if let Some(found) = opened.optional()? {
        return Ok(Some(found));
    }
    let created = context.create_repository(name).unless_dry_run()?;
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
        parent: config.parent.clone(),
    }
}

fn rules(config: &Backup) -> BackupRules {
    let storages = config.storages.iter().map(|storage| StoragePair {
        file: storage.file.clone(),
        blobs: storage.blobs.clone(),
    });
    BackupRules {
        iexclude: config.iexclude.clone(),
        exclude_if_present: config.exclude_if_present.clone(),
        exclude_caches: config.exclude_caches,
        exclude_larger_than: config.exclude_larger_than.map(|size| size.bytes()),
        force: config.force,
        ignore_inode: config.ignore_inode,
        ignore_ctime: config.ignore_ctime,
        skip_if_unchanged: config.skip_if_unchanged,
        storages: storages.collect(),
    }
}

fn report(done: &[(String, BackupResult)]) -> Report {
    let told: Vec<_> = done
        .iter()
        .map(|(name, one)| sentence(name, one, done.len() > 1))
        .collect();
    let first = &done[0].1.summary;
    let added: u64 = done.iter().map(|(_, one)| one.summary.bytes_added).sum();
    let unread: Capped<_> = first.unread.iter().collect();
    let each = |(name, one): &(String, BackupResult)| -> Value {
        json!({
            "repository": name, "snapshot": one.summary.snapshot, "made": one.made,
            "parent": one.parent, "bytes_added": one.summary.bytes_added,
        })
    };
    let mut report = Report::new(told.join("; "))
        .metric("files_new", first.files_new)
        .metric("files_changed", first.files_changed)
        .metric("files_unmodified", first.files_unmodified)
        .metric("files_unread", first.unread.len())
        .metric("bytes_processed", first.bytes_processed)
        .metric("bytes_added", added);
    for (_, one) in done {
        let snapshot = &one.summary.snapshot;
        report = report.artifact("snapshot", &snapshot.id, Some(snapshot.size));
    }
    report.details(&json!({
        "snapshot": first.snapshot, "unread": unread, "remarks": done[0].1.remarks,
        "repositories": done.iter().map(each).collect::<Vec<_>>(),
    }))
}

fn sentence(name: &str, one: &BackupResult, several: bool) -> String {
    let summary = &one.summary;
    let place = if several {
        format!("`{name}`: ")
    } else {
        String::new()
    };
    if !one.made {
        return format!(
            "{place}nothing changed since snapshot {}",
            short(&summary.snapshot.id)
        );
    }
    format!(
        "{place}snapshot {} of {} files, {}: {} new, {} changed, {} added",
        short(&summary.snapshot.id),
        summary.snapshot.files,
        human_bytes(summary.snapshot.size),
        summary.files_new,
        summary.files_changed,
        human_bytes(summary.bytes_added),
    )
}

/// The first eight digits, as restic shows ids.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// By the rules of the backup itself; databases are not counted.
fn planned(
    context: &Context,
    config: &Backup,
    sources: &[Source],
    creates: usize,
) -> Result<Report, Failure> {
    let plan = context.plan_backup(sources, &options(config), &rules(config));
    let plan = plan.doing(|| format!("plan a backup of {}", labels(config).join(", ")))?;
    for gap in &plan.unread {
        context.warn(format!("cannot be read: {gap}"));
    }
    let text = format!(
        "would {}add a snapshot of {} to `{}`: {} files, {}",
        match creates {
            0 => "",
            1 => "create the repository and ",
            _ => "create the repositories and ",
        },
        labels(config).join(", "),
        names(config).join("`, `"),
        plan.files,
        human_bytes(plan.bytes),
    );
    Ok(Report::new(text)
        .metric("files_found", plan.files)
        .metric("files_unread", plan.unread.len())
        .metric("bytes_found", plan.bytes))
}
