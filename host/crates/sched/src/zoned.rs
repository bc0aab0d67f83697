//! Wall-clock schedules in a zone: rule 5.
//!
//! As cronie does: a fixed-time fire inside a gap runs once, at the first instant
//! after the gap, and inside an overlap at the first pass. Where the second, minute
//! or hour field starts with `*`, every real instant whose wall clock matches fires.

use chrono::NaiveDateTime;
use mhost_model::Instant;

use crate::civil::Civil;
use crate::zone::{Wall, Zone};

/// More steps than any zone's history makes necessary.
const STEPS: u32 = 10_000;

/// How a schedule behaves where the clock is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Names its times: each comes once a day, whatever the clock does.
    Fixed,
    /// Goes with the clock: "every hour" means every real hour.
    Wild,
}

/// A wall-clock schedule with its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zoned {
    pub(crate) civil: Civil,
    pub(crate) zone: Zone,
    pub(crate) beat: Beat,
}

impl Zoned {
    /// The first fire after `after`.
    pub(crate) fn after(&self, after: Instant) -> Option<Instant> {
        match self.beat {
            Beat::Fixed => self.fixed_after(after),
            Beat::Wild => self.wild_after(after),
        }
    }

    /// Wall-clock times in order, each resolved to one instant; the order stays.
    fn fixed_after(&self, after: Instant) -> Option<Instant> {
        let mut local = self.settled_clock(after);
        for _ in 0..STEPS {
            local = self.civil.after(local)?;
            let at = match self.zone.wall(local) {
                Wall::Once(at) | Wall::Twice { first: at, .. } | Wall::Never { at, .. } => at,
            };
            if at > after {
                return Some(at);
            }
        }
        None
    }

    /// A wall-clock time up to which everything has fired at `after`: in the second
    /// pass of an overlap that is its end.
    fn settled_clock(&self, after: Instant) -> NaiveDateTime {
        let local = self.zone.clock(after);
        match self.zone.wall(local) {
            Wall::Twice { first, second } if second <= after => {
                let back = self.zone.changed_at(first, second);
                let before = back - chrono::TimeDelta::seconds(1);
                self.zone.clock(before)
            }
            _ => local,
        }
    }

    /// Instants in order whose wall clock matches.
    fn wild_after(&self, after: Instant) -> Option<Instant> {
        let local = self.zone.clock(after);
        match self.zone.wall(local) {
            Wall::Twice { first, second } if after < second => {
                self.wild_after_first_pass(after, local, first, second)
            }
            _ => self.real(self.civil.after(local), after),
        }
    }

    /// The rest of the first pass, then all of the second.
    fn wild_after_first_pass(
        &self,
        after: Instant,
        local: NaiveDateTime,
        first: Instant,
        second: Instant,
    ) -> Option<Instant> {
        let back = self.zone.changed_at(first, second);
        if let Some(next) = self.civil.after(local) {
            let at = (next - self.zone.offset_at(first)).and_utc();
            if at < back {
                return Some(at);
            }
        }
        let again = self.zone.clock(back);
        self.real(self.civil.at_or_after(again), after)
    }

    /// The first instant after `after` at which the clock shows `local` or a later match.
    fn real(&self, local: Option<NaiveDateTime>, after: Instant) -> Option<Instant> {
        let mut local = local?;
        for _ in 0..STEPS {
            local = match self.zone.wall(local) {
                Wall::Once(at) if at > after => return Some(at),
                Wall::Twice { first, .. } if first > after => return Some(first),
                Wall::Twice { second, .. } if second > after => return Some(second),
                Wall::Never { until, .. } => self.civil.at_or_after(until)?,
                Wall::Once(_) | Wall::Twice { .. } => self.civil.after(local)?,
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compiled, parse_expr};

    /// Kwajalein lived through 1969-09-30 twice, all but an hour of it.
    #[test]
    fn rule_5_the_second_pass_of_a_long_overlap_is_passed_over_at_once() {
        let schedule = parse_expr("0-59 0-59 0-23 * * *", Some("Pacific/Kwajalein")).unwrap();
        let compiled = Compiled::parse(&schedule).unwrap();
        let back: Instant = "1969-09-30T13:00:00Z".parse().unwrap();
        let end = back + chrono::TimeDelta::hours(23);
        let last = back - chrono::TimeDelta::seconds(1);
        assert_eq!(compiled.next_after(last, last), Some(end));
        assert_eq!(compiled.next_after(back, back), Some(end));
    }
}
