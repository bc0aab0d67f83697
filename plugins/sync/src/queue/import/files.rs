//! Files below a directory.

use mhost_sdk::files::{
    Changes, Entry, Files, HashAlgorithm, Kind as FileKind, Moment, WalkOptions, join, split,
};
use mhost_sdk::{Context, Error, Optional as _, Result};

use super::super::config::Containers;
use super::super::item::{Header, Noun};
use super::{Item, Outcome};

/// See the module.
pub struct Importer<'a> {
    pub context: &'a Context<'a>,
    pub root: &'a str,
}

impl super::Importer for Importer<'_> {
    fn takes(&self, header: &Header) -> bool {
        header.kind.noun == Noun::File
    }

    fn apply(&self, item: &Item<'_>) -> Result<Outcome> {
        let path = self.place(item.key)?;
        let changed = match item.opened.header.kind.deletes {
            true => self.delete(&path)?,
            false => self.put(item, &path)?,
        };
        Ok(Outcome::changed(changed))
    }
}

impl Importer<'_> {
    fn files(&self) -> &dyn Files {
        self.context.files()
    }

    /// Below the root, whatever the key says.
    fn place(&self, key: &str) -> Result<String> {
        let key = key.trim_start_matches('/');
        let bad = |name: &str| matches!(name, "" | "." | "..") || name.contains('\0');
        if key.split('/').any(bad) {
            return Err(Error::Invalid(format!(
                "`{key}` is no key of a file: it must be a path without `.` and `..`"
            )));
        }
        Ok(join(self.root, key))
    }

    fn delete(&self, path: &str) -> Result<bool> {
        let removed = self.files().remove_file(path).optional()?;
        Ok(removed.is_some())
    }

    fn put(&self, item: &Item<'_>, path: &str) -> Result<bool> {
        let header = &item.opened.header;
        let there = self.files().stat_optional(path)?;
        let file = there.filter(|there| there.kind == FileKind::File);
        let same = match &file {
            Some(there) if there.size == header.size => {
                let found = self.files().hash(path, HashAlgorithm::Sha256, 0, None)?;
                hex::encode(found) == header.sha256
            }
            _ => false,
        };
        let changes = changes(header);
        if same {
            let right = file.is_some_and(|there| {
                changes.mode.is_none_or(|mode| mode == there.mode)
                    && changes.modified.is_none_or(|time| time == there.modified)
            });
            if !right {
                self.files().set_metadata(path, changes)?;
            }
            return Ok(!right);
        }
        self.container(item, path)?;
        if there.is_some_and(|there| there.kind == FileKind::Directory) {
            self.make_room(path)?;
        }
        let aside = aside(path, header.sequence);
        let written = self.write(item, path, &aside, changes);
        let Err(error) = written else {
            return Ok(true);
        };
        let full = self.is_full(path, header.size);
        // The next try makes it anew.
        self.files().remove_file(&aside).optional()?;
        Err(match error {
            Error::Failed(why) if full => Error::Busy(format!(
                "{why}; the disk is full, and the item waits for room"
            )),
            error => error,
        })
    }

    /// Whether there is no room for so many bytes more.
    fn is_full(&self, path: &str, size: u64) -> bool {
        let space = self.files().free_space(split(path).0);
        space.is_ok_and(|space| space.available < size)
    }

    /// A folder whose files were all deleted gives way to a file of its name; one with
    /// something in it does not.
    fn make_room(&self, path: &str) -> Result<()> {
        let options = WalkOptions {
            max_depth: None,
            one_file_system: false,
        };
        let (entries, _) = self.files().walk_all(path, options)?;
        let full = |entry: &&Entry| entry.metadata.kind != FileKind::Directory;
        if let Some(entry) = entries.iter().find(full) {
            return Err(Error::Exists(format!(
                "the folder `{path}` stands in the way: `{}` is in it",
                entry.path
            )));
        }
        for entry in entries.iter().rev() {
            self.files().remove_directory(&join(path, &entry.path))?;
        }
        self.files().remove_directory(path)
    }

    /// Written aside, checked, and put in its place whole.
    fn write(&self, item: &Item<'_>, path: &str, aside: &str, changes: Changes) -> Result<()> {
        let files = self.files();
        files.remove_file(aside).optional()?;
        files.create(aside, &[])?;
        files.copy_range(item.path, item.opened.payload, None, aside, 0)?;
        let found = files.hash(aside, HashAlgorithm::Sha256, 0, None)?;
        if hex::encode(found) != item.opened.header.sha256 {
            return Err(Error::Damaged(format!(
                "`{path}` was not written as it should be"
            )));
        }
        files.set_metadata(aside, changes)?;
        files.sync(aside)?;
        files.replace(aside, path)
    }

    fn container(&self, item: &Item<'_>, path: &str) -> Result<()> {
        let (folder, _) = split(path);
        let mut missing = Vec::new();
        let mut above = folder;
        while self.files().stat_optional(above)?.is_none() {
            missing.push(above);
            above = split(above).0;
        }
        if missing.is_empty() {
            return Ok(());
        }
        if item.containers == Containers::Refuse {
            return Err(Error::NotFound(format!(
                "there is no container `{folder}`; make it, or set `containers = \"make\"`"
            )));
        }
        for folder in missing.iter().rev() {
            self.files().create_directory(folder)?;
        }
        Ok(())
    }
}

/// Where a file is written before it has its place; a long name leaves no room for more.
fn aside(path: &str, sequence: u64) -> String {
    let (folder, name) = split(path);
    match name.len() > 230 {
        true => join(folder, &format!(".{sequence}.mhost-import")),
        false => join(folder, &format!(".{name}.mhost-import")),
    }
}

fn changes(header: &Header) -> Changes {
    let moment = |(seconds, nanoseconds)| Moment {
        seconds,
        nanoseconds,
    };
    Changes {
        // Not the owner's rights for somebody else.
        mode: header.mode.map(|mode| mode & 0o1777),
        uid: None,
        gid: None,
        modified: header.modified.map(moment),
        accessed: None,
    }
}
