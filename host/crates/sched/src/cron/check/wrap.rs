//! Ranges over a field's end, such as 22 to 4 in hours: what cron takes in their place.

use super::{Field, Kind};

/// As many values of a step are listed; of more, a range with the step stands for them.
const LISTED: usize = 5;

impl Field {
    /// A range that begins after its end: up to the field's end, and from its beginning.
    /// The step goes on over the end.
    pub(super) fn wrapped(&self, from: u32, to: u32, step: u32, named: bool) -> String {
        let top = match self.kind {
            Kind::DayOfWeek => 6,
            _ => self.high,
        };
        // A range's first 7 is a Sunday as 0 is, and so begins the week.
        let from = if from > top { self.low } else { from };
        if from <= to {
            return self.run(from, to, step, named);
        }
        let head = self.run(from, top, step, named);
        let last = from + (top - from) / step * step;
        let again = last + step - (top + 1 - self.low);
        if again > to {
            return head;
        }
        format!("{head},{}", self.run(again, to, step, named))
    }

    fn run(&self, from: u32, to: u32, step: u32, named: bool) -> String {
        let values: Vec<_> = (from..=to).step_by(step as usize).collect();
        let show = |value: u32| match named {
            true => self.names[(value - self.low) as usize].to_owned(),
            false => value.to_string(),
        };
        match values[..] {
            [first, .., last] if step == 1 => format!("{}-{}", show(first), show(last)),
            [first, .., last] if values.len() > LISTED => {
                format!("{}-{}/{step}", show(first), show(last))
            }
            _ => {
                let listed = values.iter().map(|value| show(*value));
                listed.collect::<Vec<_>>().join(",")
            }
        }
    }

    /// The end of a range that has none, by name where its start is one. A week ends with
    /// the Sunday after it, unless it began with one.
    pub(super) fn end(&self, start: &str, value: u32) -> String {
        let named = self.names.contains(&start);
        match (&self.kind, named, value) {
            (Kind::DayOfWeek, true, 0) => "SAT".into(),
            (Kind::DayOfWeek, true, _) => "SUN".into(),
            (Kind::DayOfWeek, false, 0) => "6".into(),
            (_, true, _) => self.names[self.names.len() - 1].into(),
            _ => self.high.to_string(),
        }
    }
}
