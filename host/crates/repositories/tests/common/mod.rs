//! What the tests of repositories share: a repository in a scratch folder, and a
//! tree with everything that a file system can hold.

#![allow(dead_code)] // Each test target uses a part of it.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::ports::remote::{Remote, Remotes};
use mhost_model::ports::repository::{
    BackupOptions, BackupSummary, Repositories, Repository, Source,
};
use mhost_model::resource::Endpoint;
use mhost_model::{Fault, FaultResult, Instant, Name};
use mhost_repositories::ManagedRepositories;
use mhost_test_support::{noise, scratch};
use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, XattrFlags};

pub const PASSWORD: &str = "correct horse";

/// A folder with a repository's place in it.
pub struct Bench {
    pub dir: tempfile::TempDir,
    /// Opened once: making a key of a password takes most of a test's time.
    opened: OnceCell<Box<dyn Repository>>,
}

impl Bench {
    pub fn new() -> Self {
        let dir = scratch("repository");
        fs::create_dir(dir.path().join("source")).unwrap();
        Self {
            dir,
            opened: OnceCell::new(),
        }
    }

    pub fn with_repository() -> Self {
        let bench = Self::new();
        let created = bench.repositories().create(&name(), PASSWORD).unwrap();
        assert!(bench.opened.set(created).is_ok());
        bench
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn repo_path(&self) -> PathBuf {
        self.path("repo")
    }

    pub fn source(&self) -> PathBuf {
        self.path("source")
    }

    /// A file of the source, with the folders that it needs.
    pub fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.source().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn repositories(&self) -> ManagedRepositories {
        repositories(self.repo_path().to_str().unwrap())
    }

    pub fn open(&self) -> &dyn Repository {
        let open = || self.repositories().open(&name(), PASSWORD).unwrap();
        &**self.opened.get_or_init(open)
    }

    /// Of the whole source, which stands where it lies.
    pub fn backup(&self) -> BackupSummary {
        self.backup_at(noon(0)).unwrap()
    }

    pub fn backup_at(&self, now: Instant) -> FaultResult<BackupSummary> {
        self.open()
            .backup(&[same(&self.source())], &BackupOptions::default(), now)
    }

    pub fn locks(&self) -> usize {
        locks(&self.repo_path())
    }

    /// All pack files.
    pub fn packs(&self) -> Vec<PathBuf> {
        packs(&self.repo_path())
    }

    /// How a snapshot's folder of the source is named for a restore.
    pub fn latest_source(&self) -> String {
        format!("latest:{}", self.source().display())
    }
}

pub fn name() -> Name {
    "site".parse().unwrap()
}

pub fn repositories(url: &str) -> ManagedRepositories {
    let def = Endpoint::at(url).into();
    ManagedRepositories::new([(name(), def)].into(), None, Arc::new(Nowhere))
}

/// No remote storage.
struct Nowhere;

impl Remotes for Nowhere {
    fn open(&self, name: &Name) -> FaultResult<Box<dyn Remote>> {
        Err(Fault::NotFound(format!("there is no remote `{name}`")))
    }
}

/// Lock files, without one that is just being written.
pub fn locks(repo: &Path) -> usize {
    let Ok(entries) = fs::read_dir(repo.join("locks")) else {
        return 0;
    };
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.len() == 64).count()
}

pub fn packs(repo: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(repo.join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = folders
        .filter(|path| path.is_dir())
        .flat_map(|path| fs::read_dir(path).unwrap());
    files.map(|entry| entry.unwrap().path()).collect()
}

/// Noon of a day after the first of January 2024, UTC.
pub fn noon(days: i64) -> Instant {
    Instant::from_timestamp(1_704_110_400 + days * 86_400, 0).unwrap()
}

/// A source that stands where it is read.
pub fn same(path: &Path) -> Source {
    at(path, path)
}

pub fn at(read: &Path, stand: &Path) -> Source {
    Source {
        read: read.to_path_buf(),
        stand: stand.to_path_buf(),
    }
}

/// A link whose target is no text; restic knows such ones from 0.16 on.
pub fn furnish_oddly(root: &Path) {
    symlink(OsStr::from_bytes(b"\xff\xfe"), root.join("to no text")).unwrap();
}

/// Odd names, links of both kinds, a hole, odd modes and times, a pipe, attributes, access control
/// lists; for root also other owners and a device.
pub fn furnish(root: &Path) {
    fs::create_dir_all(root.join("deep/er/still")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("empty.txt"), "").unwrap();
    fs::write(root.join("deep/er/still/large"), noise(5 << 20, 1)).unwrap();
    for (index, odd) in odd_names().iter().enumerate() {
        fs::write(root.join(odd), index.to_string()).unwrap();
    }
    sparse(&root.join("sparse"));
    fs::hard_link(root.join("empty.txt"), root.join("deep/empty-too")).unwrap();
    fs::hard_link(root.join("deep/er/still/large"), root.join("also large")).unwrap();
    symlink("deep/er", root.join("to a folder")).unwrap();
    symlink("/no/such/file", root.join("dangling")).unwrap();
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(CWD, root.join("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    attribute(&root.join("sparse"));
    control(&root.join("also large"), "system.posix_acl_access");
    control(&root.join("deep/er"), "system.posix_acl_default");
    if rustix::process::geteuid().is_root() {
        foreign(root);
    }
    for (file, mode) in [
        ("sparse", 0o4751),
        ("empty", 0o1777),
        ("deep", 0o2750),
        ("pipe", 0o640),
    ] {
        fs::set_permissions(root.join(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    for (file, seconds, nanoseconds) in [
        ("empty.txt", -5, 250_000_000),
        ("sparse", 1_000_000_000, 123_456_789),
        ("dangling", 1, 2),
        ("deep/er", 946_684_800, 1),
        ("empty", 0, 0),
    ] {
        set_time(&root.join(file), seconds, nanoseconds);
    }
}

fn odd_names() -> Vec<PathBuf> {
    let bytes: [&[u8]; 9] = [
        b" ",
        b"-rf",
        b"new\nline",
        b"quote\"back\\slash",
        b"\xffno text\xfe",
        "ünïcödé 🦀".as_bytes(),
        b"*[a]?{b}",
        b"tab\tbell\x07",
        b"con:colon",
    ];
    bytes
        .iter()
        .map(|name| PathBuf::from(OsStr::from_bytes(name)))
        .collect()
}

/// 64 MiB with a few bytes in the middle.
fn sparse(path: &Path) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::create(path).unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_all_at(b"an island", 30 << 20).unwrap();
}

/// What only root may make.
fn foreign(root: &Path) {
    use std::os::unix::fs::lchown;
    lchown(root.join("also large"), Some(1234), Some(5678)).unwrap();
    lchown(root.join("dangling"), Some(4_000_000_000), Some(1)).unwrap();
    lchown(root.join("empty"), Some(0), Some(65_534)).unwrap();
    let device = rustix::fs::makedev(1, 3);
    let mode = Mode::from_raw_mode(0o620);
    let kind = rustix::fs::FileType::CharacterDevice;
    rustix::fs::mknodat(CWD, root.join("device"), kind, mode, device).unwrap();
}

/// An access control list with a user of its own, as the system keeps it: version 2, then
/// entries of a tag, permissions and an id. Not every file system has them.
pub fn control(path: &Path, name: &str) {
    let none = u32::MAX;
    let entries = [
        (1, 6, none),
        (2, 4, 1234),
        (4, 4, none),
        (16, 4, none),
        (32, 0, none),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        list.extend(u16::to_le_bytes(tag));
        list.extend(u16::to_le_bytes(permissions));
        list.extend(u32::to_le_bytes(id));
    }
    let _ = rustix::fs::setxattr(path, name, &list, XattrFlags::empty());
}

/// Not every file system has them.
fn attribute(path: &Path) {
    let _ = rustix::fs::setxattr(path, "user.mhost", b"\x00value\xff", XattrFlags::empty());
}

pub fn set_time(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}
