//! What a directory tree looks like, in a few bytes: two looks differ where a file or folder
//! came, went, or was changed between them. Nothing is read but names and metadata.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use mhost_model::Instant;
use sha2::{Digest as _, Sha256};

/// One look at a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Print {
    /// Where it is, and what it looks like: two hashes, one behind the other.
    pub mark: Vec<u8>,
    /// When the newest of its files was changed.
    pub newest: Option<Instant>,
}

/// As many bytes of a mark say where the tree is.
const PLACE: usize = 16;

impl Print {
    /// Whether a remembered mark is of this place.
    pub fn same_place(&self, mark: &[u8]) -> bool {
        mark.get(..PLACE) == self.mark.get(..PLACE)
    }
}

/// Looks at a tree. Links are not followed; what goes away meanwhile was not there.
pub fn look(root: &Path) -> io::Result<Print> {
    let mut look = Look {
        hash: Sha256::new(),
        newest: None,
    };
    if !fs::metadata(root)?.is_dir() {
        return Err(io::Error::other("it is no directory"));
    }
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        folders.extend(look.folder(root, &folder)?);
    }
    let place = Sha256::digest(root.as_os_str().as_bytes());
    let mut mark = place[..PLACE].to_vec();
    mark.extend(&look.hash.finalize()[..]);
    let newest = look.newest;
    Ok(Print { mark, newest })
}

struct Look {
    hash: Sha256,
    newest: Option<Instant>,
}

impl Look {
    /// Notes the entries of a folder in the order of their names; answers the folders in it.
    fn folder(&mut self, root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(root.join(folder)) {
            Ok(entries) => entries,
            Err(error) if folder.as_os_str().is_empty() => return Err(error),
            Err(error) => {
                self.note(folder, format!("{:?}", error.kind()).as_bytes());
                return Ok(Vec::new());
            }
        };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort();
        let mut folders = Vec::new();
        for name in names {
            let path = folder.join(name);
            let Ok(found) = fs::symlink_metadata(root.join(&path)) else {
                continue;
            };
            self.entry(&path, &found);
            if found.is_dir() {
                folders.push(path);
            }
        }
        Ok(folders)
    }

    /// A folder's times change with what is in it, so they would say everything twice.
    fn entry(&mut self, path: &Path, found: &Metadata) {
        let mut what = found.mode().to_le_bytes().to_vec();
        if !found.is_dir() {
            what.extend(found.ino().to_le_bytes());
            what.extend(found.size().to_le_bytes());
            for time in [
                found.mtime(),
                found.mtime_nsec(),
                found.ctime(),
                found.ctime_nsec(),
            ] {
                what.extend(time.to_le_bytes());
            }
        }
        let nanos = u32::try_from(found.ctime_nsec()).unwrap_or_default();
        let changed = Instant::from_timestamp(found.ctime(), nanos);
        self.newest = self.newest.max(changed);
        self.note(path, &what);
    }

    fn note(&mut self, path: &Path, what: &[u8]) {
        let name = path.as_os_str().as_bytes();
        self.hash.update((name.len() as u64).to_le_bytes());
        self.hash.update(name);
        self.hash.update((what.len() as u64).to_le_bytes());
        self.hash.update(what);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_kind_of_change_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let mut marks = vec![look(root).unwrap().mark];
        let mut changed = |what: &str| {
            let mark = look(root).unwrap().mark;
            assert_eq!(look(root).unwrap().mark, mark, "{what}: two looks differ");
            assert!(!marks.contains(&mark), "{what} was not seen");
            marks.push(mark);
        };
        fs::write(root.join("a"), "1").unwrap();
        changed("a new file");
        fs::write(root.join("a"), "22").unwrap();
        changed("a change");
        fs::create_dir(root.join("d")).unwrap();
        changed("a new folder");
        fs::rename(root.join("a"), root.join("d/a")).unwrap();
        changed("a move");
        std::os::unix::fs::symlink("d/a", root.join("l")).unwrap();
        changed("a new link");
        fs::remove_file(root.join("d/a")).unwrap();
        changed("a removal");
    }

    #[test]
    fn a_place_is_part_of_the_mark_and_a_missing_one_is_no_change() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (first, second) = (look(one.path()).unwrap(), look(two.path()).unwrap());
        assert!(first.same_place(&first.mark) && !first.same_place(&second.mark));
        assert!(look(&one.path().join("gone")).is_err());
        fs::write(one.path().join("file"), "").unwrap();
        assert!(look(&one.path().join("file")).is_err());
    }
}
