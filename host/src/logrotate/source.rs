//! Configurations from this machine's files, remembered as they were read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use mhost_format_logrotate::{Found, Kind, Source};

/// See the module.
#[derive(Debug, Default)]
pub struct Machine {
    read: RefCell<BTreeMap<String, (String, u32)>>,
}

/// A file with its mode.
type Text = (String, u32);

impl Machine {
    /// The files that were read.
    pub fn texts(&self) -> BTreeMap<String, Text> {
        self.read.borrow().clone()
    }
}

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
        let mode = found.permissions().mode() & 0o7777;
        Ok(Some(Found { kind, mode }))
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
        let mode = self.look(path)?.map_or(0o644, |found| found.mode);
        self.read
            .borrow_mut()
            .insert(path.to_owned(), (text.clone(), mode));
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
        number("/etc/passwd", name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        number("/etc/group", name)
    }

    fn home(&self) -> Option<String> {
        std::env::var("HOME").ok()
    }
}

/// A link that leads nowhere is there all the same.
fn dangling(path: &str) -> Option<Found> {
    fs::symlink_metadata(path).ok().map(|found| Found {
        kind: Kind::Other,
        mode: found.permissions().mode() & 0o7777,
    })
}

fn number(file: &str, name: &str) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}
