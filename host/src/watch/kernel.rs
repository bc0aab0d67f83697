//! The kernel's notices that something below a directory changed. They only say when to look: what
//! a notice was of is not kept, and one too many costs a look. So this needs of inotify only
//! the little that `rustix` hands on, and no thread of its own.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use mhost_model::TaskId;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Bytes of notices that are taken at once.
const BUFFER: usize = 16 * 1024;

/// Folders that are watched.
pub struct Kernel {
    notices: AsyncFd<OwnedFd>,
    /// By the kernel's number; one folder may be watched for several tasks.
    folders: HashMap<i32, Vec<(TaskId, PathBuf)>>,
    /// The trees that are watched whole. One whose root went, or moved away, is none any
    /// more, whatever stands in its place by now.
    roots: HashMap<TaskId, PathBuf>,
}

/// One notice.
struct Notice {
    folder: i32,
    what: ReadFlags,
    name: Option<OsString>,
}

impl Kernel {
    pub fn new() -> io::Result<Self> {
        let notices = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        // SAFETY: an `OwnedFd` always names the same descriptor, which stays open until the
        // `AsyncFd` that owns it is dropped.
        let notices = unsafe { AsyncFd::register_with_interest(notices, Interest::READABLE) };
        Ok(Self {
            notices: notices?,
            folders: HashMap::new(),
            roots: HashMap::new(),
        })
    }

    /// Watches a tree for a task, and no other one. Either all of it or nothing.
    pub fn watch(&mut self, task: TaskId, root: &Path) -> io::Result<()> {
        self.forget(task);
        let watched = self.folder(task, root, WatchFlags::empty());
        let watched = watched.and_then(|()| self.below(task, root));
        match watched {
            Ok(()) => drop(self.roots.insert(task, root.to_owned())),
            Err(_) => self.forget(task),
        }
        watched
    }

    /// Whether the tree of a task is watched.
    pub fn watches(&self, task: TaskId) -> bool {
        self.roots.contains_key(&task)
    }

    /// The folders below one that is watched already: what comes while they are gone through
    /// is noticed. What goes meanwhile was not there.
    fn below(&mut self, task: TaskId, root: &Path) -> io::Result<()> {
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                match self.folder(task, &entry.path(), WatchFlags::DONT_FOLLOW) {
                    Ok(()) => folders.push(entry.path()),
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => return Err(error),
                    Err(_) => {}
                }
            }
        }
        Ok(())
    }

    fn folder(&mut self, task: TaskId, path: &Path, flags: WatchFlags) -> io::Result<()> {
        // Reading is no change.
        let changes = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MODIFY
            | WatchFlags::MOVE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let number = inotify::add_watch(self.notices.get_ref(), path, changes | flags)?;
        let folder = (task, path.to_owned());
        let watched = self.folders.entry(number).or_default();
        if !watched.contains(&folder) {
            watched.push(folder);
        }
        Ok(())
    }

    /// Watches nothing for a task any more.
    pub fn forget(&mut self, task: TaskId) {
        self.roots.remove(&task);
        let notices = self.notices.get_ref();
        self.folders.retain(|number, watched| {
            watched.retain(|(of, _)| *of != task);
            if watched.is_empty() {
                // It may be gone already.
                let _ = inotify::remove_watch(notices, *number);
            }
            !watched.is_empty()
        });
    }

    /// Waits for notices; answers the tasks whose trees they are of.
    pub async fn noticed(&mut self) -> io::Result<BTreeSet<TaskId>> {
        let notices = self.next().await?;
        let mut tasks = BTreeSet::new();
        for notice in notices {
            if notice.what.contains(ReadFlags::QUEUE_OVERFLOW) {
                let all = self.folders.values().flatten();
                tasks.extend(all.map(|(task, _)| *task));
                // Folders may have come that are not watched.
                self.roots.clear();
                continue;
            }
            let watched = match notice.what.contains(ReadFlags::IGNORED) {
                true => self.folders.remove(&notice.folder),
                false => self.folders.get(&notice.folder).cloned(),
            };
            let gone = ReadFlags::IGNORED | ReadFlags::MOVE_SELF;
            for (task, folder) in watched.unwrap_or_default() {
                tasks.insert(task);
                if notice.what.intersects(gone) && self.roots.get(&task) == Some(&folder) {
                    self.roots.remove(&task);
                }
                if let (true, Some(name)) = (notice.what.contains(ReadFlags::ISDIR), &notice.name) {
                    self.came(task, &folder.join(name));
                }
            }
        }
        Ok(tasks)
    }

    /// A folder may have come; one that cannot be watched is looked at with the rest.
    fn came(&mut self, task: TaskId, folder: &Path) {
        let watched = self.folder(task, folder, WatchFlags::DONT_FOLLOW);
        if let Err(error) = watched.and_then(|()| self.below(task, folder)) {
            tracing::debug!(folder = %folder.display(), %error, "a new folder is not watched");
        }
    }

    async fn next(&self) -> io::Result<Vec<Notice>> {
        loop {
            let mut ready = self.notices.readable().await?;
            let (notices, drained) = read(self.notices.get_ref())?;
            if drained {
                ready.clear_ready();
            }
            if !notices.is_empty() {
                return Ok(notices);
            }
        }
    }
}

/// What there is, and whether that is all.
fn read(notices: &OwnedFd) -> io::Result<(Vec<Notice>, bool)> {
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut reader = Reader::new(notices, &mut buffer);
    let mut found = Vec::new();
    loop {
        match reader.next() {
            Ok(event) => {
                let name = event.file_name();
                found.push(Notice {
                    folder: event.wd(),
                    what: event.events(),
                    name: name.map(|name| std::ffi::OsStr::from_bytes(name.to_bytes()).to_owned()),
                });
            }
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => return Ok((found, true)),
            Err(error) => return Err(error.into()),
        }
        if found.len() >= BUFFER {
            return Ok((found, false));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn changes_anywhere_below_are_noticed_and_reading_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        let mut kernel = Kernel::new().unwrap();
        let (one, two) = (TaskId(1), TaskId(2));
        kernel.watch(one, root).unwrap();
        kernel.watch(two, &root.join("a")).unwrap();
        fs::write(root.join("top"), "1").unwrap();
        assert_eq!(kernel.noticed().await.unwrap(), [one].into());
        fs::write(root.join("a/b/deep"), "1").unwrap();
        assert_eq!(kernel.noticed().await.unwrap(), [one, two].into());
        // Also in a folder that came later.
        fs::create_dir(root.join("new")).unwrap();
        assert_eq!(kernel.noticed().await.unwrap(), [one].into());
        fs::read(root.join("top")).unwrap();
        fs::write(root.join("new/file"), "1").unwrap();
        assert_eq!(kernel.noticed().await.unwrap(), [one].into());
        kernel.forget(one);
        fs::write(root.join("top"), "2").unwrap();
        fs::remove_dir_all(root.join("a")).unwrap();
        assert_eq!(kernel.noticed().await.unwrap(), [two].into());
        assert!(kernel.watch(one, &root.join("gone")).is_err());
        assert!(!kernel.watches(one));
    }

    #[tokio::test]
    async fn a_root_that_was_replaced_is_not_watched_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let (root, aside) = (folder.path().join("root"), folder.path().join("aside"));
        let task = TaskId(1);
        let mut kernel = Kernel::new().unwrap();
        for replace in [
            (|root, aside| fs::rename(root, aside).unwrap()) as fn(&Path, &Path),
            |root, _| fs::remove_dir(root).unwrap(),
        ] {
            fs::create_dir(&root).unwrap();
            kernel.watch(task, &root).unwrap();
            assert!(kernel.watches(task));
            replace(&root, &aside);
            fs::create_dir(&root).unwrap();
            assert_eq!(kernel.noticed().await.unwrap(), [task].into());
            assert!(!kernel.watches(task));
            kernel.watch(task, &root).unwrap();
            fs::write(root.join("file"), "1").unwrap();
            assert_eq!(kernel.noticed().await.unwrap(), [task].into());
            assert!(kernel.watches(task));
            fs::remove_dir_all(&root).unwrap();
            kernel.noticed().await.unwrap();
        }
    }
}
