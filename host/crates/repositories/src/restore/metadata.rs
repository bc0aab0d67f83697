//! Mode, owner, times and extended attributes of what was restored.
//!
//! As with restic, owners are numbers, and who is not root keeps what he may not
//! give away; what a file system cannot hold is left out. Attributes that the snapshot
//! does not hold go, access control lists among them, which a new file may have
//! inherited: but for the labels that the system itself gives.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustic_core::jiff;
use rustic_core::repofile::Node;
use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps, XattrFlags};

use super::Problems;
use crate::backup::spot::Spot;
use crate::folder::Folder;

/// Sets everything on an open file or folder.
pub fn of_open(file: &File, node: &Node, path: &Path, problems: &Problems) {
    let through = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let note = Note { path, problems };
    let (uid, gid) = (node.meta.uid, node.meta.gid);
    note.unless_forbidden("owner", std::os::unix::fs::fchown(file, uid, gid));
    for (name, value) in attributes(node) {
        let set = rustix::fs::setxattr(&through, name, value, XattrFlags::empty());
        note.unless_unsupported(name, set.map_err(io::Error::from));
    }
    let there = Spot::Open(Arc::new(match file.try_clone() {
        Ok(file) => file,
        Err(error) => return note.unless_forbidden("attributes", Err(error)),
    }));
    for name in foreign(&there, node) {
        let removed = rustix::fs::removexattr(&through, &name).map_err(io::Error::from);
        note.unless_unsupported(&name.to_string_lossy(), removed);
    }
    // Last: a change of owner takes set-user-id away, and a list of access control that
    // comes or goes sets the group's bits.
    if let Some(mode) = node.meta.mode {
        let permissions = Permissions::from_mode(unix_mode(mode));
        note.unless_forbidden("mode", file.set_permissions(permissions));
    }
    if let Some(times) = times(node) {
        note.unless_forbidden(
            "times",
            rustix::fs::futimens(file, &times).map_err(io::Error::from),
        );
    }
}

/// Sets everything on an entry that cannot be opened: a symbolic link, a pipe.
pub fn of_entry(folder: &Folder, name: &OsStr, node: &Node, path: &Path, problems: &Problems) {
    let at = folder.at(name);
    let note = Note { path, problems };
    note.unless_forbidden("owner", lchown(&at, node.meta.uid, node.meta.gid));
    for (name, value) in attributes(node) {
        let set = rustix::fs::lsetxattr(&at, name, value, XattrFlags::empty());
        note.unless_unsupported(name, set.map_err(io::Error::from));
    }
    for name in foreign(&Spot::entry(folder, name), node) {
        let removed = rustix::fs::lremovexattr(&at, &name).map_err(io::Error::from);
        note.unless_unsupported(&name.to_string_lossy(), removed);
    }
    if let (Some(mode), false) = (node.meta.mode, node.is_symlink()) {
        note.unless_forbidden("mode", set_mode_itself(&at, unix_mode(mode)));
    }
    if let Some(times) = times(node) {
        let set = rustix::fs::utimensat(CWD, &at, &times, AtFlags::SYMLINK_NOFOLLOW);
        note.unless_forbidden("times", set.map_err(io::Error::from));
    }
}

/// Through a handle to the thing itself, so that a symbolic link put in its place
/// is not followed.
fn set_mode_itself(at: &Path, mode: u32) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW;
    let handle = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(at)?;
    if handle.metadata()?.is_symlink() {
        return Err(io::Error::other("a symbolic link has taken its place"));
    }
    let through = format!("/proc/self/fd/{}", handle.as_raw_fd());
    fs::set_permissions(through, Permissions::from_mode(mode))
}

struct Note<'a> {
    path: &'a Path,
    problems: &'a Problems,
}

impl Note<'_> {
    fn unless_forbidden(&self, what: &str, result: io::Result<()>) {
        let Err(error) = result else { return };
        let root = rustix::process::geteuid().is_root();
        if root || error.kind() != io::ErrorKind::PermissionDenied {
            self.problems.note(self.path, what, &error);
        }
    }

    fn unless_unsupported(&self, name: &str, result: io::Result<()>) {
        match result {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            result => self.unless_forbidden(&format!("attribute {name}"), result),
        }
    }
}

fn attributes(node: &Node) -> impl Iterator<Item = (&str, &[u8])> {
    let all = node.meta.extended_attributes.iter();
    all.map(|one| (one.name.as_str(), one.value.as_deref().unwrap_or_default()))
}

/// What is there and is not the node's, without the system's own labels.
fn foreign(there: &Spot, node: &Node) -> Vec<OsString> {
    let known = |name: &OsString| {
        let mut known = node.meta.extended_attributes.iter();
        known.any(|one| name.as_os_str() == OsStr::new(&one.name))
    };
    let mut names = there.attribute_names();
    names.retain(|name| !known(name) && !is_label(name));
    names
}

/// What the system gives each file by its place: SELinux's label and its like, and
/// what a file system inherits to new files. It does not belong to what is restored.
pub fn is_label(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"security.") && name != b"security.capability" || name.starts_with(b"btrfs.")
}

fn times(node: &Node) -> Option<Timestamps> {
    let modified = node.meta.mtime?;
    Some(Timestamps {
        last_access: timespec(node.meta.atime.unwrap_or(modified)),
        last_modification: timespec(modified),
    })
}

/// The system counts nanoseconds forward, also before 1970.
fn timespec(time: jiff::Timestamp) -> Timespec {
    let total = time.as_nanosecond();
    Timespec {
        tv_sec: i64::try_from(total.div_euclid(1_000_000_000)).unwrap_or_default(),
        tv_nsec: i64::try_from(total.rem_euclid(1_000_000_000)).unwrap_or_default(),
    }
}

/// The permission bits of a mode as Go numbers it.
pub fn unix_mode(go: u32) -> u32 {
    let special = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
    let special = special.iter().filter(|(bit, _)| go & bit != 0);
    special.fold(go & 0o777, |sum, (_, unix)| sum | unix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (go, unix) in [(0o644, 0o644), (0x8010_01ff, 0o1777), (0x00c0_01ed, 0o6755)] {
            assert_eq!(unix_mode(go), unix, "{go:x}");
        }
    }

    #[test]
    fn labels_stay() {
        for (name, stays) in [
            ("security.selinux", true),
            ("security.SMACK64", true),
            ("btrfs.compression", true),
            ("security.capability", false),
            ("user.x", false),
            ("system.posix_acl_access", false),
        ] {
            assert_eq!(is_label(OsStr::new(name)), stays, "{name}");
        }
    }

    #[test]
    fn times_before_1970() {
        let spec = |seconds, nanoseconds| {
            let spec = timespec(jiff::Timestamp::new(seconds, nanoseconds).unwrap());
            (spec.tv_sec, spec.tv_nsec)
        };
        assert_eq!(spec(5, 7), (5, 7));
        assert_eq!(spec(-5, -7), (-6, 999_999_993));
        assert_eq!(spec(0, -1), (-1, 999_999_999));
    }
}
