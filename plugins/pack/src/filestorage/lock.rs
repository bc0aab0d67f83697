//! The lock that a server holds on a FileStorage for its whole life (`Data.fs.lock`).

use mhost_sdk::files::{Lock, Metadata};
use mhost_sdk::{Context, Doing as _, Error, Failure};

/// Where a file's lock lies.
pub fn path(file: &str) -> String {
    format!("{file}.lock")
}

/// Takes the lock of a file that is to be replaced, so that no server starts meanwhile; makes it where there is none. It
/// stays there after the run, as after a server's: removing it would let two processes hold one each.
pub fn take<'h>(
    context: &'h Context,
    file: &str,
    like: &Metadata,
) -> Result<Option<Box<dyn Lock + 'h>>, Failure> {
    let path = path(file);
    let there = context.files().stat_optional(&path);
    if there.doing(|| format!("look at {path}"))?.is_none() {
        make(context, &path, like)?;
        if context.dry_run() {
            return Ok(None);
        }
    }
    let busy = || {
        format!(
            "{file} is open: a server, or another run of mhost, holds {path}, and packing the file under it would lose what \
             it writes; pack through the server (ZEO's `zeopack`, or Zope's control panel over HTTP), stop it first, or \
             set `output` to pack into another file beside it"
        )
    };
    hold(context, &path, busy).map(Some)
}

/// Takes the lock of a file that is to be written, if there is one.
pub fn take_if_there<'h>(
    context: &'h Context,
    file: &str,
) -> Result<Option<Box<dyn Lock + 'h>>, Failure> {
    let path = path(file);
    let there = context.files().stat_optional(&path);
    if there.doing(|| format!("look at {path}"))?.is_none() {
        return Ok(None);
    }
    let busy = || {
        format!(
            "{file} is in use: a server, or another run of mhost, holds {path}; name another `output`, or try again when \
             that has ended"
        )
    };
    hold(context, &path, busy).map(Some)
}

/// With the mode and the owner of the file: a server of another user could not open it otherwise, and would not start.
fn make(context: &Context, path: &str, like: &Metadata) -> Result<(), Failure> {
    let mode = like.mode & 0o777;
    let files = context.files();
    let made = match files.make_file(path, mode, Some(like.uid), Some(like.gid)) {
        Err(Error::Failed(why)) => {
            context.warn(format!(
                "{path} does not get the owner of the file ({}:{}), so that its server may not be able to start: {why}",
                like.uid, like.gid
            ));
            files.make_file(path, mode, None, None)
        }
        outcome => outcome,
    };
    match made {
        Ok(()) | Err(Error::Exists(_) | Error::DryRun(_)) => Ok(()),
        Err(error) => Err(error).doing(|| format!("make {path}")),
    }
}

fn hold<'h>(
    context: &'h Context,
    path: &str,
    busy: impl FnOnce() -> String,
) -> Result<Box<dyn Lock + 'h>, Failure> {
    match context.files().lock(path, true) {
        Ok(lock) => Ok(lock),
        Err(error @ Error::Busy(_)) => Err(Failure {
            message: busy(),
            ..Failure::from(error)
        }),
        Err(error) => Err(error).doing(|| format!("lock {path}")),
    }
}
