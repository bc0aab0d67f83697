//! Configurations from this machine's files, remembered as they were read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use mhost_format_logrotate::{Found, Kind, Source};
use mhost_trees::accounts;

/// See the module.
#[derive(Debug, Default)]
pub struct Machine {
    read: RefCell<BTreeMap<String, Text>>,
}

/// A file of a configuration.
#[derive(Debug, Clone)]
pub struct Text {
    pub text: String,
    pub mode: u32,
    pub uid: u32,
}

impl Machine {
    /// The files that were read.
    pub fn texts(&self) -> BTreeMap<String, Text> {
        self.read.borrow().clone()
    }

    /// The name of a user by its number.
    pub fn name(uid: u32) -> Option<String> {
        let text = fs::read_to_string(USERS).ok()?;
        text.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        })
    }
}

const USERS: &str = "/etc/passwd";

impl Source for Machine {
    fn look(&self, path: &str) -> Result<Option<Found>, String> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(dangling(path)),
            Err(error) => return Err(error.to_string()),
        };
        let kind = match found.file_type() {
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_file() => Kind::File,
            _ => Kind::Other,
        };
        Ok(Some(Found {
            kind,
            mode: found.mode() & 0o7777,
            uid: found.uid(),
        }))
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let found = self.look(path)?;
        let file = Text {
            text: text.clone(),
            mode: found.map_or(0o644, |found| found.mode),
            uid: found.map_or(0, |found| found.uid),
        };
        self.read.borrow_mut().insert(path.to_owned(), file);
        Ok(text)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, String> {
        let entries = fs::read_dir(path).map_err(|error| error.to_string())?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        Ok(names)
    }

    fn user(&self, name: &str) -> Option<u32> {
        accounts::user(name).ok()
    }

    fn group(&self, name: &str) -> Option<u32> {
        accounts::group(name).ok()
    }

    fn owner_must_be_root(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    fn home(&self) -> Option<String> {
        std::env::var("HOME").ok()
    }
}

/// A link that leads nowhere is there all the same.
fn dangling(path: &str) -> Option<Found> {
    fs::symlink_metadata(path).ok().map(|found| Found {
        kind: Kind::Other,
        mode: found.mode() & 0o7777,
        uid: found.uid(),
    })
}
