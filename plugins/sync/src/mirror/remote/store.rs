//! An end that is a folder of a granted remote.

use mhost_sdk::files::Moment;
use mhost_sdk::remote::{Metadata, Remote};
use mhost_sdk::{Error, Failure, Optional as _, Result};

use super::place::{Entry, Pieces, Place, Tree};
use crate::mirror::stream::{Path, parent};

/// Entries of one page.
const PAGE: u32 = 1000;
/// Bytes of one piece.
const PIECE: u32 = 256 << 10;

/// See the module.
pub struct Store<'c> {
    remote: Box<dyn Remote + 'c>,
    name: &'c str,
    folder: &'c str,
}

impl<'c> Store<'c> {
    /// `name` is the end as the configuration has it, `folder` what of it is on the remote.
    pub fn new(remote: Box<dyn Remote + 'c>, name: &'c str, folder: &'c str) -> Self {
        let folder = folder.trim_matches('/');
        Self {
            remote,
            name,
            folder,
        }
    }

    fn path(&self, path: &str) -> String {
        match self.folder {
            "" => path.to_owned(),
            folder => format!("{folder}/{path}"),
        }
    }

    fn pages(&self, mut take: impl FnMut(String, Metadata)) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let page = self
                .remote
                .listing(self.folder, true, after.as_deref(), PAGE)?;
            let whole = page.len() < PAGE as usize;
            after = page.last().map(|entry| entry.path.clone());
            for entry in page {
                take(entry.path, entry.metadata);
            }
            if whole || after.is_none() {
                return Ok(());
            }
        }
    }
}

fn entry(found: Metadata) -> Entry {
    Entry {
        directory: found.directory,
        implied: false,
        size: found.size,
        modified: found.modified.map(Moment::from_millis),
        changed: None,
        etag: found.etag.filter(|etag| !etag.is_empty()),
        mode: None,
    }
}

/// The folders that something lies in, where nobody listed them.
fn imply(tree: &mut Tree) {
    let mut missing = Vec::new();
    for path in tree.entries.keys() {
        let mut above = parent(&path.0);
        while !above.is_empty() {
            let above_path = Path(above.to_vec());
            if !tree.entries.contains_key(&above_path) {
                missing.push(above_path);
            }
            above = parent(above);
        }
    }
    for path in missing {
        tree.entries.entry(path).or_insert_with(|| Entry {
            directory: true,
            implied: true,
            ..Entry::default()
        });
    }
}

struct Far<'r> {
    remote: &'r dyn Remote,
    path: String,
    at: u64,
}

impl Pieces for Far<'_> {
    fn next(&mut self) -> Result<Vec<u8>> {
        let piece = self.remote.read(&self.path, self.at, PIECE)?;
        self.at += piece.len() as u64;
        Ok(piece)
    }
}

impl Place for Store<'_> {
    fn name(&self) -> &str {
        self.name
    }

    /// An object store has no folder that nothing lies in: there, what is missing is empty.
    fn list(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        let skip = match self.folder {
            "" => 0,
            folder => folder.len() + 1,
        };
        let listed = self.pages(|path, found| {
            if let Some(path) = path.get(skip..).filter(|path| !path.is_empty()) {
                let path = Path(path.as_bytes().to_vec());
                tree.entries.insert(path, entry(found));
            }
        });
        tree.there = listed.optional()?.is_some();
        imply(&mut tree);
        Ok(tree)
    }

    fn stat(&self, path: &str) -> Result<Entry> {
        self.remote.stat(&self.path(path)).map(entry)
    }

    fn open(&self, path: &str) -> Result<Box<dyn Pieces + '_>> {
        Ok(Box::new(Far {
            remote: &*self.remote,
            path: self.path(path),
            at: 0,
        }))
    }

    fn put(
        &self,
        path: &str,
        content: &mut dyn Pieces,
        _like: &Entry,
        _there: Option<&Entry>,
        sure: &dyn Fn(u64) -> Result<()>,
    ) -> Result<u64> {
        let writer = self.remote.write(&self.path(path))?;
        let mut bytes = 0;
        loop {
            let piece = content.next()?;
            if piece.is_empty() {
                break;
            }
            bytes += piece.len() as u64;
            writer.write(&piece)?;
        }
        // Dropped before it is finished, it leaves what was there.
        sure(bytes)?;
        let written = writer.finish()?;
        match written == bytes {
            true => Ok(bytes),
            false => Err(Error::Failed(format!(
                "`{path}` arrived with {written} bytes instead of {bytes}"
            ))),
        }
    }

    fn make(&self) -> std::result::Result<(), Failure> {
        Ok(())
    }

    fn make_directory(&self, path: &str) -> Result<()> {
        self.remote.create_directory(&self.path(path))
    }

    fn remove(&self, path: &str, _directory: bool) -> Result<()> {
        self.remote.delete(&self.path(path))
    }
}
