//! One side of the mirror: everything below a directory that is not left out.

use std::collections::BTreeMap;

use mhost_sdk::files::{Entry, Files, Kind, Metadata, WalkOptions};
use mhost_sdk::{Error, Result};

use crate::filter::Filter;

/// What a path is.
#[derive(Debug, Clone)]
pub struct Thing {
    pub metadata: Metadata,
    /// Of a symbolic link.
    pub link: Option<String>,
}

impl Thing {
    pub fn is_directory(&self) -> bool {
        self.metadata.kind == Kind::Directory
    }
}

/// Things by their path relative to the top. The order is by components, so that a
/// directory comes before what is in it.
#[derive(Debug, Default)]
pub struct Listing {
    pub things: BTreeMap<Path, Thing>,
    /// What could not be listed; with any, absence proves nothing.
    pub errors: Vec<Error>,
}

/// A relative path, ordered by its components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(pub String);

impl Ord for Path {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.split('/').cmp(other.0.split('/'))
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Listing {
    /// Walks a tree.
    pub fn read(files: &dyn Files, root: &str, filter: &Filter) -> Result<Self> {
        let (entries, errors) = files.walk_all(
            root,
            WalkOptions {
                max_depth: None,
                one_file_system: false,
            },
        )?;
        let mut listing = Self {
            errors,
            ..Self::default()
        };
        // A left-out directory; its entries follow it at once.
        let mut left_out: Option<String> = None;
        for entry in entries {
            let below = |top: &String| {
                entry
                    .path
                    .strip_prefix(top.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
            };
            if left_out.as_ref().is_some_and(below) {
                continue;
            }
            let directory = entry.metadata.kind == Kind::Directory;
            if filter.excludes(&entry.path, directory) {
                left_out = directory.then_some(entry.path);
                continue;
            }
            listing.add(entry);
        }
        Ok(listing)
    }

    fn add(&mut self, entry: Entry) {
        if entry.raw.is_some() {
            let text = format!(
                "the name `{}` is not UTF-8, and cannot be reached by it: rename it",
                entry.path
            );
            self.errors.push(Error::Unsupported(text));
            return;
        }
        let thing = Thing {
            metadata: entry.metadata,
            link: entry.link_target,
        };
        self.things.insert(Path(entry.path), thing);
    }
}
