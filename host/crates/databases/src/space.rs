//! Free space, asked for before anything is written.

use std::io;
use std::path::Path;

use mhost_model::{ByteSize, Fault, FaultResult};

/// Bytes that this process may still write to the file system of `path`.
pub(crate) fn free(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// How to learn the free bytes of a path's file system; a parameter, so that a
/// full disk can be tested.
pub(crate) type Free<'a> = &'a dyn Fn(&Path) -> io::Result<u64>;

/// Refuses work that needs more room than there is, less what must stay free.
pub(crate) fn check(
    folder: &Path,
    needed: u64,
    keep_free: ByteSize,
    free: Free,
) -> FaultResult<()> {
    let there = free(folder).map_err(|error| {
        Fault::Failed(format!(
            "cannot ask for the free space of {}: {error}",
            folder.display()
        ))
    })?;
    if there.saturating_sub(keep_free.0) < needed {
        let kept = match keep_free.0 {
            0 => String::new(),
            _ => format!(", of which {keep_free} must stay so (limits.free_space),"),
        };
        return Err(Fault::Failed(format!(
            "{} has {} free{kept} and this needs up to {}: nothing was changed; free some space and try again",
            folder.display(),
            ByteSize(there),
            ByteSize(needed)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_stay_free_does_not_count() {
        let room = |keep_free| check(Path::new("/"), 100, ByteSize(keep_free), &|_| Ok(1000));
        assert!(room(900).is_ok());
        let short = room(901).unwrap_err().to_string();
        assert!(short.contains("limits.free_space"), "{short}");
        assert!(check(Path::new("/"), 1001, ByteSize(0), &|_| Ok(1000)).is_err());
    }
}
