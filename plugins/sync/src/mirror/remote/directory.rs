//! An end that is a directory of this machine.

use std::io::{Read as _, Write as _};

use mhost_sdk::files::{Changes, Files, HashAlgorithm, Kind, Reading, join, split};
use mhost_sdk::trees::{ListOptions, Record};
use mhost_sdk::{Context, Error, Failure, Optional as _, Result};
use sha2::{Digest as _, Sha256};

use super::place::{Entry, Pieces, Place, Tree, is_speakable};
use crate::mirror::config::Mirror;
use crate::mirror::plan::Trouble;
use crate::mirror::stream::{Path, Stream, is_partial};

/// Bytes of one piece.
const PIECE: usize = 256 << 10;

/// See the module.
pub struct Directory<'c> {
    context: &'c Context<'c>,
    config: &'c Mirror,
    root: &'c str,
}

impl<'c> Directory<'c> {
    pub fn new(context: &'c Context<'c>, config: &'c Mirror, root: &'c str) -> Self {
        Self {
            context,
            config,
            root,
        }
    }

    fn files(&self) -> &dyn Files {
        self.context.files()
    }

    fn path(&self, path: &str) -> String {
        join(self.root, path)
    }

    fn write(&self, aside: &str, content: &mut dyn Pieces) -> Result<u64> {
        let mut file = self.files().create_open(aside)?;
        let mut bytes = 0;
        loop {
            let piece = content.next()?;
            if piece.is_empty() {
                break;
            }
            bytes += piece.len() as u64;
            let written = file.write_all(&piece);
            written.map_err(|error| Error::from_io(&format!("write `{aside}`"), &error))?;
        }
        let flushed = file.flush();
        flushed.map_err(|error| Error::from_io(&format!("write `{aside}`"), &error))?;
        Ok(bytes)
    }
}

fn entry(record: &Record<'_>, directory: bool) -> Entry {
    Entry {
        directory,
        implied: false,
        size: if directory { 0 } else { record.size() },
        modified: (!directory).then(|| record.modified()),
        changed: (!directory).then(|| record.changed()),
        etag: None,
        mode: Some(record.mode()),
    }
}

/// A file of this machine.
struct Local<'f> {
    file: Box<dyn Reading + 'f>,
    name: String,
}

impl Pieces for Local<'_> {
    fn next(&mut self) -> Result<Vec<u8>> {
        let mut piece = vec![0; PIECE];
        let read = self.file.read(&mut piece);
        let read =
            read.map_err(|error| Error::from_io(&format!("read `{}`", self.name), &error))?;
        piece.truncate(read);
        Ok(piece)
    }
}

impl Place for Directory<'_> {
    fn name(&self) -> &str {
        self.root
    }

    fn list(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        match self.files().stat_optional(self.root)? {
            None => return Ok(tree),
            Some(found) if found.kind != Kind::Directory => {
                return Err(Error::Invalid(format!("{} is no directory", self.root)));
            }
            Some(_) => tree.there = true,
        }
        let options = ListOptions {
            one_file_system: self.config.one_file_system,
            attributes: false,
        };
        let mut stream = Stream::open(self.context.trees(), self.root, options)?;
        while let Some(record) = stream.peek() {
            let path = Path(record.path().to_vec());
            match record.kind() {
                _ if path.0.is_empty() && record.kind().is_some() => {}
                None => tree.unread.push(Trouble {
                    why: String::from_utf8_lossy(record.text()).into_owned(),
                    path: path.0,
                }),
                _ if is_partial(&path.0) => tree.partials.push(path),
                Some(Kind::File) if is_speakable(&path.0) => {
                    tree.entries.insert(path, entry(&record, false));
                }
                Some(Kind::Directory) if is_speakable(&path.0) => {
                    tree.entries.insert(path, entry(&record, true));
                }
                Some(_) => {
                    tree.others.insert(path);
                }
            }
            stream.advance()?;
        }
        Ok(tree)
    }

    fn stat(&self, path: &str) -> Result<Entry> {
        let found = self.files().stat(&self.path(path))?;
        let directory = found.kind == Kind::Directory;
        Ok(Entry {
            directory,
            implied: false,
            size: if directory { 0 } else { found.size },
            modified: (!directory).then_some(found.modified),
            changed: (!directory).then_some(found.changed),
            etag: None,
            mode: Some(found.mode),
        })
    }

    fn open(&self, path: &str) -> Result<Box<dyn Pieces + '_>> {
        let name = self.path(path);
        Ok(Box::new(Local {
            file: self.files().open(&name)?,
            name,
        }))
    }

    fn put(
        &self,
        path: &str,
        content: &mut dyn Pieces,
        like: &Entry,
        there: Option<&Entry>,
        sure: &dyn Fn(u64) -> Result<()>,
    ) -> Result<u64> {
        let path = self.path(path);
        let (folder, _) = split(&path);
        let mark = hex::encode(&Sha256::digest(path.as_bytes())[..8]);
        let aside = join(folder, &format!(".mhost-{mark}.partial"));
        let files = self.files();
        files.remove_file(&aside).optional()?;
        let finish = |bytes: u64| {
            sure(bytes)?;
            files.set_metadata(
                &aside,
                Changes {
                    mode: there.and_then(|there| there.mode),
                    uid: None,
                    gid: None,
                    modified: like.modified,
                    accessed: None,
                },
            )?;
            if self.config.durable {
                files.sync(&aside)?;
            }
            files.replace(&aside, &path)?;
            Ok(bytes)
        };
        let done = self.write(&aside, content).and_then(finish);
        if done.is_err() {
            files.remove_file(&aside).optional()?;
        }
        done
    }

    fn make(&self) -> std::result::Result<(), Failure> {
        super::make(self.context, self.root)
    }

    fn make_directory(&self, path: &str) -> Result<()> {
        self.files().create_directory(&self.path(path))
    }

    fn remove(&self, path: &str, directory: bool) -> Result<()> {
        let path = self.path(path);
        let removed = match directory {
            true => self.files().remove_directory(&path),
            false => self.files().remove_file(&path),
        };
        removed.optional().map(|_| ())
    }

    fn digest(&self, path: &str) -> Result<Vec<u8>> {
        let algorithm = HashAlgorithm::Sha256;
        self.files().hash(&self.path(path), algorithm, 0, None)
    }
}
