//! The grammar of a field, for the sake of good errors and of texts that croner
//! would read otherwise than cron: names in other fields, empty lists, a lone `L`.
//! A form that is offered has itself gone through the check.

mod wrap;
mod wrong;

use crate::fault::{ScheduleFault, shown};
use wrong::Wrong;

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

pub(super) const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
pub(super) const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

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

/// A form may need mending itself, its result again: no text needs more rounds.
const ROUNDS: u32 = 4;
/// A longer field is not written out again.
const OFFERED: usize = 60;

/// Checks all fields; the fault names the first wrong one.
pub(super) fn fields(expr: &str, second: &str, rest: &[&str]) -> Result<(), ScheduleFault> {
    let all = [(&SECOND, second)]
        .into_iter()
        .chain(FIELDS.iter().zip(rest.iter().copied()));
    for (field, text) in all {
        check(field, text).map_err(|(part, wrong)| ScheduleFault::Field {
            expr: shown(expr),
            field: field.name,
            part: shown(&part),
            remedy: field.remedy(&wrong),
            why: wrong.why,
        })?;
    }
    Ok(())
}

/// A list of items; a fault comes with the item, or with the list where that is at fault.
fn check(field: &Field, text: &str) -> Result<(), (String, Wrong)> {
    let upper = text.to_ascii_uppercase();
    let items: Vec<_> = upper.split(',').collect();
    if let [item] = items[..] {
        return field.item(item).map_err(|wrong| (upper.clone(), wrong));
    }
    let every = |item: &&str| matches!(*item, "*" | "?");
    let (stars, named): (Vec<&str>, Vec<&str>) = items.iter().partition(|item| every(item));
    let named: Vec<_> = named.into_iter().filter(|item| !item.is_empty()).collect();
    let list = |wrong| Err((upper.clone(), wrong));
    if !stars.is_empty() {
        return list(Wrong::form("is every value already", "*").say("write `{}` alone"));
    }
    // Before what is offered for the list, which is made of them.
    for item in &named {
        field.item(item).map_err(|wrong| ((*item).into(), wrong))?;
    }
    if named.len() < items.len() {
        let why = "has an empty place in its list";
        let form = named.join(",");
        return list(match form.len() {
            0 => Wrong::text(why, &field.takes()),
            1..=OFFERED => Wrong::form(why, &form),
            _ => Wrong::text(why, "remove it"),
        });
    }
    if named.contains(&"L") && named.contains(&"LW") {
        let remedy = "keep one of `L` and `LW`";
        return list(Wrong::text("names two last days", remedy));
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
    // Jaro's measure alone finds `cron` in `second`.
    let alike = begins >= 0.7 && text.chars().next() == name.chars().next();
    moved.max(if alike { begins } else { 0.0 })
}

impl Field {
    fn item(&self, item: &str) -> Result<(), Wrong> {
        match item {
            "*" => Ok(()),
            "?" if self.kind == Kind::Plain => Err(Wrong::form("has no meaning here", "*")),
            "?" => Ok(()),
            "L" | "LW" if self.kind == Kind::DayOfMonth => Ok(()),
            "L" if self.kind == Kind::DayOfWeek => Err(Wrong::text(
                "names no weekday",
                "write `FRI#L` or `5L` for the last Friday",
            )),
            _ if item.contains('/') => self.stepped(item),
            _ if item.contains('-') => self.range(item, None),
            _ if self.kind == Kind::DayOfMonth && item.ends_with('W') => self.near_weekday(item),
            _ if self.kind == Kind::DayOfWeek => self.weekday(item),
            _ => self.value(item).map(drop),
        }
    }

    /// `*/n` or `a-b/n`. The step is judged first: nothing is offered with a wrong one.
    fn stepped(&self, item: &str) -> Result<(), Wrong> {
        let (start, text) = item.split_once('/').unwrap_or((item, ""));
        let step = self.step(start, text)?;
        match start {
            "*" => Ok(()),
            "" => Err(Wrong::form(
                "has no range before its step",
                &format!("*/{step}"),
            )),
            _ if start.contains('-') => self.range(start, Some(step)),
            _ => {
                let within = |form: &str| format!("{form}/{step}");
                let value = self.value(start).map_err(|wrong| wrong.within(within))?;
                let end = self.end(start, value);
                let form = match value + step <= self.high {
                    true => format!("{start}-{end}/{step}"),
                    false => start.into(),
                };
                Err(Wrong::form("has no end of its range", &form))
            }
        }
    }

    fn step(&self, start: &str, text: &str) -> Result<u32, Wrong> {
        const WHY: &str = "has a step that this field does not take";
        let most = self.high - self.low;
        let steps = format!("a step of 1 to {most}");
        let start = if start.is_empty() { "*" } else { start };
        match number(text) {
            Some(step) if (1..=most).contains(&step) => Ok(step),
            Some(0) => Err(Wrong::form(WHY, &format!("{start}/1"))
                .say(&format!("write {steps}, such as `{{}}`"))),
            Some(step) => {
                let first = match start.split_once('-') {
                    Some((first, _)) => first.into(),
                    None if start == "*" => self.low.to_string(),
                    None => start.into(),
                };
                let say = format!("write `{{}}` alone, or {steps}{}", self.interval(step));
                Err(Wrong::form(WHY, &first).say(&say))
            }
            None => {
                let end = text.bytes().take_while(u8::is_ascii_digit).count();
                let step = number(&text[..end]).filter(|step| (1..=most).contains(step));
                Err(match step {
                    Some(step) => Wrong::form(WHY, &format!("{start}/{step}")),
                    None => Wrong::text(WHY, &format!("write {steps}")),
                })
            }
        }
    }

    /// What a step over the field's size was meant for, where another form has it.
    fn interval(&self, step: u32) -> String {
        let (unit, name) = match self.name {
            "second" => ("s", "seconds"),
            "minute" => ("m", "minutes"),
            "hour" => ("h", "hours"),
            "day of the month" => ("d", "days"),
            _ => return String::new(),
        };
        if step <= self.high + 1 {
            return String::new();
        }
        format!("; every {step} {name} is `{{ every = \"{step}{unit}\" }}`")
    }

    /// `a-b`, before a step where there is one
    fn range(&self, item: &str, step: Option<u32>) -> Result<(), Wrong> {
        if self.kind == Kind::DayOfMonth && item.ends_with('W') {
            return self.near_weekday(item);
        }
        let (first, last) = item.split_once('-').unwrap_or((item, ""));
        let suffix = step.map_or(String::new(), |step| format!("/{step}"));
        let whole = |first: &str, last: &str| format!("{first}-{last}{suffix}");
        let from = self
            .value(first)
            .map_err(|wrong| wrong.within(|form| whole(form, last)))?;
        // One too many at the end of everything; elsewhere 24 is midnight.
        if from == 0 && self.names.is_empty() && number(last) == Some(self.high + 1) {
            let why = format!("ends above {}", self.high);
            return Err(Wrong::form(&why, &whole(first, &self.high.to_string())));
        }
        let to = self
            .value(last)
            .map_err(|wrong| wrong.within(|form| whole(first, form)))?;
        // croner reads a range's last `SUN` as 7, so that this one would be every day.
        if from == 0 && last == "SUN" {
            return Err(Wrong::form("is a single day", "SUN"));
        }
        let to = if last == "SUN" { 7 } else { to };
        if from <= to {
            return Ok(());
        }
        let named = [first, last].iter().any(|end| self.names.contains(end));
        let form = self.wrapped(from, to, step.unwrap_or(1), named);
        Err(Wrong::form("runs backward", &form))
    }

    /// `15W`
    fn near_weekday(&self, item: &str) -> Result<(), Wrong> {
        let day = item.strip_suffix('W').unwrap_or(item);
        if number(day).is_some_and(|day| (self.low..=self.high).contains(&day)) {
            return Ok(());
        }
        Err(Wrong::text(
            "has no single day before `W`",
            "write `15W` for the weekday nearest to the 15th, or `LW` for the month's last",
        ))
    }

    /// `FRI`, `5`, `FRI#2`, `FRI#L`, `5L`
    fn weekday(&self, item: &str) -> Result<(), Wrong> {
        if let Some((day, nth)) = item.split_once('#') {
            self.value(day)
                .map_err(|wrong| wrong.within(|form| format!("{form}#{nth}")))?;
            let fits = nth == "L" || number(nth).is_some_and(|nth| (1..=5).contains(&nth));
            let remedy = || format!("write `{day}#1` to `{day}#5`, or `{day}#L` for the last");
            return fits
                .then_some(())
                .ok_or_else(|| Wrong::text("has no such week", &remedy()));
        }
        match item.strip_suffix('L') {
            Some(day) => self
                .value(day)
                .map(drop)
                .map_err(|wrong| wrong.within(|form| format!("{form}#L"))),
            None => self.value(item).map(drop),
        }
    }

    /// A number or a name.
    fn value(&self, text: &str) -> Result<u32, Wrong> {
        if let Some(at) = self.names.iter().position(|name| *name == text) {
            return Ok(self.low + at as u32);
        }
        match number(text) {
            Some(value) if (self.low..=self.high).contains(&value) => Ok(value),
            Some(24) if self.high == 23 => {
                Err(Wrong::form("is above 23", "0").say("midnight is `{}`"))
            }
            None if text.bytes().any(|b| b.is_ascii_alphabetic()) => Err(self.unknown_name(text)),
            _ if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
                let below = number(text).is_some_and(|value| value < self.low);
                let nearest = if below { self.low } else { self.high };
                let say = format!("{}, such as `{{}}`", self.takes());
                Err(Wrong::form("is out of range", &nearest.to_string()).say(&say))
            }
            _ => Err(Wrong::text("is not understood", &self.takes())),
        }
    }

    fn unknown_name(&self, text: &str) -> Wrong {
        if let Some(near) = nearest(text, self.names.iter().copied()) {
            return Wrong::form("is no name of this field", near).say("did you mean `{}`?");
        }
        if let Some(other) = FIELDS.iter().find(|other| other.names.contains(&text)) {
            let remedy = format!("move it to the {} field, or {}", other.name, self.takes());
            return Wrong::text("belongs to another field", &remedy);
        }
        Wrong::text("is not understood", &self.takes())
    }

    fn takes(&self) -> String {
        let Self { low, high, .. } = self;
        let more = match self.kind {
            Kind::DayOfMonth => ", `L`, `LW`, or `15W` for the weekday nearest to the 15th",
            Kind::DayOfWeek => ", a name such as `MON`, `MON#1` or `FRI#L`",
            Kind::Plain if !self.names.is_empty() => " or a name such as `JAN`",
            Kind::Plain => "",
        };
        format!("write {low} to {high}{more}")
    }
}

/// A number that is not absurd.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|value| digits && *value <= 9_999)
}
