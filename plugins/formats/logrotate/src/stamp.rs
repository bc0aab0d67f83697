//! The date in an archive's name: its text, and the order of those that are there.

use chrono::{Datelike as _, Days, NaiveDate, NaiveDateTime, TimeDelta, Timelike as _};

use crate::options::{DateOf, Options};

/// A piece of a date format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Text(char),
    /// One of `Y m d H M S V s`.
    Field(char),
}

/// A date format, for one run.
#[derive(Debug, Clone)]
pub struct Stamp {
    pieces: Vec<Piece>,
    /// What goes into a new name.
    pub text: String,
}

/// When an archive was made by its name; what its format does not tell is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Made {
    seconds: i64,
    at: NaiveDateTime,
}

impl Stamp {
    /// `now` in the zone of the names; `epoch` is the same moment in seconds since 1970.
    pub fn new(options: &Options, now: NaiveDateTime, epoch: i64) -> Self {
        let (at, epoch) = match options.date {
            DateOf::Now => (now, epoch),
            DateOf::Yesterday => (
                now.checked_sub_days(Days::new(1)).unwrap_or(now),
                epoch - 86_400,
            ),
            DateOf::HourAgo => (now - TimeDelta::hours(1), epoch - 3_600),
        };
        let pieces = pieces(options.date_format());
        let text = pieces
            .iter()
            .map(|piece| write(*piece, at, epoch))
            .collect();
        Self { pieces, text }
    }

    /// Reads a date off the beginning of a text: when, and what follows.
    pub fn read<'t>(&self, text: &'t str) -> Option<(Made, &'t str)> {
        let mut rest = text;
        let mut fields = Fields::default();
        for piece in &self.pieces {
            rest = match piece {
                Piece::Text(c) => rest.strip_prefix(*c)?,
                Piece::Field(field) => {
                    let digits = rest.get(..width(*field))?;
                    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                        return None;
                    }
                    fields.set(*field, digits.parse().ok()?);
                    &rest[digits.len()..]
                }
            };
        }
        Some((fields.made(), rest))
    }
}

/// Sorts archives from the oldest to the newest; equal dates by name.
pub fn order(archives: &mut [(Made, String)]) {
    archives.sort_unstable();
}

fn pieces(format: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('%', Some(field @ ('Y' | 'm' | 'd' | 'H' | 'M' | 'S' | 'V' | 's'))) => {
                pieces.push(Piece::Field(*field));
                chars.next();
            }
            (c, _) => pieces.push(Piece::Text(c)),
        }
    }
    pieces
}

fn width(field: char) -> usize {
    match field {
        'Y' => 4,
        's' => 10,
        _ => 2,
    }
}

fn write(piece: Piece, at: NaiveDateTime, epoch: i64) -> String {
    match piece {
        Piece::Text(c) => c.to_string(),
        Piece::Field('Y') => format!("{:04}", at.year()),
        Piece::Field('m') => format!("{:02}", at.month()),
        Piece::Field('d') => format!("{:02}", at.day()),
        Piece::Field('H') => format!("{:02}", at.hour()),
        Piece::Field('M') => format!("{:02}", at.minute()),
        Piece::Field('S') => format!("{:02}", at.second()),
        Piece::Field('V') => format!("{:02}", at.iso_week().week()),
        Piece::Field(_) => epoch.to_string(),
    }
}

#[derive(Debug, Clone, Copy)]
struct Fields {
    year: i32,
    week: u32,
    /// Month, day, hour, minute, second.
    parts: [u32; 5],
    seconds: i64,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            year: 1900,
            week: 0,
            parts: [1, 1, 0, 0, 0],
            seconds: 0,
        }
    }
}

impl Fields {
    fn set(&mut self, field: char, value: i64) {
        let small = u32::try_from(value).unwrap_or(0);
        match field {
            'Y' => self.year = i32::try_from(value).unwrap_or(1900),
            's' => self.seconds = value,
            'V' => self.week = small,
            'm' => self.parts[0] = small,
            'd' => self.parts[1] = small,
            'H' => self.parts[2] = small,
            'M' => self.parts[3] = small,
            _ => self.parts[4] = small,
        }
    }

    /// Dates that are none (the 31st of February) count as near as they can.
    fn made(self) -> Made {
        let [month, day, hour, minute, second] = self.parts;
        let month = month.clamp(1, 12);
        let begin = NaiveDate::from_ymd_opt(self.year, month, 1).unwrap_or(NaiveDate::MIN);
        let weeks = u64::from(self.week.saturating_sub(1)) * 7;
        let date = begin + Days::new(u64::from(day.clamp(1, 99) - 1) + weeks);
        let clock = date.and_hms_opt(hour.min(23), minute.min(59), second.min(59));
        Made {
            seconds: self.seconds,
            at: clock.unwrap_or(NaiveDateTime::MIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(format: &str, date: DateOf) -> Stamp {
        let options = Options {
            dateformat: Some(format.to_owned()),
            date,
            ..Options::default()
        };
        let now = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        Stamp::new(&options, now.and_hms_opt(0, 30, 5).unwrap(), 1_772_325_005)
    }

    #[test]
    fn fields_are_written() {
        for (format, date, expected) in [
            ("-%Y%m%d", DateOf::Now, "-20260301"),
            ("-%Y%m%d", DateOf::Yesterday, "-20260228"),
            (".%Y-%m-%d-%H", DateOf::HourAgo, ".2026-02-28-23"),
            ("_%H:%M:%S", DateOf::Now, "_00:30:05"),
            ("-%s", DateOf::Now, "-1772325005"),
            ("-%V", DateOf::Now, "-09"),
            ("-%Y%q%%", DateOf::Now, "-2026%q%%"),
        ] {
            assert_eq!(stamp(format, date).text, expected, "{format}");
        }
    }

    #[test]
    fn the_newest_is_known_whatever_the_order_of_its_fields() {
        let stamp = stamp("-%d%m%Y", DateOf::Now);
        let names = ["-31012026", "-01022026", "-15122025", "-3102202x"];
        let read = names
            .iter()
            .filter_map(|name| Some((stamp.read(name)?.0, (*name).to_owned())));
        let mut read: Vec<_> = read.collect();
        order(&mut read);
        let names: Vec<_> = read.into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["-15122025", "-31012026", "-01022026"]);
    }

    #[test]
    fn what_follows_a_date_is_left() {
        let stamp = stamp("-%Y%m%d", DateOf::Now);
        assert_eq!(stamp.read("-20260301.log.gz").unwrap().1, ".log.gz");
        assert!(stamp.read("-2026030").is_none());
        assert!(stamp.read("-2026030ä").is_none());
    }
}
