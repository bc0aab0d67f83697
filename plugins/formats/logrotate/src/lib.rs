//! logrotate's languages as a pure library: its configuration, its state file, its
//! names of archives, and its rules of when a log is due. No I/O and no clock: files
//! come through [`Source`], and `now` is an argument.
//!
//! Written from logrotate's manual page (3.21) and from what the program was seen to do;
//! `tests/logrotate` of the repository compares both on the same files.

mod due;
mod names;
mod options;
mod parse;
mod pattern;
mod source;
mod stamp;
mod state;
mod words;
mod write;

pub use due::{Due, Facts, due};
pub use names::Names;
pub use options::{
    Compressor, DateOf, Event, Format, MOST_START, Method, Options, Owner, Script, When, Whose,
};
pub use parse::{Configuration, Input, Problem, Section, Severity, parse};
pub use pattern::{expand, fits_path, is_pattern};
pub use source::{Found, Kind, Source};
pub use stamp::{Stamp, order};
pub use state::{Damage, State};
pub use words::size;
pub use write::Users;
