//! Extended attributes: a digest to compare by, and carrying them from one file to
//! another. Access control lists of POSIX are attributes, too.

mod names;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// The most bytes that the kernel hands out, of names and of one value.
const MOST: usize = 64 << 10;

type All = BTreeMap<CString, Vec<u8>>;

/// A path to an entry by its folder's handle, good for this process only.
fn by_handle(folder: impl AsFd, name: &CStr) -> CString {
    let mut path = format!("/proc/self/fd/{}/", folder.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    // Neither half holds a NUL.
    CString::new(path).unwrap_or_default()
}

/// The attributes' digest; 0 where there are none, or they cannot be read.
pub(crate) fn digest_at(folder: impl AsFd, name: &CStr) -> u64 {
    if names::none_at(folder.as_fd(), name) {
        return 0;
    }
    digest(&read(&by_handle(folder, name)).unwrap_or_default())
}

/// Whether neither of two open files has any: nothing is to be carried then.
pub(crate) fn none_on(from: impl AsFd, to: impl AsFd) -> bool {
    let none = |file: std::os::fd::BorrowedFd<'_>| {
        let mut names = [0; 256];
        matches!(
            rustix::fs::flistxattr(file, &mut names),
            Ok(0) | Err(Errno::NOTSUP)
        )
    };
    none(from.as_fd()) && none(to.as_fd())
}

fn digest(all: &All) -> u64 {
    if all.is_empty() {
        return 0;
    }
    let mut hasher = blake3::Hasher::new();
    for (name, value) in all {
        hasher.update(name.to_bytes_with_nul());
        hasher.update(&(value.len() as u64).to_le_bytes());
        hasher.update(value);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first).max(1)
}

/// What belongs to a file, as opposed to what its file system says of it.
fn counts(name: &[u8]) -> bool {
    let named = |start: &[u8]| name.starts_with(start);
    named(b"user.") || named(b"trusted.") || named(b"security.") || named(b"system.posix_acl_")
}

fn read(path: &CStr) -> rustix::io::Result<All> {
    let mut names = vec![0; MOST];
    let length = rustix::fs::llistxattr(path, &mut names)?;
    let mut all = All::new();
    for name in names[..length].split(|byte| *byte == 0) {
        if !counts(name) {
            continue;
        }
        let Ok(name) = CString::new(name) else {
            continue;
        };
        let mut value = vec![0; MOST];
        match rustix::fs::lgetxattr(path, &name, &mut value) {
            Ok(length) => value.truncate(length),
            // Gone meanwhile, or not for our eyes.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS) => continue,
            Err(error) => return Err(error),
        }
        all.insert(name, value);
    }
    Ok(all)
}

/// Gives an entry exactly the attributes of another.
pub(crate) fn carry(
    (from_folder, from_name): (impl AsFd, &CStr),
    (to_folder, to_name): (impl AsFd, &CStr),
) -> rustix::io::Result<()> {
    let (from, to) = (
        by_handle(from_folder, from_name),
        by_handle(to_folder, to_name),
    );
    let wanted = unsupported_is_none(read(&from))?;
    let there = unsupported_is_none(read(&to))?;
    for name in there.keys().filter(|name| !wanted.contains_key(*name)) {
        excused(name, rustix::fs::lremovexattr(&to, name))?;
    }
    for (name, value) in &wanted {
        if there.get(name) != Some(value) {
            let set = rustix::fs::lsetxattr(&to, name, value, XattrFlags::empty());
            excused(name, set)?;
        }
    }
    Ok(())
}

fn unsupported_is_none(all: rustix::io::Result<All>) -> rustix::io::Result<All> {
    match all {
        Err(Errno::NOTSUP) => Ok(All::new()),
        all => all,
    }
}

/// What only the system's own may set is left out where this process may not.
fn excused(name: &CStr, done: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match done {
        Err(Errno::PERM | Errno::NOTSUP | Errno::INVAL)
            if !name.to_bytes().starts_with(b"user.") =>
        {
            Ok(())
        }
        Err(Errno::NODATA) => Ok(()),
        done => done,
    }
}

/// Whether the file system keeps attributes at all.
pub(crate) fn supported(folder: impl AsFd) -> bool {
    let mut names = [0; 512];
    let answer = rustix::fs::flistxattr(folder, &mut names);
    !matches!(answer, Err(Errno::NOTSUP))
}
