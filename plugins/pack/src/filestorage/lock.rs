//! The lock that a server holds on a FileStorage for its whole life (`Data.fs.lock`).

use mhost_sdk::files::Lock;
use mhost_sdk::{Context, Doing as _, Error, Failure};

/// Where a file's lock lies.
pub fn path(file: &str) -> String {
    format!("{file}.lock")
}

/// Takes the lock, so that no server starts meanwhile; makes it where there is none. It stays there
/// after the run, as after a server's: removing it would let two processes hold one each.
pub fn take<'h>(context: &'h Context, file: &str) -> Result<Option<Box<dyn Lock + 'h>>, Failure> {
    let path = path(file);
    let files = context.files();
    let there = files
        .stat_optional(&path)
        .doing(|| format!("look at {path}"))?;
    if there.is_none() {
        if context.dry_run() {
            return Ok(None);
        }
        match files.create(&path, b"") {
            Ok(()) | Err(Error::Exists(_)) => {}
            Err(error) => return Err(error).doing(|| format!("make {path}")),
        }
    }
    hold(context, file).map(Some)
}

/// Takes the lock if there is one.
pub fn take_if_there<'h>(
    context: &'h Context,
    file: &str,
) -> Result<Option<Box<dyn Lock + 'h>>, Failure> {
    let path = path(file);
    let there = context.files().stat_optional(&path);
    match there.doing(|| format!("look at {path}"))? {
        None => Ok(None),
        Some(_) => hold(context, file).map(Some),
    }
}

fn hold<'h>(context: &'h Context, file: &str) -> Result<Box<dyn Lock + 'h>, Failure> {
    let path = path(file);
    match context.files().lock(&path, true) {
        Ok(lock) => Ok(lock),
        Err(error @ Error::Busy(_)) => Err(Failure {
            message: format!(
                "{file} is open: a server holds {path}, and packing the file under it would lose what it writes; pack \
                 through the server (ZEO's `zeopack`, or Zope's control panel over HTTP), stop it first, or set `output` \
                 to pack into another file beside it"
            ),
            ..Failure::from(error)
        }),
        Err(error) => Err(error).doing(|| format!("lock {path}")),
    }
}
