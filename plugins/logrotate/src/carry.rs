//! Taking the steps of a plan, and the looks that a plan needs beforehand.

use mhost_sdk::files::{Changes, Compression, CopyOptions, Files};
use mhost_sdk::{Context, Error, Optional as _, Result};

use crate::archive::Archive;
use crate::config::{Config, Hook};
use crate::plan::Step;
use crate::scan::Seen;

/// How often a growing log's tail is copied before it is emptied.
const TAILS: u32 = 16;

/// Archives that an interrupted run compressed, but did not remove: those whose
/// compressed copy can be read to its end and has their length and time.
pub fn superseded(files: &dyn Files, seen: &Seen) -> Vec<String> {
    let plain = seen
        .archives
        .iter()
        .filter(|archive| archive.suffix.is_empty());
    let done = plain.filter(|plain| {
        let copies = seen
            .archives
            .iter()
            .filter(|other| other.stamp == plain.stamp);
        copies.into_iter().any(|copy| is_copy(files, plain, copy))
    });
    done.map(|archive| archive.path.clone()).collect()
}

fn is_copy(files: &dyn Files, plain: &Archive, copy: &Archive) -> bool {
    let format = match copy.suffix.as_str() {
        ".gz" => Compression::Gzip,
        ".zst" => Compression::Zstd,
        _ => return false,
    };
    copy.metadata.modified == plain.metadata.modified
        && files.verify_compressed(&copy.path, format) == Ok(plain.metadata.size)
}

/// Takes the steps in order, up to the first that fails.
pub fn take(context: &Context, config: &Config, steps: &[Step]) -> Result<()> {
    steps
        .iter()
        .try_for_each(|step| one(context.files(), config, step))
}

fn one(files: &dyn Files, config: &Config, step: &Step) -> Result<()> {
    match step {
        Step::Prepare {
            path,
            mode,
            uid,
            gid,
        } => prepare(files, path, *mode, *uid, *gid),
        Step::Install { path, log } => install(files, path, log),
        Step::Discard { path } => files.remove_file(path),
        Step::Move { from, to } => files.rename(from, to),
        Step::Copy { log, to } => {
            let options = CopyOptions {
                replace: false,
                preserve: true,
            };
            files.copy(log, to, options).map(drop)
        }
        Step::Empty { log, archive } => empty(files, log, archive.as_deref()),
        Step::Compress { from, to } => compress(files, config, from, to),
        Step::Remove { path, .. } => files.remove_file(path),
    }
}

fn prepare(files: &dyn Files, path: &str, mode: u32, uid: u32, gid: u32) -> Result<()> {
    files.remove_file(path).optional()?;
    files.create(path, b"")?;
    let made = files.stat(path)?;
    files.set_metadata(
        path,
        Changes {
            mode: Some(mode),
            uid: (made.uid != uid).then_some(uid),
            gid: (made.gid != gid).then_some(gid),
            modified: None,
            accessed: None,
        },
    )
}

fn install(files: &dyn Files, path: &str, log: &str) -> Result<()> {
    match files.rename(path, log) {
        // The writer was quicker.
        Err(Error::Exists(_)) => files.remove_file(path),
        done => done,
    }
}

/// Copies what was written since the copy was made, then empties the log.
fn empty(files: &dyn Files, log: &str, archive: Option<&str>) -> Result<()> {
    let Some(archive) = archive else {
        return files.truncate(log, 0);
    };
    let mut copied = files.stat(archive)?.size;
    for _ in 0..TAILS {
        let size = files.stat(log)?.size;
        if size < copied {
            return Err(Error::Busy(format!(
                "`{log}` shrank while it was copied: another program empties it too"
            )));
        }
        if size == copied {
            break;
        }
        copied += files.copy_range(log, copied, None, archive, copied)?;
    }
    files.sync(archive)?;
    files.truncate(log, 0)
}

/// The original goes only when the copy was read to its end, and when nobody wrote
/// to the original meanwhile.
fn compress(files: &dyn Files, config: &Config, from: &str, to: &str) -> Result<()> {
    let Some(format) = config.compress.0 else {
        return Ok(());
    };
    files.compress(from, to, format, config.compress_level)?;
    let whole = files.verify_compressed(to, format)?;
    if files.stat(from)?.size != whole {
        files.remove_file(to)?;
        return Err(Error::Busy(format!(
            "`{from}` was written to while it was compressed, and stays as it is: its writer has not \
             reopened the log; name it in `postrotate`, or set `delaycompress`"
        )));
    }
    files.remove_file(from)
}

/// Lets the writers reopen their logs.
pub fn reopen(context: &Context, hooks: &[Hook]) -> Result<()> {
    hooks.iter().try_for_each(|hook| match hook {
        Hook::Signal(hook) => context.signal(&hook.signal),
        Hook::Run(hook) => command(context, &hook.run),
        Hook::Name(name) => match context.signal(name) {
            Err(Error::Denied(denial)) => match command(context, name) {
                Err(Error::Denied(_)) => Err(Error::Denied(denial)),
                done => done,
            },
            done => done,
        },
    })
}

fn command(context: &Context, name: &str) -> Result<()> {
    let outcome = context.run_command(name)?;
    if outcome.code == 0 {
        return Ok(());
    }
    let said = outcome.stderr.lines().next().unwrap_or_default();
    Err(Error::Failed(format!(
        "the command `{name}` ended with {}: {said}",
        outcome.code
    )))
}
