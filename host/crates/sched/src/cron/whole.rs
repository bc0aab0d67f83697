//! Texts that are no expression as a whole, and what was probably meant: an interval,
//! a word without its `@`, a time of the day. Offered is only what parses.

use std::str::FromStr as _;

use chrono::{NaiveTime, Timelike};
use mhost_model::Span;

use super::{LONGEST, WORDS, check, parse};
use crate::fault::shown;
use crate::interval::Interval;

/// What people write after `every`.
const EVERY: [(&str, &str); 6] = [
    ("minute", "* * * * *"),
    ("hour", "@hourly"),
    ("day", "@daily"),
    ("week", "@weekly"),
    ("month", "@monthly"),
    ("year", "@yearly"),
];

/// The remedy of a text with another number of fields than an expression's.
pub(super) fn fields(text: &str, fields: &[&str]) -> String {
    let meant = || meant(&text.trim().to_ascii_lowercase());
    let by_number = || match fields {
        [_, _, _, _] => right(&format!("{} *", fields.join(" ")))
            .map(|form| format!("a field is missing: `{form}` is any day of the week")),
        [first @ .., _] if first.len() == 6 => {
            right(&first.join(" ")).map(|form| format!("leave out the year: `{form}`"))
        }
        _ => None,
    };
    interval(text).or_else(meant).or_else(by_number).unwrap_or(
        "write minute, hour, day of the month, month, day of the week, \
         such as `30 2 * * *`, with the second first where there are six"
            .into(),
    )
}

/// The remedy of a word with `@` that cron does not know.
pub(super) fn word(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if lower == "@reboot" {
        return "mhost starts nothing by itself at boot; use `mhost run` from the service manager"
            .into();
    }
    if let Some(remedy) = interval(&lower) {
        return remedy;
    }
    if lower.starts_with("@every") {
        return "an interval is written with a number and a unit: `{ every = \"6h\" }`".into();
    }
    match nearest_word(lower.trim_start_matches('@')) {
        Some(near) => format!("did you mean `@{near}`?"),
        None => "use `@hourly`, `@daily`, `@weekly`, `@monthly` or `@yearly`".into(),
    }
}

/// The remedy of a text with other characters than ASCII's: those that a word processor or a
/// keyboard puts in the place of a plain one are known.
pub(super) fn characters(text: &str) -> String {
    let plain = text.chars().map(|c| match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '∗' | '＊' => '*',
        '，' => ',',
        '０'..='９' => char::from(b'0' + (c as u32 - '０' as u32) as u8),
        c if c.is_whitespace() => ' ',
        c => c,
    });
    let form = plain.collect::<String>();
    match Some(form)
        .filter(|form| form.is_ascii())
        .and_then(|form| right(&form))
    {
        Some(form) => format!("write `{form}`"),
        None => "use digits, letters and the signs * , - / # @ of ASCII".into(),
    }
}

/// `6h`, `every 6h`, `@every 6h`
fn interval(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix('@').unwrap_or(text);
    let text = text.strip_prefix("every ").unwrap_or(text).trim();
    let span = Span::from_str(text).ok()?;
    Interval::parse(span, None).ok()?;
    (shown(text) == text).then(|| format!("an interval is written `{{ every = \"{text}\" }}`"))
}

fn meant(lower: &str) -> Option<String> {
    if lower == "manual" {
        return Some("for a schedule without due times, write `manual` instead".into());
    }
    if let Some(time) = time(lower) {
        let minutes = format!("{} {} * * *", time.minute(), time.hour());
        let form = match time.second() {
            0 => minutes,
            second => format!("{second} {minutes}"),
        };
        return Some(format!("every day at that time is `{form}`"));
    }
    let every = lower.strip_prefix("every ").map(str::trim);
    let known = EVERY.iter().find(|(unit, _)| Some(*unit) == every);
    let word = || nearest_word(lower).map(|word| format!("@{word}"));
    let near = known.map(|(_, form)| (*form).into()).or_else(word)?;
    Some(format!("did you mean `{near}`?"))
}

/// Without the `@`, which would make all of them alike.
fn nearest_word(bare: &str) -> Option<&'static str> {
    check::nearest(
        bare,
        WORDS.iter().map(|(name, _)| name.trim_start_matches('@')),
    )
}

fn time(text: &str) -> Option<NaiveTime> {
    let form = ["%H:%M", "%H:%M:%S"].into_iter();
    let mut times = form.filter_map(|form| NaiveTime::parse_from_str(text, form).ok());
    times.next()
}

/// A form that is right, and short enough to be shown whole.
fn right(form: &str) -> Option<String> {
    let form = form.trim();
    let fits = form.len() <= LONGEST && shown(form) == form;
    (fits && parse(form).is_ok()).then(|| form.to_owned())
}
