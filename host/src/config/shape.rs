//! What the configuration may hold: every table, key, type, default and meaning, as data.
//! The reader checks files against it and the reference page is written from it, so that
//! neither can know less than the other. The tables stand in `tables`; how a single value is
//! read is `scalar`'s.

mod grants;
mod notify;
mod policy;
mod tables;

use super::mistake::Refusal;
pub(super) use grants::SIGNAL;
pub(super) use tables::ROOT;

/// See [`Fixed::judge`].
pub(super) type Judge = fn(&serde_json::Value) -> Result<(), Blame>;

/// Why keys do not go together.
#[derive(Debug)]
pub(super) struct Blame {
    /// The one that is to blame, where the judge knows.
    pub key: Option<&'static str>,
    pub refusal: Refusal,
}

/// A key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub presence: Presence,
    /// One or more sentences for the reference page and for hints.
    pub meaning: &'static str,
}

/// Whether a key must stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
    /// What holds without it, as TOML.
    Default(&'static str),
}

/// A table with a fixed set of keys.
#[derive(Debug)]
pub(super) struct Fixed {
    pub keys: &'static [Key],
    /// Where not empty: exactly one of these sets of keys stands there, whole.
    pub one_of: &'static [&'static [&'static str]],
    /// Whether keys that are right one by one go together.
    pub judge: Option<Judge>,
}

/// What may stand behind a key.
#[derive(Debug)]
pub(super) enum Shape {
    Table(&'static Fixed),
    /// A table whose keys are names that the operator gives.
    Named(&'static Shape),
    /// An array; the flag says whether it may be empty.
    List(&'static Shape, Empty),
    Scalar(Scalar),
    /// One of a few words, or a table.
    Either(Scalar, &'static Fixed),
    /// Anything that JSON can say too; the plugin's schema judges it.
    Json,
}

/// Whether an array may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    Allowed,
    Refused,
}

/// A single value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar {
    Bool,
    /// A whole number in a range.
    Count(i64, i64),
    /// Seconds, at least and at most, and whether zero is allowed besides.
    Duration(Least, u64),
    /// Bytes, at least and at most.
    Size(u64, u64),
    Name,
    Plugin,
    /// Text of at most so many bytes; the flag says that of an empty one.
    Text(usize, Empty),
    /// A file or directory of the host.
    Path,
    /// The absolute path of a program, or an argument of it.
    Argument,
    Origin,
    /// A cron expression or nickname.
    Cron,
    /// An IANA time zone.
    Zone,
    /// A point in time.
    Moment,
    /// A repository: a directory or a URL.
    Repository,
    /// A remote's URL.
    Remote,
    /// An `http` or `https` URL.
    Url,
    /// One of these words, each with its meaning.
    Word(&'static [(&'static str, &'static str)]),
    /// `"manual"` or a cron nickname.
    ScheduleWord,
}

/// The shortest duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Least {
    Zero,
    Millisecond,
    Second,
}
