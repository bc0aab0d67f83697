//! What of the sources is left out.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::Read;
use std::path::Path;

use mhost_model::ports::repository::BackupOptions;
use mhost_model::{Fault, FaultResult};

use super::exclude::Excludes;
use crate::folder::Folder;

/// A file of this name that begins so marks a folder of things that can be made
/// again; see the Cache Directory Tagging Specification.
const CACHE: (&str, &str) = (
    "CACHEDIR.TAG",
    "Signature: 8a477f597d28d172789f06886806bc55",
);

/// See the module.
#[derive(Debug)]
pub struct Rules {
    excludes: Excludes,
    blind: Excludes,
    /// A folder that holds a file of this name, which begins so, keeps nothing but
    /// that file.
    marks: Vec<(OsString, Vec<u8>)>,
    largest: Option<u64>,
}

impl Rules {
    pub fn new(options: &BackupOptions) -> FaultResult<Self> {
        let marks = options.exclude_if_present.iter().map(|text| mark(text));
        let mut marks = marks.collect::<FaultResult<Vec<_>>>()?;
        if options.exclude_caches {
            marks.push((CACHE.0.into(), CACHE.1.into()));
        }
        Ok(Self {
            excludes: Excludes::new(&options.exclude, false)?,
            blind: Excludes::new(&options.iexclude, true)?,
            marks,
            largest: options.exclude_larger_than,
        })
    }

    /// By its path; its parents have been asked before.
    pub fn exclude(&self, path: &Path) -> bool {
        self.excludes.matches(path) || self.blind.matches(path)
    }

    pub fn is_too_large(&self, stat: &Metadata) -> bool {
        stat.is_file() && self.largest.is_some_and(|largest| stat.len() > largest)
    }

    /// Of a marked folder, the mark alone.
    pub fn retain(&self, folder: &Folder, names: &mut Vec<OsString>) {
        let marked = self.marks.iter().find(|(name, header)| {
            names.binary_search(name).is_ok() && begins_with(folder, name, header)
        });
        if let Some((mark, _)) = marked {
            names.retain(|name| name == mark);
        }
    }
}

/// `NAME` or `NAME:BEGINNING`.
fn mark(text: &str) -> FaultResult<(OsString, Vec<u8>)> {
    let (name, header) = text.split_once(':').unwrap_or((text, ""));
    if matches!(name, "" | "." | "..") || name.contains('/') {
        return Err(Fault::Invalid(format!(
            "`{text}` in `exclude_if_present` names no file: write a file's name, or `NAME:BEGINNING`"
        )));
    }
    Ok((name.into(), header.into()))
}

fn begins_with(folder: &Folder, name: &OsStr, header: &[u8]) -> bool {
    if header.is_empty() {
        return true;
    }
    let mut found = Vec::new();
    let read = folder
        .file(name)
        .and_then(|file| file.take(header.len() as u64).read_to_end(&mut found));
    read.is_ok() && found == header
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_test_support::scratch;
    use std::fs;

    #[test]
    fn marks() {
        let dir = scratch("rules");
        for (file, text) in [("CACHEDIR.TAG", CACHE.1), ("a", ""), (".nobackup", "no")] {
            fs::write(dir.path().join(file), text).unwrap();
        }
        let folder = Folder::open(dir.path()).unwrap();
        let check = |caches, marks: &[&str], expected: &[&str]| {
            let options = BackupOptions {
                exclude_caches: caches,
                exclude_if_present: marks.iter().map(ToString::to_string).collect(),
                ..BackupOptions::default()
            };
            let mut names = folder.names().unwrap();
            Rules::new(&options).unwrap().retain(&folder, &mut names);
            assert_eq!(names, expected);
        };
        check(false, &[], &[".nobackup", "CACHEDIR.TAG", "a"]);
        check(true, &[], &["CACHEDIR.TAG"]);
        check(false, &[".nobackup"], &[".nobackup"]);
        check(false, &[".nobackup:no"], &[".nobackup"]);
        check(
            false,
            &[".nobackup:yes", "none"],
            &[".nobackup", "CACHEDIR.TAG", "a"],
        );
    }

    #[test]
    fn wrong_marks_are_named() {
        for wrong in ["", ":x", "a/b", ".."] {
            assert!(matches!(mark(wrong), Err(Fault::Invalid(_))), "{wrong}");
        }
    }
}
