//! Opening a file when its turn comes, on another thread and a while after the walk
//! saw it.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::spot::Spot;
use crate::filestorage::{self, Storage};

/// A file to be read.
#[derive(Debug)]
pub struct Content {
    pub spot: Spot,
    /// Where it stands in the snapshot.
    pub path: PathBuf,
    /// As the walk saw it.
    pub seen: Metadata,
    /// Of a ZODB file storage, where it was complete.
    pub storage: Option<u64>,
}

/// An open file, and what of it belongs into the snapshot.
#[derive(Debug)]
pub struct Body {
    pub file: File,
    /// Bytes from its beginning, if there are as many.
    pub limit: u64,
    /// Whether it has holes.
    pub sparse: bool,
}

impl Content {
    /// Of a file that grew meanwhile, the part that was there: it fits the size in
    /// the snapshot. Of one that another took the place of, that other as a whole.
    pub fn open(&self) -> io::Result<Body> {
        let file = self.spot.file()?;
        let now = file.metadata()?;
        if !now.is_file() {
            return Err(io::Error::other("it is no longer a file"));
        }
        let same = (now.dev(), now.ino()) == (self.seen.dev(), self.seen.ino());
        let limit = match (same, self.storage) {
            (true, Some(end)) => end,
            (true, None) => self.seen.len(),
            (false, Some(_)) => complete(&file, now.len())?,
            (false, None) => u64::MAX,
        };
        Ok(Body {
            file,
            limit,
            sparse: now.blocks() * 512 < now.len(),
        })
    }
}

/// Of a storage that took another's place, as when it was packed.
fn complete(file: &File, length: u64) -> io::Result<u64> {
    Ok(match filestorage::look(file, length)? {
        Some(Storage::Complete { end, .. }) => end,
        Some(Storage::Broken { .. }) | None => u64::MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_test_support::scratch;
    use std::fs;
    use std::io::Read;

    fn content(path: &std::path::Path) -> Content {
        let spot = Spot::find(path).unwrap();
        Content {
            seen: spot.metadata().unwrap(),
            spot,
            path: PathBuf::from("/stand"),
            storage: None,
        }
    }

    fn read(content: &Content) -> String {
        let mut text = String::new();
        let body = content.open().unwrap();
        body.file
            .take(body.limit)
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn a_file_that_changes_meanwhile() {
        let dir = scratch("reader");
        let path = dir.path().join("file");
        let check = |change: &dyn Fn(), expected: &str| {
            fs::write(&path, "1234").unwrap();
            let content = content(&path);
            change();
            assert_eq!(read(&content), expected);
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
    }

    #[test]
    fn gone_and_another_kind_are_errors() {
        let dir = scratch("reader");
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        let content = content(&path);
        fs::remove_file(&path).unwrap();
        assert_eq!(content.open().unwrap_err().kind(), io::ErrorKind::NotFound);
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(content.open().is_err());
    }
}
