//! Rule 1 as a proof: which due times of a task have no row. A pure function of the eras in
//! which the task was enabled, each with its schedule and its zone as they were then, and of the
//! fire times that stand in the ledger; reading both is the host's.

use std::iter::Peekable;

use chrono::TimeDelta;
use mhost_model::Instant;
use mhost_model::plan::Era;

use crate::Compiled;
use crate::fault::ScheduleFault;

/// As many fires are named; more are counted.
const NAMED: usize = 10_000;

/// The due times of eras (oldest first, none in another) from `since` on and before `until`.
pub fn due_times(
    eras: &[Era],
    since: Option<Instant>,
    until: Instant,
) -> Result<impl Iterator<Item = Instant>, ScheduleFault> {
    let compiled = eras.iter().map(|era| {
        let compiled = Compiled::read(&era.schedule)?;
        Ok((era, compiled.with_zone(era.zone.as_deref().unwrap_or(&[]))))
    });
    let compiled = compiled.collect::<Result<Vec<_>, ScheduleFault>>()?;
    let step = TimeDelta::milliseconds(1);
    let before = |at: Instant| at.checked_sub_signed(step).unwrap_or(at);
    let last = before(until);
    let since = since.map(before);
    Ok(compiled.into_iter().flat_map(move |(era, schedule)| {
        let mut after = since.map_or(era.from, |since| era.from.max(since));
        let end = era.until.map_or(last, |end| end.min(last));
        std::iter::from_fn(move || {
            let next = schedule.next_after(after, era.anchor)?;
            after = next;
            (next <= end).then_some(next)
        })
    }))
}

/// The instant after which due times can be proved. Where older rows were cleaned away, an
/// empty era may stand before the first that holds anything: it keeps only that the task was
/// off after it.
pub fn known_after(eras: &[Era]) -> Option<Instant> {
    let holds = |era: &&Era| era.until.is_none_or(|until| until > era.from);
    let era = eras.iter().find(holds);
    era.or(eras.last()).map(|era| era.from)
}

/// Due times held against rows, both in order.
pub struct Proof<I: Iterator<Item = Instant>> {
    due: Peekable<I>,
    /// So many due times have their row.
    pub accounted: u64,
    pub gaps: Fires,
    /// Rows at times that are no due times.
    pub strays: Fires,
}

/// Some fire times: the first of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fires {
    pub count: u64,
    pub named: Vec<Instant>,
}

impl Fires {
    fn add(&mut self, fire: Instant) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(fire);
        }
    }
}

impl<I: Iterator<Item = Instant>> Proof<I> {
    pub fn new(due: I) -> Self {
        Self {
            due: due.peekable(),
            accounted: 0,
            gaps: Fires::default(),
            strays: Fires::default(),
        }
    }

    /// The next row of the ledger.
    pub fn row(&mut self, fire_at: Instant) {
        while let Some(gap) = self.due.next_if(|due| *due < fire_at) {
            self.gaps.add(gap);
        }
        match self.due.next_if_eq(&fire_at) {
            Some(_) => self.accounted += 1,
            None => self.strays.add(fire_at),
        }
    }

    /// There is no further row.
    pub fn end(&mut self) {
        for gap in self.due.by_ref() {
            self.gaps.add(gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_expr;

    fn at(text: &str) -> Instant {
        format!("2026-03-{text}Z").parse().unwrap()
    }

    fn era(expr: &str, from: &str, until: Option<&str>) -> Era {
        Era {
            from: at(from),
            until: until.map(at),
            schedule: parse_expr(expr, None).unwrap(),
            anchor: at("01T00:00:00"),
            zone: None,
        }
    }

    fn shown(fires: &[Instant]) -> Vec<String> {
        let form = |fire: &Instant| fire.format("%d %H:%M").to_string();
        fires.iter().map(form).collect()
    }

    /// An edit at noon of the 2nd, a pause over the 3rd, and back at noon of the 4th.
    fn eras() -> Vec<Era> {
        vec![
            era("0 3 * * *", "01T00:00:00", Some("02T12:00:00")),
            era("0 4 * * *", "02T12:00:00", Some("03T00:00:00")),
            era("0 4 * * *", "04T12:00:00", None),
        ]
    }

    #[test]
    fn rule_1_due_times_follow_edits_and_pauses() {
        let due = |since: Option<&str>, until| {
            let eras = eras();
            let due = due_times(&eras, since.map(at), at(until)).unwrap();
            shown(&due.collect::<Vec<_>>())
        };
        let all = ["01 03:00", "02 03:00", "05 04:00", "06 04:00"];
        assert_eq!(due(None, "07T00:00:00"), all);
        // From `since` on, and before `until`.
        assert_eq!(due(Some("02T03:00:00"), "06T04:00:00"), all[1..3]);
        assert!(due(Some("02T04:00:00"), "04T23:00:00").is_empty());
    }

    #[test]
    fn rule_1_a_due_time_without_a_row_is_a_gap_and_a_row_without_one_a_stray() {
        let eras = eras();
        let due = due_times(&eras, None, at("07T00:00:00")).unwrap();
        let mut proof = Proof::new(due);
        for row in ["01T03:00:00", "05T03:00:00", "05T04:00:00"] {
            proof.row(at(row));
        }
        proof.end();
        assert_eq!(proof.accounted, 2);
        assert_eq!(shown(&proof.gaps.named), ["02 03:00", "06 04:00"]);
        assert_eq!(shown(&proof.strays.named), ["05 03:00"]);
    }

    /// A zone that gave its summer time up: what was due before the news is due in the proof.
    #[test]
    fn rule_5_an_era_is_judged_by_the_zone_as_it_was_known() {
        let mut era = era("0 3 * * *", "01T12:00:00", Some("03T12:00:00"));
        let change = |at, offset| mhost_model::plan::ZoneChange { at, offset };
        era.zone = Some(vec![change(0, 7_200)]);
        let Ok(tz) = parse_expr("0 3 * * *", Some("Europe/Kyiv")) else {
            panic!("a schedule");
        };
        era.schedule = tz;
        let eras = [era];
        let due = due_times(&eras, None, at("07T00:00:00")).unwrap();
        assert_eq!(shown(&due.collect::<Vec<_>>()), ["02 01:00", "03 01:00"]);
    }
}
