//! Reading a file's content when its turn comes, perhaps on another thread and a
//! while after the walk saw it.

use std::fs::{File, Metadata};
use std::io::{self, Read, Take};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustic_core::{ErrorKind, ReadSourceOpen, RusticError, RusticResult};

use super::journal::Journal;
use super::spot::Spot;

/// A file to be read.
#[derive(Debug)]
pub struct Content {
    pub spot: Spot,
    /// Where it stands in the snapshot.
    pub path: PathBuf,
    /// As the walk saw it.
    pub seen: Metadata,
    pub journal: Arc<Journal>,
}

/// The bytes of a file.
#[derive(Debug)]
pub struct Body {
    inner: Take<File>,
    path: PathBuf,
    journal: Arc<Journal>,
}

impl ReadSourceOpen for Content {
    type Reader = Body;

    fn open(self) -> RusticResult<Body> {
        self.body().map_err(|error| {
            self.journal.given_up();
            // What is gone is no gap in the snapshot.
            if error.kind() != io::ErrorKind::NotFound {
                self.journal.note(&self.path, &error);
            }
            RusticError::with_source(ErrorKind::InputOutput, "Opening a file failed.", error)
        })
    }
}

impl Content {
    /// Of a file that grew meanwhile, the part that was there: it fits the size in
    /// the snapshot. Of one that another took the place of, that other as a whole.
    fn body(&self) -> io::Result<Body> {
        let file = self.spot.file()?;
        let now = file.metadata()?;
        if !now.is_file() {
            return Err(io::Error::other("it is no longer a file"));
        }
        let same = (now.dev(), now.ino()) == (self.seen.dev(), self.seen.ino());
        let limit = if same { self.seen.len() } else { u64::MAX };
        Ok(Body {
            inner: file.take(limit),
            path: self.path.clone(),
            journal: Arc::clone(&self.journal),
        })
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.journal.given_up();
                self.journal.note(&self.path, error);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_test_support::scratch;
    use std::fs;

    fn content(path: &std::path::Path, journal: &Arc<Journal>) -> Content {
        let spot = Spot::find(path).unwrap();
        Content {
            seen: spot.metadata().unwrap(),
            spot,
            path: PathBuf::from("/stand"),
            journal: Arc::clone(journal),
        }
    }

    fn read(content: Content) -> String {
        let mut text = String::new();
        content.open().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_file_that_changes_meanwhile() {
        let dir = scratch("reader");
        let path = dir.path().join("file");
        let journal = Arc::new(Journal::default());
        let check = |change: &dyn Fn(), expected: &str| {
            fs::write(&path, "1234").unwrap();
            let content = content(&path, &journal);
            change();
            assert_eq!(read(content), expected);
        };
        check(&|| (), "1234");
        check(&|| fs::write(&path, "123456").unwrap(), "1234");
        check(&|| fs::write(&path, "12").unwrap(), "12");
        let other = dir.path().join("other");
        let replace = || {
            fs::write(&other, "other content").unwrap();
            fs::rename(&other, &path).unwrap();
        };
        check(&replace, "other content");
        assert!(journal.unread().is_empty());
    }

    /// A folder can be opened like a file, but not be read.
    #[test]
    fn a_failing_read_is_told() {
        let journal = Arc::new(Journal::default());
        let mut body = Body {
            inner: File::open("/").unwrap().take(10),
            path: PathBuf::from("/stand"),
            journal: Arc::clone(&journal),
        };
        journal.found();
        assert!(body.read(&mut [0; 10]).is_err());
        assert!(journal.unread()[0].starts_with("/stand: "));
        assert_eq!(journal.unexplained(0), None);
    }

    #[test]
    fn gone_is_silent_and_another_kind_is_told() {
        let dir = scratch("reader");
        let path = dir.path().join("file");
        let journal = Arc::new(Journal::default());
        for told in [false, true] {
            fs::write(&path, "").unwrap();
            let content = content(&path, &journal);
            fs::remove_file(&path).unwrap();
            if told {
                std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
            }
            journal.found();
            assert!(content.open().is_err());
            assert_eq!(journal.unread().len(), usize::from(told));
            assert_eq!(journal.unexplained(0), None);
        }
    }
}
