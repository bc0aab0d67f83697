//! What the lines of a run add up to.

use std::collections::BTreeMap;

use mhost_format_logs::{Line, Severity as Level, request};
use serde::Serialize;

use super::config::Format;
use super::rules::{Seen, Standing};

/// A log may be ahead of the host's clock by so much, seconds; later lines count now.
const AHEAD: u64 = 300;

/// Counts of one log.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tally {
    pub bytes: u64,
    pub lines: u64,
    /// Lines of which only the beginning was looked at.
    #[serde(skip_serializing_if = "is_none")]
    pub cut_lines: u64,
    /// Lines that are not of the format, or say no severity.
    #[serde(skip_serializing_if = "is_none")]
    pub other_lines: u64,
    /// Requests by the hundreds of their status: `1xx` ….
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub status: BTreeMap<&'static str, u64>,
    /// Events by severity.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<&'static str, u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The classes by their first digit.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Tally {
    /// Counts a line; `now` is seconds since 1970.
    pub fn line(&mut self, line: Line<'_>, format: Format, now: u64, standing: &mut Standing<'_>) {
        self.lines += 1;
        self.cut_lines += u64::from(line.cut);
        let mut seen = Seen {
            text: "",
            request: None,
            level: None,
            second: now,
        };
        if let Some(access) = format.access() {
            seen.request = request(line.text, access);
            self.other_lines += u64::from(seen.request.is_none());
        }
        if let Some(request) = seen.request {
            let class = CLASSES[usize::from(request.status / 100) - 1];
            *self.status.entry(class).or_default() += 1;
            let at = u64::try_from(request.at).unwrap_or(0);
            seen.second = if at > now + AHEAD { now } else { at };
        }
        if format == Format::Event {
            seen.level = Level::of_line(line.text);
            match seen.level {
                Some(level) => *self.levels.entry(level.name()).or_default() += 1,
                None => self.other_lines += 1,
            }
        }
        let text = String::from_utf8_lossy(line.text);
        standing.line(&Seen {
            text: &text,
            ..seen
        });
    }

    /// Adds another one's.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.cut_lines += other.cut_lines;
        self.other_lines += other.other_lines;
        for (class, count) in &other.status {
            *self.status.entry(class).or_default() += count;
        }
        for (level, count) in &other.levels {
            *self.levels.entry(level).or_default() += count;
        }
    }
}
