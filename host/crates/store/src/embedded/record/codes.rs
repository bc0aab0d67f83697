//! Words of the model as numbers on the disk, and instants as milliseconds. The
//! numbers are for ever.

use mhost_model::Instant;
use mhost_model::run::{LogLevel, Outcome, Trigger};

/// Milliseconds since 1970, UTC.
pub fn millis(at: Instant) -> i64 {
    at.timestamp_millis()
}

/// The instant; the text says what is wrong with one beyond the calendar.
pub fn instant(millis: i64) -> Result<Instant, String> {
    Instant::from_timestamp_millis(millis)
        .ok_or_else(|| format!("the time {millis} ms is beyond the calendar"))
}

/// As [`instant`], for a time that may be absent.
pub fn maybe_instant(millis: Option<i64>) -> Result<Option<Instant>, String> {
    millis.map(instant).transpose()
}

macro_rules! codes {
    ($to:ident, $from:ident, $type:ident, $what:literal, $($name:ident = $code:literal),+) => {
        pub fn $to(value: $type) -> u8 {
            match value { $($type::$name => $code),+ }
        }

        pub fn $from(code: u8) -> Result<$type, String> {
            match code {
                $($code => Ok($type::$name),)+
                other => Err(format!(concat!("{} is no ", $what), other)),
            }
        }
    };
}

codes!(
    outcome_code,
    outcome,
    Outcome,
    "outcome",
    Succeeded = 0,
    Failed = 1,
    TimedOut = 2,
    Cancelled = 3,
    Skipped = 4,
    Coalesced = 5,
    Lost = 6
);
codes!(
    trigger_code,
    trigger,
    Trigger,
    "trigger",
    Timer = 0,
    Manual = 1,
    Exec = 2,
    Dependency = 3,
    Change = 4
);
codes!(
    level_code,
    level,
    LogLevel,
    "log level",
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4
);
