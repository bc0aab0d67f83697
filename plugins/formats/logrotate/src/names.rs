//! What a log's archives are called.

use crate::options::Options;
use crate::stamp::{Made, Stamp, order};

/// The parts of the archives' names of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The folder of the archives.
    pub folder: String,
    /// The log's name, without its kept extension.
    pub base: String,
    /// The kept extension.
    pub ext: String,
    /// `.gz` …; empty where nothing is compressed.
    pub suffix: String,
}

impl Names {
    pub fn new(log: &str, options: &Options) -> Self {
        let (folder, name) = log.rsplit_once('/').unwrap_or(("", log));
        let folder = match &options.olddir {
            Some(olddir) if olddir.starts_with('/') => olddir.clone(),
            Some(olddir) => format!("{folder}/{olddir}"),
            None => folder.to_owned(),
        };
        let (base, ext) = kept(name, options);
        Self {
            folder: straight(&folder),
            base: base.to_owned(),
            ext: ext.to_owned(),
            suffix: options.suffix().to_owned(),
        }
    }

    /// The archive with this number, compressed if the log's archives are.
    pub fn numbered(&self, number: u32) -> String {
        format!("{}{}", self.plain_numbered(number), self.suffix)
    }

    /// The same before it is compressed.
    pub fn plain_numbered(&self, number: u32) -> String {
        format!("{}/{}.{number}{}", self.folder, self.base, self.ext)
    }

    /// The archive of this date, before it is compressed.
    pub fn plain_dated(&self, stamp: &Stamp) -> String {
        format!("{}/{}{}{}", self.folder, self.base, stamp.text, self.ext)
    }

    /// Of the names in the folder, the paths of dated archives that end with `suffix`,
    /// from the oldest to the newest.
    pub fn dated(&self, stamp: &Stamp, names: &[String], suffix: &str) -> Vec<String> {
        self.dated_with(stamp, names, |end| end == suffix)
    }

    /// The same, plain or compressed in any way.
    pub fn any_dated(&self, stamp: &Stamp, names: &[String]) -> Vec<String> {
        self.dated_with(stamp, names, |end| self.known(end))
    }

    fn known(&self, end: &str) -> bool {
        end.is_empty() || end == self.suffix || COMPRESSED.contains(&end)
    }

    fn dated_with(
        &self,
        stamp: &Stamp,
        names: &[String],
        fits: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let read = names.iter().filter_map(|name| {
            let rest = name.strip_prefix(&self.base)?;
            let (made, rest) = stamp.read(rest)?;
            let end = rest.strip_prefix(self.ext.as_str())?;
            fits(end).then(|| (made, name.clone()))
        });
        let mut read: Vec<(Made, String)> = read.collect();
        order(&mut read);
        let paths = read
            .into_iter()
            .map(|(_, name)| format!("{}/{name}", self.folder));
        paths.collect()
    }

    /// The number in the name of an archive in the folder, compressed or not.
    pub fn number(&self, name: &str) -> Option<u32> {
        let rest = name.strip_prefix(&self.base)?.strip_prefix('.')?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let end = rest[digits..].strip_prefix(self.ext.as_str())?;
        (self.known(end) && digits < 10).then(|| rest[..digits].parse().ok())?
    }

    /// The archives with this number that may be there: as this run would make them, and
    /// then plain or compressed in any way.
    pub fn any_numbered(&self, number: u32) -> Vec<String> {
        let plain = self.plain_numbered(number);
        let ends = ["", self.suffix.as_str()].into_iter().chain(COMPRESSED);
        let mut paths: Vec<_> = ends.map(|end| format!("{plain}{end}")).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// An archive's path without what tells that it is compressed.
    pub fn uncompressed<'p>(&self, path: &'p str) -> &'p str {
        let ends = [self.suffix.as_str()].into_iter().chain(COMPRESSED);
        let mut plain = ends
            .filter(|end| !end.is_empty())
            .filter_map(|end| path.strip_suffix(end));
        plain.next().unwrap_or(path)
    }

    /// Whether a name in the folder looks like any archive of this log, of any kind.
    pub fn belongs(&self, stamp: &Stamp, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(&self.base) else {
            return false;
        };
        let ends = |rest: &str| {
            rest.strip_prefix(self.ext.as_str())
                .is_some_and(|end| self.known(end))
        };
        let dated = stamp.read(rest).is_some_and(|(_, rest)| ends(rest));
        dated || self.number(name).is_some()
    }
}

/// A folder's path without `.` and `..`, and without a `/` at its end.
fn straight(folder: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in folder.split('/').skip(1) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.iter().map(|name| format!("/{name}")).collect()
}

/// Endings of compressed files, also of ones that other programs made.
const COMPRESSED: [&str; 5] = [".gz", ".zst", ".xz", ".bz2", ".Z"];

/// The name without what `addextension` and `extension` keep, and that.
fn kept<'a>(name: &'a str, options: &'a Options) -> (&'a str, &'a str) {
    if let Some(ext) = &options.extension
        && let Some(base) = name.strip_suffix(ext.as_str())
    {
        return (base, ext);
    }
    match &options.addextension {
        Some(ext) => (name.strip_suffix(ext.as_str()).unwrap_or(name), ext),
        None => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    fn options(change: impl FnOnce(&mut Options)) -> Options {
        let mut options = Options::default();
        change(&mut options);
        options
    }

    #[test]
    fn names_keep_their_extensions() {
        for (log, ext, add, expected) in [
            ("/l/a.log", Some(".log"), None, "/l/a.1.log"),
            ("/l/a", Some(".log"), None, "/l/a.1"),
            ("/l/a.log", None, Some(".log"), "/l/a.1.log"),
            ("/l/a", None, Some(".txt"), "/l/a.1.txt"),
            ("/l/a.log", None, None, "/l/a.log.1"),
        ] {
            let options = options(|o| {
                o.extension = ext.map(str::to_owned);
                o.addextension = add.map(str::to_owned);
            });
            assert_eq!(Names::new(log, &options).numbered(1), expected);
        }
    }

    #[test]
    fn archives_lie_in_their_folder() {
        for (olddir, expected) in [
            (None, "/l/a.1.gz"),
            (Some("old"), "/l/old/a.1.gz"),
            (Some("/old/"), "/old/a.1.gz"),
            (Some("../m/./old"), "/m/old/a.1.gz"),
            (Some("../../.."), "/a.1.gz"),
            (Some("."), "/l/a.1.gz"),
        ] {
            let options = options(|o| {
                o.olddir = olddir.map(str::to_owned);
                o.compress = true;
            });
            assert_eq!(Names::new("/l/a", &options).numbered(1), expected);
        }
    }

    #[test]
    fn dated_archives_are_told_from_others() {
        let options = options(|o| o.dateext = true);
        let day = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        let stamp = Stamp::new(&options, day.and_hms_opt(0, 0, 0).unwrap(), 0);
        let names = Names::new("/l/a", &options);
        let there = [
            "a-20260201",
            "a-20260101",
            "a-2026011",
            "a-20260101.gz",
            "b-20260101",
        ];
        let there = there.map(str::to_owned);
        assert_eq!(
            names.dated(&stamp, &there, ""),
            ["/l/a-20260101", "/l/a-20260201"]
        );
        assert_eq!(names.dated(&stamp, &there, ".gz"), ["/l/a-20260101.gz"]);
        for (name, expected) in [
            ("a.1", true),
            ("a.12.gz", true),
            ("a-20260101.zst", true),
            ("a.log", false),
            ("a.1.log", false),
            ("a.", false),
            ("a", false),
        ] {
            assert_eq!(names.belongs(&stamp, name), expected, "{name}");
        }
    }
}
