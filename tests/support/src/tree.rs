//! Whether two trees of files are the same: names, kinds, modes, modification
//! times, link targets, contents, hard links, owners, extended attributes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Panics with all differences (at most 20) unless both trees are the same. The
/// roots themselves are not compared, only what lies below them.
#[track_caller]
pub fn assert_same_tree(left: &Path, right: &Path) {
    let differences = tree_differences(left, right);
    let shown: Vec<_> = differences.iter().take(20).collect();
    assert!(
        differences.is_empty(),
        "{} and {} differ in {} places: {shown:#?}",
        left.display(),
        right.display(),
        differences.len()
    );
}

/// One line for each difference; empty where there is none.
pub fn tree_differences(left: &Path, right: &Path) -> Vec<String> {
    let (left, right) = (read_tree(left), read_tree(right));
    let mut found: Vec<String> = left
        .iter()
        .filter_map(|(name, entry)| differing(name, entry, right.get(name)))
        .collect();
    let extra = right.keys().filter(|name| !left.contains_key(*name));
    found.extend(extra.map(|name| format!("{}: only on the right", name.display())));
    found
}

/// A file's path below the root, its mode, its time in seconds and its content.
pub type File = (PathBuf, u32, i64, Vec<u8>);

/// The files of a tree, whatever their folders are like.
pub fn files(root: &Path) -> Vec<File> {
    let whole = read_tree(root).into_iter();
    let file = |(name, entry): (PathBuf, Entry)| {
        let (seconds, _) = entry.modified;
        Some((name, entry.mode, seconds, entry.content?))
    };
    whole.filter_map(file).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    kind: &'static str,
    mode: u32,
    owner: (u32, u32),
    /// Of a device.
    device: Option<u64>,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    link_target: Option<PathBuf>,
    content: Option<Vec<u8>>,
    /// The first path, in order, that is the same file.
    same_as: Option<PathBuf>,
    attributes: BTreeMap<OsString, Vec<u8>>,
}

fn read_tree(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut names = Vec::new();
    collect(root, Path::new(""), &mut names);
    names.sort();
    let mut first = BTreeMap::new();
    let read = |name: PathBuf| {
        let entry = read_entry(root, &name, &mut first);
        (name, entry)
    };
    names.into_iter().map(read).collect()
}

fn collect(root: &Path, below: &Path, names: &mut Vec<PathBuf>) {
    let dir = root.join(below);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let name = below.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(root, &name, names);
        }
        names.push(name);
    }
}

fn read_entry(root: &Path, name: &Path, first: &mut BTreeMap<(u64, u64), PathBuf>) -> Entry {
    let path = root.join(name);
    let meta = path
        .symlink_metadata()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let read = || fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Entry {
        kind: kind(&meta),
        mode: if meta.is_symlink() {
            0
        } else {
            meta.mode() & 0o7777
        },
        owner: (meta.uid(), meta.gid()),
        device: (kind(&meta) == "device").then(|| meta.rdev()),
        modified: (meta.mtime(), meta.mtime_nsec()),
        link_target: meta
            .is_symlink()
            .then(|| fs::read_link(&path).unwrap_or_default()),
        content: meta.is_file().then(read),
        same_as: (meta.is_file() && meta.nlink() > 1).then(|| {
            let id = (meta.dev(), meta.ino());
            first
                .entry(id)
                .or_insert_with(|| name.to_path_buf())
                .clone()
        }),
        attributes: attributes(&path),
    }
}

fn kind(meta: &Metadata) -> &'static str {
    let kind = meta.file_type();
    match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "directory",
        () if kind.is_symlink() => "symbolic link",
        () if kind.is_fifo() => "fifo",
        () if kind.is_socket() => "socket",
        () => "device",
    }
}

/// Those that a user may set, with access control lists; the system's own differ from place
/// to place.
fn attributes(path: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let mut names = vec![0; 64 * 1024];
    let length = rustix::fs::llistxattr(path, &mut names).unwrap_or(0);
    let names = names[..length].split(|byte| *byte == 0);
    names
        .filter(|name| name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_"))
        .map(std::ffi::OsStr::from_bytes)
        .map(|name| {
            let mut value = vec![0; 64 * 1024];
            let length = rustix::fs::lgetxattr(path, name, &mut value).unwrap_or(0);
            value.truncate(length);
            (name.to_owned(), value)
        })
        .collect()
}

fn differing(name: &Path, left: &Entry, right: Option<&Entry>) -> Option<String> {
    let name = name.display();
    let Some(right) = right else {
        return Some(format!("{name}: only on the left"));
    };
    let mut what = Vec::new();
    let mut note = |same: bool, text: String| {
        if !same {
            what.push(text);
        }
    };
    note(
        left.kind == right.kind,
        format!("{} ≠ {}", left.kind, right.kind),
    );
    note(
        left.mode == right.mode,
        format!("mode {:o} ≠ {:o}", left.mode, right.mode),
    );
    note(
        left.owner == right.owner,
        format!("owner {:?} ≠ {:?}", left.owner, right.owner),
    );
    note(
        left.modified == right.modified,
        format!("modified {:?} ≠ {:?}", left.modified, right.modified),
    );
    note(
        left.link_target == right.link_target,
        format!("link {:?} ≠ {:?}", left.link_target, right.link_target),
    );
    note(left.content == right.content, "content".to_owned());
    note(
        left.same_as == right.same_as,
        format!("hard link of {:?} ≠ {:?}", left.same_as, right.same_as),
    );
    note(left.attributes == right.attributes, "attributes".to_owned());
    (!what.is_empty()).then(|| format!("{name}: {}", what.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn sample(root: &Path) {
        fs::create_dir(root.join("dir")).unwrap();
        fs::write(root.join("dir/file"), "content").unwrap();
        fs::hard_link(root.join("dir/file"), root.join("other")).unwrap();
        symlink("dir/file", root.join("link")).unwrap();
        let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        for name in ["dir/file", "dir"] {
            let file = fs::File::open(root.join(name)).unwrap();
            file.set_times(times).unwrap();
        }
        let flag = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        let zero = rustix::fs::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let times = rustix::fs::Timestamps {
            last_access: zero,
            last_modification: zero,
        };
        rustix::fs::utimensat(rustix::fs::CWD, root.join("link"), &times, flag).unwrap();
    }

    #[test]
    fn equal_trees() {
        let (left, right) = (scratch("tree"), scratch("tree"));
        sample(left.path());
        sample(right.path());
        assert_same_tree(left.path(), right.path());
    }

    /// Each change is found, and named.
    #[test]
    fn every_aspect_counts() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 7] = [
            ("only on the right", |root| {
                fs::write(root.join("new"), "").unwrap()
            }),
            ("only on the left", |root| {
                fs::remove_file(root.join("link")).unwrap()
            }),
            ("content", |root| {
                let file = fs::File::options()
                    .write(true)
                    .open(root.join("other"))
                    .unwrap();
                file.set_len(3).unwrap();
            }),
            ("mode", |root| {
                fs::set_permissions(root.join("dir"), fs::Permissions::from_mode(0o700)).unwrap();
            }),
            ("modified", |root| {
                let file = fs::File::open(root.join("dir")).unwrap();
                let later = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1);
                file.set_times(fs::FileTimes::new().set_modified(later))
                    .unwrap();
            }),
            ("link", |root| {
                fs::remove_file(root.join("link")).unwrap();
                symlink("elsewhere", root.join("link")).unwrap();
            }),
            ("hard link", |root| {
                fs::remove_file(root.join("other")).unwrap();
                fs::write(root.join("other"), "content").unwrap();
            }),
        ];
        for (word, change) in changes {
            let (left, right) = (scratch("tree"), scratch("tree"));
            sample(left.path());
            sample(right.path());
            change(right.path());
            let found = tree_differences(left.path(), right.path()).join("\n");
            assert!(found.contains(word), "{word}: {found}");
        }
    }
}
