//! Severities of events on the scale of Zope's event log, -300 to 300, on which syslog's
//! names have their places.

use std::fmt;
use std::str::FromStr;

/// How bad an event is; the greater, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Severity(i16);

/// Each name, its place, and whether it is the one that is shown there.
const NAMES: [(&str, i16, bool); 19] = [
    ("trace", -300, true),
    ("debug", -200, true),
    ("blather", -100, true),
    ("info", 0, true),
    ("notice", 50, true),
    ("warning", 100, true),
    ("warn", 100, false),
    ("problem", 100, false),
    ("error", 200, true),
    ("err", 200, false),
    ("critical", 260, true),
    ("crit", 260, false),
    ("fatal", 260, false),
    ("alert", 280, true),
    ("emerg", 300, true),
    ("emergency", 300, false),
    ("panic", 300, false),
    ("information", 0, false),
    ("severe", 200, false),
];

/// syslog's numbers from 0 on.
const SYSLOG: [i16; 8] = [300, 280, 260, 200, 100, 50, 0, -200];

/// Words of a line in which its severity is looked for, and the bytes that they lie in.
const WORDS: usize = 6;
/// A bare word such as `error` is one only so near to the time.
const NEAR: usize = 2;
const BYTES: usize = 200;

impl Severity {
    pub const LEAST: i16 = -300;
    pub const MOST: i16 = 300;

    /// On the scale of -300 to 300.
    pub fn new(number: i16) -> Option<Self> {
        (Self::LEAST..=Self::MOST)
            .contains(&number)
            .then_some(Self(number))
    }

    pub fn number(self) -> i16 {
        self.0
    }

    /// The name at or below its place.
    pub fn name(self) -> &'static str {
        let shown = NAMES
            .iter()
            .filter(|(_, at, shown)| *shown && *at <= self.0);
        shown
            .max_by_key(|(_, at, _)| *at)
            .map_or("trace", |(name, ..)| name)
    }

    /// The severity of the event that begins with this line; `None` for other lines, such
    /// as those of a traceback. It is the first word that says one, among the first few:
    /// `ERROR`, `ERROR(200)`, `[error]`, `(150)`, `error:`, a hundred right after the time, or
    /// syslog's `<3>` at the beginning.
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let line = &line[..line.len().min(BYTES)];
        if let Some(severity) = priority(line) {
            return Some(severity);
        }
        let text = String::from_utf8_lossy(line);
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "[(".contains(c));
        if !begins {
            return None;
        }
        // Words since the time. Far from it, `error` may be a word of a sentence.
        let mut since = None;
        for word in text.split_ascii_whitespace().take(WORDS) {
            let plain = word.chars().all(|c| c.is_ascii_lowercase());
            let near = since.is_some_and(|words| words < NEAR);
            let found = of_word(word, since == Some(0)).filter(|_| near || !plain);
            if found.is_some() {
                return found;
            }
            since = match is_time(word) {
                true => Some(0),
                false => since.map(|words| words + 1),
            };
        }
        None
    }
}

/// `<134>`: a facility, eight times, and syslog's number.
fn priority(line: &[u8]) -> Option<Severity> {
    let text = line.strip_prefix(b"<")?;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number: u16 = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    let closed = text.get(digits) == Some(&b'>') && number < 192;
    closed.then(|| Severity(SYSLOG[usize::from(number % 8)]))
}

fn is_time(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(':')
}

fn of_word(word: &str, after_time: bool) -> Option<Severity> {
    let bare = word.trim_matches(|c: char| "[]:,;<>|".contains(c));
    if let Some((name, number)) = bare.strip_suffix(')').and_then(|text| text.split_once('(')) {
        let named = name.is_empty() || known(name).is_some();
        return Severity::new(number.parse().ok()?).filter(|_| named);
    }
    if let Some(severity) = known(bare) {
        return Some(severity);
    }
    let number: i16 = bare.parse().ok()?;
    let hundred = after_time && bare == word && number % 100 == 0;
    Severity::new(number).filter(|_| hundred)
}

fn known(name: &str) -> Option<Severity> {
    let found = NAMES
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name));
    found.map(|(_, number, _)| Severity(*number))
}

impl FromStr for Severity {
    type Err = String;

    /// A name or a number.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = || text.parse().ok().and_then(Self::new);
        known(text).or_else(number).ok_or_else(|| {
            format!(
                "`{text}` is no severity: write -300 to 300, or a name such as `info`, `warning`, `error`, `crit`"
            )
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_of_lines_as_programs_write_them() {
        for (line, expected) in [
            // Zope's event log, old and new.
            (
                "2026-03-01T10:00:00 INFO(0) ZServer HTTP server started",
                Some(0),
            ),
            (
                "2026-03-01T10:00:00 PANIC(300) Zope Startup failed",
                Some(300),
            ),
            ("2026-03-01T10:00:00 (150) Products something", Some(150)),
            ("2026-03-01T10:00:00 -200 x y", Some(-200)),
            (
                "2026-03-01 10:00:00,123 ERROR [Zope.SiteErrorLog:35] http://h/x",
                Some(200),
            ),
            ("2026-03-01T10:00:00 BLATHER(-100) ZODB loaded", Some(-100)),
            ("ZODB.POSException.ConflictError: an error occurred", None),
            ("  File \"/x/error.py\", line 3, in error", None),
            ("Traceback (most recent call last):", None),
            ("------", None),
            // Others.
            (
                "2026/03/01 10:00:00 [error] 12#12: *1 open() failed",
                Some(200),
            ),
            ("Mar  1 10:00:00 host app[12]: warning: disk", Some(100)),
            ("<134>1 2026-03-01T10:00:00Z host app - - - text", Some(0)),
            ("<3>text", Some(200)),
            ("<999>text", None),
            ("[2026-03-01T10:00:00Z CRIT app] text", Some(260)),
            (
                "2026-03-01 10:00:00 42 items, no error at all in here",
                None,
            ),
            ("2026-03-01 10:00:00 500 items", None),
            ("", None),
        ] {
            let found = Severity::of_line(line.as_bytes());
            assert_eq!(found.map(Severity::number), expected, "{line}");
        }
    }

    #[test]
    fn names_and_numbers_have_one_scale() {
        for (text, number, name) in [
            ("emerg", 300, "emerg"),
            ("PANIC", 300, "emerg"),
            ("err", 200, "error"),
            ("150", 150, "warning"),
            ("-300", -300, "trace"),
            ("-250", -250, "trace"),
        ] {
            let severity: Severity = text.parse().unwrap();
            assert_eq!(
                (severity.number(), severity.name()),
                (number, name),
                "{text}"
            );
        }
        for wrong in ["", "301", "-301", "loud", "1e2"] {
            assert!(wrong.parse::<Severity>().is_err(), "{wrong}");
        }
    }
}
