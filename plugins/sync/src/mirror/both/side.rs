//! One side of a two-way mirror: all that counts below a root.

use std::collections::{BTreeMap, HashSet};

use mhost_sdk::files::{Changes, Kind, Moment};
use mhost_sdk::trees::{ListOptions, Record, Trees, shown};
use mhost_sdk::{Error, Result};

use super::super::config::Mirror;
use super::super::ends::Id;
use super::super::filter::Filter;
use super::super::plan::{Code, Rules, What, is_wanted};
use super::super::stream::{Path, Stream, below, is_partial, parent};

/// What a path is, as far as the other side should have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Print {
    pub kind: Kind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Of a file.
    pub size: u64,
    /// Of anything but a directory.
    pub modified: (i64, u32),
    pub link: Vec<u8>,
}

impl Print {
    fn of(record: &Record<'_>, kind: Kind) -> Self {
        let directory = kind == Kind::Directory;
        let file = kind == Kind::File;
        let link = kind == Kind::SymbolicLink;
        let modified = record.modified();
        Self {
            kind,
            mode: if link { 0 } else { record.mode() },
            uid: record.uid(),
            gid: record.gid(),
            size: if file { record.size() } else { 0 },
            modified: match directory || link {
                true => (0, 0),
                false => (modified.seconds, modified.nanoseconds),
            },
            link: if link {
                record.text().to_vec()
            } else {
                Vec::new()
            },
        }
    }

    pub fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }

    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }

    /// A number that two different things hardly share. Owners are not in it: not
    /// every process may set them.
    pub fn digest(&self) -> u64 {
        let mut hash = Hash(0xcbf2_9ce4_8422_2325);
        hash.add(&[self.kind as u8]);
        hash.add(&self.mode.to_le_bytes());
        hash.add(&self.size.to_le_bytes());
        hash.add(&self.modified.0.to_le_bytes());
        hash.add(&self.modified.1.to_le_bytes());
        hash.add(&self.link);
        hash.0
    }

    /// All metadata that it should have.
    pub fn changes(&self, rules: &Rules) -> Changes {
        let timed = !self.is_directory() && self.kind != Kind::SymbolicLink;
        Changes {
            mode: (self.kind != Kind::SymbolicLink).then_some(self.mode),
            uid: rules.owners.then_some(self.uid),
            gid: rules.owners.then_some(self.gid),
            modified: timed.then_some(Moment {
                seconds: self.modified.0,
                nanoseconds: self.modified.1,
            }),
            accessed: None,
        }
    }

    /// Whether content and time are the same, as far as they can be told apart.
    pub fn alike(&self, other: &Self) -> bool {
        (self.kind, self.size, self.modified, &self.link)
            == (other.kind, other.size, other.modified, &other.link)
    }

    /// How it is made, where `there` is of the same kind.
    pub fn made(&self, rules: &Rules, there: Option<&Self>, replaces: bool) -> (What, Code) {
        let alike = there.filter(|there| self.alike(there));
        let new = |letter| match there {
            Some(_) => Code::same(b'>', letter),
            None => Code::new(b'>', letter),
        };
        match self.kind {
            Kind::Directory => (What::Directory, Code::new(b'c', b'd')),
            _ if alike.is_some() => {
                let mut code = Code::same(b'.', b'f');
                code.0[5] = b'p';
                let what = What::Metadata {
                    changes: Box::new(self.changes(rules)),
                    attributes: false,
                };
                (what, code)
            }
            Kind::SymbolicLink => {
                let what = What::Link {
                    text: self.link.clone(),
                    changes: Box::new(self.changes(rules)),
                    replaces,
                };
                (what, Code::new(b'c', b'L'))
            }
            Kind::File => {
                let size = self.size;
                let what = What::Copy {
                    size,
                    replaces,
                    mode: None,
                };
                (what, new(b'f'))
            }
            _ => (What::Node { replaces }, Code::new(b'c', b'S')),
        }
    }
}

/// FNV-1a, of 64 bits.
struct Hash(u64);

impl Hash {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Side {
    pub entries: BTreeMap<Path, Print>,
    /// What could not be looked at.
    pub unread: Vec<String>,
    /// There, but not mirrored, with all below it: neither is it gone, nor may anything
    /// take its place.
    pub left_out: HashSet<Vec<u8>>,
    /// Left over from copies that were cut off.
    pub partials: Vec<Vec<u8>>,
}

impl Side {
    /// `other` is the root of the other side, which may not lie in this one.
    #[allow(clippy::too_many_arguments)] // What there is, and what of it counts.
    pub fn list(
        trees: &dyn Trees,
        root: &str,
        options: ListOptions,
        config: &Mirror,
        filter: &Filter,
        apart: &[Vec<u8>],
        other: Id,
    ) -> Result<Self> {
        let mut stream = Stream::open(trees, root, options)?;
        let mut side = Self::default();
        let mut hidden: Option<Vec<u8>> = None;
        while let Some(record) = stream.peek() {
            let path = record.path();
            let left_out = hidden.as_ref().is_some_and(|top| below(path, top));
            if left_out || path.is_empty() {
                // Nothing of it counts; of the root itself, only what is in it.
            } else if is_partial(path) {
                side.partials.push(path.to_vec());
            } else if apart.iter().any(|apart| path == apart) {
                side.left_out.insert(path.to_vec());
                hidden = Some(path.to_vec());
            } else {
                hidden = side.take(&record, config, filter).or(hidden);
                let counts = hidden.as_ref().is_none_or(|top| top != path);
                if counts && (record.device(), record.inode()) == other {
                    return Err(Error::Invalid(format!(
                        "the other side lies in {root} at `{}`: nothing was changed; name places apart, or leave that \
                         folder out by a filter",
                        shown(path)
                    )));
                }
            }
            stream.advance()?;
        }
        Ok(side)
    }

    /// Notes an entry, or answers what is left out with all below it.
    fn take(&mut self, record: &Record<'_>, config: &Mirror, filter: &Filter) -> Option<Vec<u8>> {
        let path = record.path();
        let Some(kind) = record.kind() else {
            self.unread
                .push(String::from_utf8_lossy(record.text()).into_owned());
            return None;
        };
        let directory = kind == Kind::Directory;
        if filter.verdict(path, directory).hidden {
            self.left_out.insert(path.to_vec());
            return directory.then(|| path.to_vec());
        }
        if is_wanted(config, record) {
            self.entries
                .insert(Path(path.to_vec()), Print::of(record, kind));
        } else {
            self.left_out.insert(path.to_vec());
        }
        None
    }

    /// Whether a path is taken by anything at all.
    pub fn has(&self, path: &Path) -> bool {
        self.entries.contains_key(path) || self.left_out.contains(&path.0)
    }

    /// Whether a path, or something that it lies below, is left out.
    pub fn leaves_out(&self, path: &[u8]) -> bool {
        let mut at = path;
        while !at.is_empty() {
            if self.left_out.contains(at) {
                return true;
            }
            at = parent(at);
        }
        false
    }
}
