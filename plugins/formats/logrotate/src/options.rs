//! What a configuration says of its logs, as values.

use std::collections::BTreeMap;

/// When a log is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At least so many bytes, whenever it was rotated last.
    Size(u64),
    Hourly,
    Daily,
    /// On this day (0 is Sunday), or after seven days; with 7 only after seven days.
    Weekly(u8),
    Monthly,
    Yearly,
    /// At every run: not a directive, but what a task without a frequency means.
    Always,
}

/// How a log becomes an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Rename,
    /// Leave the log as it is.
    Copy,
    /// Copy it and empty it.
    CopyTruncate,
    /// Rename it aside, and copy that after `postrotate`.
    RenameCopy,
}

/// Mode and owner of a new file; what is `None` follows the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

/// Which time an archive's date tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOf {
    Now,
    Yesterday,
    HourAgo,
}

/// A format that mhost writes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Gzip,
    Zstd,
    Xz,
}

/// What stands for `compresscmd` and `compressoptions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressor {
    /// The program's text where mhost has no such format.
    pub format: Result<Format, String>,
    pub level: Option<u32>,
    /// `.gz` …, with the dot.
    pub ext: String,
}

impl Default for Compressor {
    fn default() -> Self {
        Self {
            format: Ok(Format::Gzip),
            level: None,
            ext: ".gz".to_owned(),
        }
    }
}

/// When a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    First,
    Pre,
    Post,
    Last,
    Preremove,
}

impl Event {
    /// The directive.
    pub fn word(self) -> &'static str {
        match self {
            Self::First => "firstaction",
            Self::Pre => "prerotate",
            Self::Post => "postrotate",
            Self::Last => "lastaction",
            Self::Preremove => "preremove",
        }
    }
}

/// A script's text and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub text: String,
    pub file: String,
    pub line: u32,
}

/// Which archive is mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The one that was just made.
    First,
    /// The one that goes.
    Last,
}

/// The largest `start`: with as many archives as there may be, no number has more digits than
/// are read back.
pub const MOST_START: u32 = 100_000_000;

/// Everything that directives set, with logrotate's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Archives kept; `None` keeps all.
    pub rotate: Option<u32>,
    /// At most [`MOST_START`].
    pub start: u32,
    pub when: When,
    /// Bytes.
    pub minsize: Option<u64>,
    pub maxsize: Option<u64>,
    /// Days; a `maxage` of 0 is none.
    pub minage: Option<u32>,
    pub maxage: Option<u32>,
    pub method: Method,
    pub create: Option<Owner>,
    pub olddir: Option<String>,
    pub createolddir: Option<Owner>,
    pub compress: bool,
    pub delaycompress: bool,
    pub compressor: Compressor,
    pub dateext: bool,
    pub dateformat: Option<String>,
    pub date: DateOf,
    pub extension: Option<String>,
    pub addextension: Option<String>,
    pub sharedscripts: bool,
    pub missingok: bool,
    pub ifempty: bool,
    pub ignoreduplicates: bool,
    pub shred: bool,
    pub shredcycles: Option<u32>,
    pub allowhardlink: bool,
    pub mail: Option<String>,
    pub mailed: Whose,
    /// User and group.
    pub su: Option<(u32, u32)>,
    pub scripts: BTreeMap<Event, Script>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rotate: Some(0),
            start: 1,
            when: When::Size(1 << 20),
            minsize: None,
            maxsize: None,
            minage: None,
            maxage: None,
            method: Method::Rename,
            create: None,
            olddir: None,
            createolddir: None,
            compress: false,
            delaycompress: false,
            compressor: Compressor::default(),
            dateext: false,
            dateformat: None,
            date: DateOf::Now,
            extension: None,
            addextension: None,
            sharedscripts: false,
            missingok: false,
            ifempty: true,
            ignoreduplicates: false,
            shred: false,
            shredcycles: None,
            allowhardlink: false,
            mail: None,
            mailed: Whose::Last,
            su: None,
            scripts: BTreeMap::new(),
        }
    }
}

impl Options {
    /// What compressed archives end with; empty where nothing is compressed.
    pub fn suffix(&self) -> &str {
        match self.compress {
            true => &self.compressor.ext,
            false => "",
        }
    }

    /// The date's format, with the usual one where none was given.
    pub fn date_format(&self) -> &str {
        match (&self.dateformat, self.when) {
            (Some(format), _) => format,
            (None, When::Hourly) => "-%Y%m%d%H",
            (None, _) => "-%Y%m%d",
        }
    }
}
