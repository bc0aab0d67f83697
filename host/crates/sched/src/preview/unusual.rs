//! What is unusual about a fire: as data for programs, as a sentence for people.

use std::fmt;

use chrono::{NaiveDateTime, TimeDelta, Timelike};
use mhost_model::{Instant, Name, Span};
use serde::{Deserialize, Serialize};

use crate::Compiled;
use crate::zone::Wall;
use crate::zoned::{Beat, Zoned};

/// As many times inside a gap are named; of more, the first, the last and the count.
const NAMED: usize = 5;

/// A note on a fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    #[serde(flatten)]
    pub what: Unusual,
    /// For people.
    pub text: String,
}

/// What can be unusual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Unusual {
    /// The clock is set forward over these wall-clock times, and the fire stands for
    /// all of them. `missing` holds the first few of `count`, as `HH:MM`, after the date where
    /// that is not the fire's: `2011-12-30 12:00`.
    Gap {
        missing: Vec<String>,
        count: usize,
        runs_at: String,
    },
    /// The clock is set back over this wall-clock time, so that it comes twice.
    /// `once`: the fire belongs to the first pass alone.
    Twice {
        local: String,
        pass: Pass,
        once: bool,
    },
    /// It starts later than it is due, every time by the same offset.
    Jitter { offset: Span },
    /// It is due already, and runs as soon as it may; `pool` where it waits for a slot of it.
    CatchUp {
        by: Span,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pool: Option<Name>,
    },
    /// Fires before it were missed and do not run.
    Missed { coalesced: u64, skipped: u64 },
    /// The task is paused: it does not run.
    Paused,
    /// The task is in quarantine: it does not run before it is approved.
    Held,
}

/// Which time a wall-clock time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    First,
    Second,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Note {
    pub(super) fn jitter(offset: Span) -> Self {
        Self {
            text: format!("starts {offset} later: the task's jitter"),
            what: Unusual::Jitter { offset },
        }
    }

    pub(super) fn catch_up(fire: Instant, now: Instant, pool: Option<&Name>) -> Self {
        let by = TimeDelta::seconds((now - fire).num_seconds());
        let by = Span(by.to_std().unwrap_or_default());
        let text = match pool {
            Some(pool) => format!("due for {by} already: waits for a slot of the pool `{pool}`"),
            None => format!("catch-up: due for {by} already, runs at once"),
        };
        let pool = pool.cloned();
        Self {
            text,
            what: Unusual::CatchUp { by, pool },
        }
    }

    pub(super) fn missed(coalesced: u64, skipped: u64) -> Option<Self> {
        let text = match (coalesced, skipped) {
            (0, 0) => return None,
            (coalesced, 0) => format!("{coalesced} missed before it: coalesced, not run"),
            (0, skipped) => format!("{skipped} missed before it: skipped"),
            (coalesced, skipped) => {
                format!("{coalesced} missed before it coalesced, and {skipped} skipped")
            }
        };
        Some(Self {
            text,
            what: Unusual::Missed { coalesced, skipped },
        })
    }

    pub(super) fn paused() -> Self {
        Self {
            text: "paused: does not run".into(),
            what: Unusual::Paused,
        }
    }

    pub(super) fn held(why: &str) -> Self {
        Self {
            text: format!("does not run before it is approved: {why}"),
            what: Unusual::Held,
        }
    }
}

/// What the zone makes unusual about a fire of this schedule.
pub(super) fn of(schedule: &Compiled, fire: Instant) -> Option<Note> {
    let (Compiled::Cron(zoned) | Compiled::Fields(zoned)) = schedule else {
        return None;
    };
    twice(zoned, fire).or_else(|| gap(zoned, fire))
}

fn twice(zoned: &Zoned, fire: Instant) -> Option<Note> {
    let clock = zoned.zone.clock(fire);
    let Wall::Twice { first, .. } = zoned.zone.wall(clock) else {
        return None;
    };
    let local = short(clock);
    let once = zoned.beat == Beat::Fixed;
    let pass = if fire == first {
        Pass::First
    } else {
        Pass::Second
    };
    let text = match (once, pass) {
        (true, _) => format!("{local} comes twice on that day: runs the first time only"),
        (false, Pass::First) => format!("{local} comes twice on that day: the first time"),
        (false, Pass::Second) => format!("{local} comes twice on that day: the second time"),
    };
    Some(Note {
        what: Unusual::Twice { local, pass, once },
        text,
    })
}

/// Matching wall-clock times that the clock jumped over right before a fixed fire.
fn gap(zoned: &Zoned, fire: Instant) -> Option<Note> {
    let before = zoned.zone.offset_at(fire - TimeDelta::seconds(1));
    if zoned.beat != Beat::Fixed || before >= zoned.zone.offset_at(fire) {
        return None;
    }
    let until = zoned.zone.clock(fire);
    let mut first = Vec::new();
    let mut last = until;
    let mut count = 0;
    let mut next = zoned.civil.at_or_after(fire.naive_utc() + before);
    while let Some(local) = next.filter(|local| *local < until) {
        if first.len() < NAMED {
            first.push(local);
        }
        last = local;
        count += 1;
        next = zoned.civil.after(local);
    }
    (count > 0).then(|| gap_note(&first, last, count, until))
}

fn gap_note(
    first: &[NaiveDateTime],
    last: NaiveDateTime,
    count: usize,
    until: NaiveDateTime,
) -> Note {
    let runs_at = short(until);
    // A date holds for the times after it; without one it is the fire's.
    let mut date = until.date();
    let mut name = |local: NaiveDateTime| match std::mem::replace(&mut date, local.date()) {
        before if before == local.date() => short(local),
        _ => dated(local),
    };
    let names = match count > first.len() {
        true => format!("{} to {}, {count} times,", name(first[0]), name(last)),
        false => first
            .iter()
            .copied()
            .map(&mut name)
            .collect::<Vec<_>>()
            .join(", "),
    };
    let day = match first[0].date() == until.date() {
        true => " on that day",
        false => "",
    };
    let text = match count {
        1 => format!("{names} does not exist{day}: runs at {runs_at}"),
        _ => format!("{names} do not exist{day}: runs once, at {runs_at}"),
    };
    let missing = first
        .iter()
        .map(|local| match local.date() == until.date() {
            true => short(*local),
            false => dated(*local),
        });
    Note {
        what: Unusual::Gap {
            missing: missing.collect(),
            count,
            runs_at,
        },
        text,
    }
}

fn dated(local: NaiveDateTime) -> String {
    format!("{} {}", local.date(), short(local))
}

/// `HH:MM`, with seconds where there are some.
fn short(local: NaiveDateTime) -> String {
    let form = if local.second() == 0 {
        "%H:%M"
    } else {
        "%H:%M:%S"
    };
    local.format(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_expr;

    fn notes(expr: &str, tz: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = parse_expr(expr, Some(tz)).unwrap();
        let schedule = Compiled::parse(&schedule).unwrap();
        crate::preview::fires(&schedule, from.parse().unwrap(), None, count)
            .map(|coming| {
                let notes: Vec<_> = coming.notes.iter().map(|n| n.text.as_str()).collect();
                format!("{} {}", coming.local, notes.join("; "))
            })
            .collect()
    }

    #[test]
    fn rule_5_gaps_and_overlaps_are_announced() {
        for (expr, tz, from, expected) in [
            (
                "30 3 * * *",
                "Europe/Kyiv",
                "2026-03-28T12:00:00Z",
                vec![
                    "2026-03-29 04:00:00 EEST 03:30 does not exist on that day: runs at 04:00",
                    "2026-03-30 03:30:00 EEST ",
                ],
            ),
            (
                "*/20 3 * * *",
                "Europe/Kyiv",
                "2026-03-28T12:00:00Z",
                vec!["2026-03-30 03:00:00 EEST "],
            ),
            (
                "0,20,40 3 * * *",
                "Europe/Kyiv",
                "2026-03-28T12:00:00Z",
                vec![
                    "2026-03-29 04:00:00 EEST 03:00, 03:20, 03:40 do not exist on that day: runs once, at 04:00",
                ],
            ),
            (
                "0-59 3 * * *",
                "Europe/Kyiv",
                "2026-03-28T12:00:00Z",
                vec![
                    "2026-03-29 04:00:00 EEST 03:00 to 03:59, 60 times, do not exist on that day: runs once, at 04:00",
                ],
            ),
            (
                "30 23 * * *",
                "America/Nuuk",
                "2024-03-30T12:00:00Z",
                vec![
                    "2024-03-31 00:00:00 -01 2024-03-30 23:30 does not exist: runs at 00:00",
                    "2024-03-31 23:30:00 -01 ",
                ],
            ),
            (
                "0 6,12 * * *",
                "Pacific/Apia",
                "2011-12-30T09:00:00Z",
                vec![
                    "2011-12-31 00:00:00 +14 2011-12-30 06:00, 12:00 do not exist: runs once, at 00:00",
                    "2011-12-31 06:00:00 +14 ",
                ],
            ),
            (
                "0 0-23 * * *",
                "Pacific/Apia",
                "2011-12-30T09:59:00Z",
                vec![
                    "2011-12-31 00:00:00 +14 2011-12-30 00:00 to 23:00, 24 times, do not exist: runs once, at 00:00",
                ],
            ),
            (
                "30 3 * * *",
                "Europe/Kyiv",
                "2026-10-24T12:00:00Z",
                vec![
                    "2026-10-25 03:30:00 EEST 03:30 comes twice on that day: runs the first time only",
                    "2026-10-26 03:30:00 EET ",
                ],
            ),
            (
                "30 * * * *",
                "Europe/Kyiv",
                "2026-10-25T00:00:00Z",
                vec![
                    "2026-10-25 03:30:00 EEST 03:30 comes twice on that day: the first time",
                    "2026-10-25 03:30:00 EET 03:30 comes twice on that day: the second time",
                    "2026-10-25 04:30:00 EET ",
                ],
            ),
            (
                "{ every = \"1500ms\" }",
                "Europe/Kyiv",
                "2026-10-25T00:00:00Z",
                vec!["2026-10-25 00:00:01.500 UTC "],
            ),
        ] {
            assert_eq!(notes(expr, tz, from, expected.len()), expected, "{expr}");
        }
    }

    /// No zone's data have such a gap today.
    #[test]
    fn rule_5_a_date_stands_before_the_first_time_of_its_day() {
        let at = |time: &str| time.parse::<NaiveDateTime>().unwrap();
        let first = [at("2026-03-28T23:30:00"), at("2026-03-29T00:15:00")];
        let note = gap_note(&first, first[1], 2, at("2026-03-29T00:30:00"));
        assert_eq!(
            note.text,
            "2026-03-28 23:30, 2026-03-29 00:15 do not exist: runs once, at 00:30"
        );
        let missing = vec!["2026-03-28 23:30".to_owned(), "00:15".to_owned()];
        let runs_at = "00:30".to_owned();
        let count = 2;
        assert_eq!(
            note.what,
            Unusual::Gap {
                missing,
                count,
                runs_at
            }
        );
    }
}
