//! logrotate's state file: when each log was last rotated, in version 2 of its format
//! (version 1 is read too).

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime};

/// Times by log, in the zone of the calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub logs: BTreeMap<String, NaiveDateTime>,
}

/// What of a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// From 1.
    pub line: usize,
    pub why: String,
}

const HEAD: &str = "logrotate state -- version 2";
const OLD_HEAD: &str = "logrotate state -- version 1";

impl State {
    /// Reads what can be read. An empty file is an empty state.
    pub fn read(text: &str) -> (Self, Vec<Damage>) {
        let mut state = Self::default();
        let mut damages = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim_end();
            let read = match at {
                0 if line == HEAD || line == OLD_HEAD || line.is_empty() => continue,
                0 => Err("its first line is not that of a state file".to_owned()),
                _ if line.trim().is_empty() => continue,
                _ => entry(line),
            };
            match read {
                Ok((log, time)) => {
                    state.logs.insert(log, time);
                }
                Err(why) => damages.push(Damage { line: at + 1, why }),
            }
        }
        (state, damages)
    }

    /// A time as it stands in the file.
    pub fn time(text: &str) -> Option<NaiveDateTime> {
        time(text.trim())
    }

    /// A time as it is written there.
    pub fn time_text(at: NaiveDateTime) -> String {
        at.format("%Y-%-m-%-d-%-H:%-M:%-S").to_string()
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let lines = self.logs.iter().map(|(log, time)| {
            let time = Self::time_text(*time);
            format!("\"{}\" {time}\n", escaped(log))
        });
        format!("{HEAD}\n{}", lines.collect::<String>())
    }
}

fn entry(line: &str) -> Result<(String, NaiveDateTime), String> {
    let cut = || "it is no entry: a path and a time".to_owned();
    let (log, rest) = match line.strip_prefix('"') {
        Some(quoted) => unescaped(quoted).ok_or_else(cut)?,
        None => {
            let (log, time) = line.split_once(char::is_whitespace).ok_or_else(cut)?;
            (log.to_owned(), time)
        }
    };
    let time = time(rest.trim()).ok_or_else(|| format!("`{}` is no time", rest.trim()))?;
    Ok((log, time))
}

/// `2026-3-1` or `2026-3-1-17:4:5`.
fn time(text: &str) -> Option<NaiveDateTime> {
    let mut parts = text.splitn(4, '-');
    let year = parts.next()?.parse().ok()?;
    let month = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    let date =
        NaiveDate::from_ymd_opt(year, month, day).filter(|_| (1996..=9999).contains(&year))?;
    let Some(clock) = parts.next() else {
        return date.and_hms_opt(0, 0, 0);
    };
    let mut parts = clock.split(':');
    let mut next = || parts.next()?.parse::<u32>().ok();
    let (hour, minute, second) = (next()?, next()?, next()?);
    // A leap second is the last of its minute here.
    date.and_hms_opt(hour, minute, second.min(59))
        .filter(|_| second <= 60)
}

fn escaped(log: &str) -> String {
    let mut text = String::with_capacity(log.len());
    for c in log.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text
}

/// Up to the closing quote, and what follows it.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut log = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((log, &text[at + 1..])),
            '\\' => log.push(match chars.next()?.1 {
                'n' => '\n',
                c => c,
            }),
            c => log.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i32, month: u32, day: u32, clock: (u32, u32, u32)) -> NaiveDateTime {
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        date.and_hms_opt(clock.0, clock.1, clock.2).unwrap()
    }

    #[test]
    fn what_logrotate_wrote_is_read() {
        let text = "logrotate state -- version 2\n\"/l/a.log\" 2026-11-24-5:36:41\n\n\
                    \"/l/a\\\"b\\\\c\\nd\" 2026-1-2\n/l/old 2020-2-3\n";
        let (state, damages) = State::read(text);
        assert_eq!(damages, []);
        assert_eq!(state.logs["/l/a.log"], at(2026, 11, 24, (5, 36, 41)));
        assert_eq!(state.logs["/l/a\"b\\c\nd"], at(2026, 1, 2, (0, 0, 0)));
        assert_eq!(state.logs["/l/old"], at(2020, 2, 3, (0, 0, 0)));
        assert_eq!(State::read(&state.text()), (state, vec![]));
    }

    #[test]
    fn a_bad_line_spoils_no_other() {
        let text = "logrotate state -- version 2\n\"/l/a\" rubbish\n\"/l/b\" 2026-13-1\n\"/l/c 2026-1-1\n\
                    \"/l/d\" 2026-1-1-25:0:0\nx\n\"/l/e\" 2026-1-1-2:0:0\n";
        let (state, damages) = State::read(text);
        assert_eq!(state.logs.len(), 1);
        let lines: Vec<_> = damages.iter().map(|damage| damage.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        let (state, damages) = State::read("garbage\n\"/l/e\" 2026-1-1-2:0:0\n");
        assert_eq!((state.logs.len(), damages.len()), (1, 1));
        assert_eq!(State::read(""), (State::default(), vec![]));
    }
}
