//! The grammar of a field, for the sake of good errors and of texts that croner
//! would read otherwise than cron: names in other fields, empty lists, a lone `L`.

use crate::fault::{ScheduleFault, shown};

/// What a field takes.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    /// Names of the values from `low` on.
    names: &'static [&'static str],
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Plain,
    DayOfMonth,
    DayOfWeek,
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const fn plain(name: &'static str, low: u32, high: u32) -> Field {
    Field {
        name,
        low,
        high,
        names: &[],
        kind: Kind::Plain,
    }
}

const SECOND: Field = plain("second", 0, 59);
const FIELDS: [Field; 5] = [
    plain("minute", 0, 59),
    plain("hour", 0, 23),
    Field {
        kind: Kind::DayOfMonth,
        ..plain("day of the month", 1, 31)
    },
    Field {
        names: &MONTHS,
        ..plain("month", 1, 12)
    },
    Field {
        names: &WEEKDAYS,
        kind: Kind::DayOfWeek,
        ..plain("day of the week", 0, 7)
    },
];

/// Why a part is wrong, and the nearest right one.
type Wrong = (String, String);

/// Checks all fields; the fault names the first wrong one.
pub(super) fn fields(expr: &str, second: &str, rest: &[&str]) -> Result<(), ScheduleFault> {
    let all = [(&SECOND, second)]
        .into_iter()
        .chain(FIELDS.iter().zip(rest.iter().copied()));
    for (field, text) in all {
        check(field, text).map_err(|(part, (why, remedy))| ScheduleFault::Field {
            expr: shown(expr),
            field: field.name,
            part: shown(&part),
            why,
            remedy,
        })?;
    }
    Ok(())
}

/// A list of items; a fault comes with the item.
fn check(field: &Field, text: &str) -> Result<(), (String, Wrong)> {
    if text == "*" || (text == "?" && field.kind != Kind::Plain) {
        return Ok(());
    }
    let upper = text.to_ascii_uppercase();
    let items: Vec<_> = upper.split(',').collect();
    for item in &items {
        field.item(item).map_err(|wrong| ((*item).into(), wrong))?;
    }
    if items.contains(&"L") && items.contains(&"LW") {
        let wrong = (
            "names two last days".into(),
            "keep one of `L` and `LW`".into(),
        );
        return Err((text.into(), wrong));
    }
    Ok(())
}

/// The name most like `text`, if one is.
pub(crate) fn nearest<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if text.len() > 64 {
        return None;
    }
    names
        .map(|name| (likeness(text, name), name))
        .filter(|(score, _)| *score >= 0.66)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// By its beginning, or by the letters that would have to move.
fn likeness(text: &str, name: &str) -> f64 {
    let moved = strsim::normalized_damerau_levenshtein(text, name);
    let begins = strsim::jaro_winkler(text, name);
    moved.max(if begins >= 0.7 { begins } else { 0.0 })
}

impl Field {
    fn item(&self, item: &str) -> Result<(), Wrong> {
        match item {
            "" => Err(wrong("is empty", "remove the empty place in the list")),
            "*" => Err(wrong(
                "is every value already",
                "write `*` alone, or leave it out of the list",
            )),
            "?" => Err(wrong("has no meaning here", "write `*`")),
            "L" | "LW" if self.kind == Kind::DayOfMonth => Ok(()),
            "L" if self.kind == Kind::DayOfWeek => Err(wrong(
                "names no weekday",
                "write `FRI#L` or `5L` for the last Friday",
            )),
            _ if item.contains('/') => self.stepped(item),
            _ if item.contains('-') => self.range(item),
            _ if self.kind == Kind::DayOfMonth && item.ends_with('W') => self.near_weekday(item),
            _ if self.kind == Kind::DayOfWeek => self.weekday(item),
            _ => self.value(item).map(drop),
        }
    }

    /// `*/n` or `a-b/n`.
    fn stepped(&self, item: &str) -> Result<(), Wrong> {
        let (start, step) = item.split_once('/').unwrap_or((item, ""));
        match start {
            "*" => {}
            "" => return Err(wrong("has no range before its step", &self.every(step))),
            _ if start.contains('-') => self.range(start)?,
            _ => {
                self.value(start)?;
                let remedy = format!("write `{start}-{}/{step}`", self.high);
                return Err(wrong("has no end of its range", &remedy));
            }
        }
        let most = self.high - self.low;
        match number(step) {
            Some(step) if (1..=most).contains(&step) => Ok(()),
            _ => Err(wrong(
                "has a step that this field does not take",
                &format!(
                    "write a step of 1 to {most}, or {} to {} alone",
                    self.low, self.high
                ),
            )),
        }
    }

    fn every(&self, step: &str) -> String {
        match number(step) {
            Some(step) => format!("write `*/{step}`"),
            None => "write `*/` and a number".into(),
        }
    }

    /// `a-b`
    fn range(&self, item: &str) -> Result<(), Wrong> {
        if self.kind == Kind::DayOfMonth && item.ends_with('W') {
            return self.near_weekday(item);
        }
        let (first, last) = item.split_once('-').unwrap_or((item, ""));
        let (from, to) = (self.value(first)?, self.value(last)?);
        // croner reads a range's last `SUN` as 7, so that this one would be every day.
        if from == 0 && last == "SUN" {
            return Err(wrong("is a single day", "write `SUN`"));
        }
        let to = if last == "SUN" { 7 } else { to };
        if from <= to {
            return Ok(());
        }
        Err(wrong("runs backward", &self.split_range(first, last)))
    }

    /// A range over the field's end as two.
    fn split_range(&self, first: &str, last: &str) -> String {
        let (end, start) = match self.kind {
            Kind::DayOfWeek => ("SAT".into(), "SUN".into()),
            _ => (self.high.to_string(), self.low.to_string()),
        };
        format!("write `{first}-{end},{start}-{last}`")
    }

    /// `15W`
    fn near_weekday(&self, item: &str) -> Result<(), Wrong> {
        let day = item.strip_suffix('W').unwrap_or(item);
        if number(day).is_some_and(|day| (self.low..=self.high).contains(&day)) {
            return Ok(());
        }
        Err(wrong(
            "has no single day before `W`",
            "write `15W` for the weekday nearest to the 15th, or `LW` for the month's last",
        ))
    }

    /// `FRI`, `5`, `FRI#2`, `FRI#L`, `5L`
    fn weekday(&self, item: &str) -> Result<(), Wrong> {
        if let Some((day, nth)) = item.split_once('#') {
            self.value(day)?;
            let fits = nth == "L" || number(nth).is_some_and(|nth| (1..=5).contains(&nth));
            return if fits {
                Ok(())
            } else {
                Err(wrong("has no such week", "write `#` and 1 to 5, or `#L`"))
            };
        }
        let day = item.strip_suffix('L').unwrap_or(item);
        self.value(day).map(drop)
    }

    /// A number or a name.
    fn value(&self, text: &str) -> Result<u32, Wrong> {
        if let Some(at) = self.names.iter().position(|name| *name == text) {
            return Ok(self.low + at as u32);
        }
        match number(text) {
            Some(value) if (self.low..=self.high).contains(&value) => Ok(value),
            Some(24) if self.high == 23 => Err(wrong("is above 23", "midnight is `0`")),
            None if text.bytes().any(|b| b.is_ascii_alphabetic()) => Err(self.unknown_name(text)),
            _ if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
                Err(wrong("is out of range", &self.takes()))
            }
            _ => Err(wrong("is not understood", &self.takes())),
        }
    }

    fn unknown_name(&self, text: &str) -> Wrong {
        if let Some(near) = nearest(text, self.names.iter().copied()) {
            return wrong(
                "is no name of this field",
                &format!("did you mean `{near}`?"),
            );
        }
        if let Some(other) = FIELDS.iter().find(|other| other.names.contains(&text)) {
            let remedy = format!("move it to the {} field, or {}", other.name, self.takes());
            return wrong("belongs to another field", &remedy);
        }
        wrong("is not understood", &self.takes())
    }

    fn takes(&self) -> String {
        let Self { low, high, .. } = self;
        let more = match self.kind {
            Kind::DayOfMonth => ", `L`, `LW` or a day with `W` such as `15W`",
            Kind::DayOfWeek => ", a name such as `MON`, `MON#1` or `FRI#L`",
            Kind::Plain if !self.names.is_empty() => " or a name such as `JAN`",
            Kind::Plain => "",
        };
        format!("write {low} to {high}{more}")
    }
}

fn wrong(why: &str, remedy: &str) -> Wrong {
    (why.into(), remedy.into())
}

/// A number that is not absurd.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|value| digits && *value <= 9_999)
}
