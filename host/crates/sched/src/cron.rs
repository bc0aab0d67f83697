//! Cron expressions: croner parses them, this module keeps what a search needs of
//! the result. [`check`] judges the text first, because croner reads some texts
//! more generously than cron does and its errors name no field.

mod check;
#[cfg(test)]
mod offered;
mod whole;

pub(crate) use check::nearest;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::Weekday;

use crate::civil::Civil;
use crate::fault::{ScheduleFault, shown};
use crate::months::Months;
use crate::zoned::Beat;

/// Longer than every value of every field written out.
const LONGEST: usize = 1_024;

/// The words that stand for an expression.
const WORDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Five fields (minute, hour, day of the month, month, day of the week), or six with
/// the second first, or one of the words.
pub(crate) fn parse(text: &str) -> Result<(Civil, Beat), ScheduleFault> {
    let fault = |why: &str, remedy: &str| ScheduleFault::Expression {
        expr: shown(text),
        why: why.into(),
        remedy: remedy.into(),
    };
    if text.len() > LONGEST {
        return Err(fault(
            "is longer than 1024 characters",
            "use ranges and steps instead of lists",
        ));
    }
    if let Some(odd) = text.chars().find(|c| !c.is_ascii()) {
        let why = format!("has the character `{odd}`");
        return Err(fault(&why, &whole::characters(text)));
    }
    let expression = match text.trim() {
        word if word.starts_with('@') => word_meaning(word)?,
        expression => expression,
    };
    let fields = split(text, expression)?;
    let (second, rest) = match fields.as_slice() {
        [second, rest @ ..] if rest.len() == 5 => (*second, rest),
        rest => ("0", rest),
    };
    check::fields(text, second, rest)?;
    let cron = croner_parse(&format!("{second} {}", rest.join(" ")))
        .map_err(|error| fault("is not understood", &error.to_string()))?;
    Ok((civil(&cron), beat(second, rest)))
}

/// The fields; five or six.
fn split<'t>(text: &str, expression: &'t str) -> Result<Vec<&'t str>, ScheduleFault> {
    let fields: Vec<_> = expression.split_ascii_whitespace().collect();
    if matches!(fields.len(), 5 | 6) {
        return Ok(fields);
    }
    Err(ScheduleFault::Expression {
        expr: shown(text),
        why: match fields.len() {
            0 => "is empty".into(),
            1 => "has 1 field instead of 5 or 6".into(),
            n => format!("has {n} fields instead of 5 or 6"),
        },
        remedy: whole::fields(text, &fields),
    })
}

fn word_meaning(word: &str) -> Result<&'static str, ScheduleFault> {
    let lower = word.to_ascii_lowercase();
    let known = WORDS.iter().find(|(name, _)| *name == lower);
    known
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| ScheduleFault::Expression {
            expr: shown(word),
            why: "is no word that cron knows".into(),
            remedy: whole::word(word),
        })
}

/// Day of the month and day of the week are both to match where either begins with
/// `*`, as in Vixie's cron; croner takes care of a lone `*` itself.
fn croner_parse(expression: &str) -> Result<Cron, croner::errors::CronError> {
    let fields: Vec<_> = expression.split(' ').collect();
    let star = |at: usize| fields.get(at).is_some_and(|field| field.starts_with('*'));
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Disallowed)
        .dom_and_dow(star(3) || star(5))
        .build()
        .parse(expression)
}

fn civil(cron: &Cron) -> Civil {
    let pattern = &cron.pattern;
    let months = Months::new(
        set(&pattern.months.values()) as u16,
        |length, day, weekday| {
            let (year, month) = SHAPES[length as usize - 28];
            let weekday = Weekday::from_days_from_sunday(weekday);
            pattern
                .day_match(year, month, day, weekday)
                .unwrap_or(false)
        },
    );
    Civil {
        seconds: set(&pattern.seconds.values()),
        minutes: set(&pattern.minutes.values()),
        hours: set(&pattern.hours.values()) as u32,
        months,
    }
}

/// A month of 28, 29, 30 and 31 days: croner takes the weekday as given and needs
/// the date for the month's length alone.
const SHAPES: [(i32, u32); 4] = [(2023, 2), (2024, 2), (2023, 4), (2023, 1)];

fn set(values: &[u16]) -> u64 {
    values.iter().fold(0, |set, value| set | 1 << value)
}

/// Rule 5: a star at the beginning of the second, minute or hour field.
fn beat(second: &str, rest: &[&str]) -> Beat {
    let star = |field: &&str| field.starts_with('*');
    if star(&second) || rest.iter().take(2).any(star) {
        Beat::Wild
    } else {
        Beat::Fixed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn accepted() {
        for text in [
            "0 3 * * *",
            "  */5  0-23/2 1,15 JAN-mar Mon-Fri ",
            "10 0 3 * * *",
            "@daily",
            "@Midnight",
            "0 0 L * *",
            "0 0 LW * *",
            "0 0 15W * *",
            "0 0 1W,15 * *",
            "0 0 * * FRI#2",
            "0 0 * * FRI#L",
            "0 0 * * 5L",
            "0 0 * * SAT-SUN",
            "0 0 ? * 7",
            "0 0 29 2 *",
            "0 0 31 2,3 *",
            "05 03 * * *",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn refused_with_the_field_and_a_remedy() {
        for (text, field, remedy) in [
            ("60 3 * * *", "minute", "0 to 59"),
            ("0 24 * * *", "hour", "midnight is `0`"),
            ("0 0 0 * *", "day of the month", "1 to 31"),
            ("0 0 32 * *", "day of the month", "1 to 31"),
            ("0 0 1 13 *", "month", "1 to 12"),
            ("0 0 * * 8", "day of the week", "0 to 7"),
            ("99 * * * * *", "second", "0 to 59"),
            ("0 99999999999999999999 * * *", "hour", "0 to 23"),
            ("5/10 * * * *", "minute", "`5-59/10`"),
            ("/10 * * * *", "minute", "`*/10`"),
            ("*/0 * * * *", "minute", "1 to 59"),
            (
                "*/90 * * * *",
                "minute",
                "`0` alone, or a step of 1 to 59; every 90 minutes is `{ every = \"90m\" }`",
            ),
            ("0 22-4 * * *", "hour", "`22-23,0-4`"),
            ("0 0 * * FRI-MON", "day of the week", "`FRI-SAT,SUN-MON`"),
            ("0 0 * * FRI-1", "day of the week", "`FRI-SAT,SUN-MON`"),
            ("1,,2 * * * *", "minute", "`1,2`"),
            (", * * * *", "minute", "0 to 59"),
            ("*,5 * * * *", "minute", "`*` alone"),
            ("0 0 * * MONDAY", "day of the week", "`MON`"),
            ("0 0 * * MOO", "day of the week", "`MON`"),
            ("0 0 * AUGUST *", "month", "`AUG`"),
            ("0 0 * FRB *", "month", "`FEB`"),
            ("0 MON * * *", "hour", "day of the week"),
            ("0 0 * * JAN", "day of the week", "month field"),
            ("0 0 * * SUNMON", "day of the week", "`SUN`"),
            ("0 0 * * L", "day of the week", "`FRI#L`"),
            ("0 0 * * FRI#6", "day of the week", "`FRI#1` to `FRI#5`"),
            ("0 0 * * +FRI", "day of the week", "`FRI`"),
            ("0 0 * * SUN-SUN", "day of the week", "`SUN`"),
            ("0 0 L,LW * *", "day of the month", "one of"),
            ("0 0 W * *", "day of the month", "`15W`"),
            ("0 0 1-5W * *", "day of the month", "`15W`"),
            ("0 L * * *", "hour", "0 to 23"),
            ("a * * * *", "minute", "0 to 59"),
            ("-5 * * * *", "minute", "0 to 59"),
            ("1-2-3 * * * *", "minute", "0 to 59"),
            ("*/2/3 * * * *", "minute", "`*/2`"),
            ("? * * * *", "minute", "`*`"),
        ] {
            let shown = fault(text);
            assert!(
                shown.contains(&format!("in the {field} field")),
                "{text}: {shown}"
            );
            assert!(shown.contains(remedy), "{text}: {shown}");
        }
    }

    #[test]
    fn refused_as_a_whole() {
        for (text, expected) in [
            ("", "is empty"),
            ("   ", "is empty"),
            ("6h", "{ every = \"6h\" }"),
            ("* * * *", "has 4 fields"),
            ("0 * * * * * 2026", "has 7 fields"),
            ("@dayly", "`@daily`"),
            ("@reboot", "mhost run"),
            ("@", "use `@hourly`"),
            ("@fortnightly?", "is no word"),
            ("０ 3 * * *", "character `０`"),
        ] {
            assert!(fault(text).contains(expected), "{text}: {}", fault(text));
        }
    }

    #[test]
    fn hostile_expressions_fail_fast() {
        for text in [
            "*".repeat(100_000),
            "* ".repeat(50_000),
            format!("{} * * * *", "1,".repeat(50_000)),
            format!("{} * * * *", "9".repeat(100_000)),
            format!("0 0 * * {}", "MON".repeat(33_000)),
            "\u{1F600}".repeat(25_000),
            "@".repeat(100_000),
        ] {
            let fault = fault(&text);
            assert!(fault.contains("1024") && fault.len() < 400, "{fault}");
        }
        assert!(fault("\0 * * * *").len() < 400);
    }

    /// What the check lets through, croner understands, with the same values.
    #[test]
    fn nothing_is_left_to_croner_to_refuse() {
        let parts = [
            "*",
            "*/7",
            "3",
            "03",
            "1-5",
            "1-5/2",
            "MON",
            "FRI#2",
            "5L",
            "5#L",
            "L",
            "LW",
            "15W",
            "JAN-DEC/3",
            "SAT-SUN",
            "6-7",
            "7",
            "0",
        ];
        for part in parts {
            for at in 0..6 {
                for second in ["", ",2", ",2-3"] {
                    let mut fields = ["*"; 6];
                    let listed = format!("{part}{second}");
                    fields[at] = &listed;
                    if let Err(fault) = parse(&fields.join(" ")) {
                        let kind = matches!(fault, ScheduleFault::Field { .. });
                        assert!(kind, "{fields:?}: {fault}");
                    }
                }
            }
        }
    }
}
