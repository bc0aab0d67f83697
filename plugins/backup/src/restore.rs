//! Restoring a snapshot.

use mhost_sdk::progress::Unit;
use mhost_sdk::repository::{Repository, RestoreOptions};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Doing as _, Failure, Optional as _, Report};
use serde_json::json;

use crate::backup::short;
use crate::config::Restore;
use crate::snapshots::choose;

/// What a dry run counts at most.
const LISTED: u32 = 100_000;

/// Restores. A dry run asks the host as well, which withholds the writing.
pub fn restore(context: &Context, config: Restore) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    let id = choose(repository.as_ref(), &config)?;
    context.check_cancelled()?;
    context.report_progress(&format!("restoring {}", short(&id)), 0, None, Unit::Files);
    let options = RestoreOptions {
        paths: config.paths.clone(),
        delete: config.delete,
        overwrite: config.overwrite,
    };
    let named = match &config.folder {
        Some(folder) => format!("{id}:{folder}"),
        None => id.clone(),
    };
    let done = repository
        .restore(&named, &config.to, &options)
        .unless_dry_run()
        .doing(|| format!("restore the snapshot {} to `{}`", short(&id), config.to))?;
    let Some(done) = done else {
        return planned(repository.as_ref(), &config, &id);
    };
    let text = format!(
        "restored {} files, {} of snapshot {} to `{}`, {} were right already",
        done.files,
        human_bytes(done.bytes),
        short(&id),
        config.to,
        done.unchanged,
    );
    Ok(Report::new(text)
        .metric("files_restored", done.files)
        .metric("files_unchanged", done.unchanged)
        .metric("bytes_restored", done.bytes)
        .details(&json!({ "snapshot": id, "to": config.to })))
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
        "would restore {}{count} files, {} of snapshot {} to `{}`",
        if nodes.len() < LISTED as usize {
            ""
        } else {
            "at least "
        },
        human_bytes(bytes),
        short(id),
        config.to,
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
