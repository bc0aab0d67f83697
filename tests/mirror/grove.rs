//! Makes trees that are the same each time: contents, modes and times are given.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

/// A time in 2023, in seconds.
pub const T: i64 = 1_700_000_000;

/// A tree that is being made.
pub struct Grove {
    root: PathBuf,
}

impl Grove {
    pub fn new(root: &Path) -> Self {
        fs::create_dir_all(root).unwrap();
        let root = root.to_owned();
        Self { root }
    }

    pub fn path(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.root.join(OsStr::from_bytes(name.as_ref()))
    }

    fn parents(&self, name: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// A file with this content and time of modification.
    pub fn file(&self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>, time: i64) -> &Self {
        let path = self.parents(name.as_ref());
        fs::write(&path, content).unwrap();
        self.time(name, time, 0)
    }

    pub fn folder(&self, name: impl AsRef<[u8]>) -> &Self {
        fs::create_dir_all(self.path(name)).unwrap();
        self
    }

    pub fn link(&self, name: impl AsRef<[u8]>, text: impl AsRef<[u8]>, time: i64) -> &Self {
        let path = self.parents(name.as_ref());
        symlink(OsStr::from_bytes(text.as_ref()), path).unwrap();
        self.time(name, time, 0)
    }

    pub fn hard_link(&self, old: &str, new: &str) -> &Self {
        let path = self.parents(new.as_bytes());
        fs::hard_link(self.path(old), path).unwrap();
        self
    }

    pub fn fifo(&self, name: &str, mode: u32) -> &Self {
        let path = self.parents(name.as_bytes());
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(CWD, &path, kind, rustix::fs::Mode::from_raw_mode(mode), 0).unwrap();
        self.mode(name, mode).time(name, T, 0)
    }

    pub fn mode(&self, name: impl AsRef<[u8]>, mode: u32) -> &Self {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    pub fn owner(&self, name: impl AsRef<[u8]>, uid: u32, gid: u32) -> &Self {
        std::os::unix::fs::lchown(self.path(name), Some(uid), Some(gid)).unwrap();
        self
    }

    pub fn attribute(&self, name: &str, key: &str, value: &[u8]) -> &Self {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::lsetxattr(self.path(name), key, value, flags).unwrap();
        self
    }

    pub fn time(&self, name: impl AsRef<[u8]>, seconds: i64, nanoseconds: i64) -> &Self {
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        let path = self.path(name);
        rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        self
    }

    /// A file with holes: data of so many bytes at each place.
    pub fn sparse(&self, name: &str, size: u64, data: &[(u64, usize)]) -> &Self {
        use std::os::unix::fs::FileExt as _;
        let path = self.parents(name.as_bytes());
        let file = fs::File::create(path).unwrap();
        file.set_len(size).unwrap();
        for (at, length) in data {
            file.write_all_at(&vec![7; *length], *at).unwrap();
        }
        self.time(name, T, 0)
    }

    /// Gives all directories a time, the root included: what was made in them changed it.
    pub fn settle(&self) {
        settle(&self.root);
    }
}

fn settle(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() {
            settle(&path);
        }
    }
    let time = Timespec {
        tv_sec: T - 5000,
        tv_nsec: 123_456_789,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, folder, &times, AtFlags::empty()).unwrap();
}

/// Something of everything.
pub fn mixed(grove: &Grove) {
    grove
        .file("a", "one", T)
        .file("deep/er/b", "two", T + 1)
        .file("deep/c.tmp", "three", T + 2)
        .file("empty", "", T)
        .folder("hollow/inside")
        .link("link", "deep/er/b", T + 3)
        .link("dangling", "../nowhere", T + 4)
        .mode("a", 0o640)
        .mode("deep/c.tmp", 0o4755)
        .mode("hollow", 0o1777);
}

/// An older state of [`mixed`], with what is not in it.
pub fn older(grove: &Grove) {
    grove
        .file("a", "old", T - 100)
        .file("deep/er/b", "two", T + 1)
        .file("deep/extra", "extra", T)
        .file("gone/x", "gone", T)
        .file("gone/y/z", "gone", T)
        .link("link", "elsewhere", T)
        .mode("deep", 0o700);
}
