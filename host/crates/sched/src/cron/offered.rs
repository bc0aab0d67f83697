//! What a refusal offers between backticks is right: put in place, it parses, and it fires
//! when the refused text was meant to.

use super::check::{MONTHS, WEEKDAYS};
use super::*;
use crate::{Compiled, parse_expr};

fn refusal(text: &str) -> ScheduleFault {
    match parse_expr(text, None) {
        Ok(schedule) => Compiled::read(&schedule).expect_err(text),
        Err(fault) => fault,
    }
}

/// The expressions that a refusal offers: forms of a field in the place of the wrong part.
fn offered(text: &str) -> Vec<String> {
    let fault = refusal(text);
    let forms = fault.remedy().split('`').skip(1).step_by(2);
    forms
        .map(|form| match &fault {
            ScheduleFault::Field { field, part, .. } if !form.starts_with('{') => {
                in_place(text, field, part, form)
            }
            _ => form.into(),
        })
        .collect()
}

fn in_place(text: &str, field: &str, part: &str, form: &str) -> String {
    let mut fields: Vec<_> = text.split_ascii_whitespace().map(str::to_owned).collect();
    let names = [
        "second",
        "minute",
        "hour",
        "day of the month",
        "month",
        "day of the week",
    ];
    let at = names.iter().position(|name| *name == field).unwrap() + fields.len() - 6;
    let items = fields[at].to_ascii_uppercase();
    fields[at] = match items == part {
        true => form.into(),
        false => {
            let items = items
                .split(',')
                .map(|item| if item == part { form } else { item });
            items.collect::<Vec<_>>().join(",")
        }
    };
    fields.join(" ")
}

fn holds(expr: &str) -> bool {
    let schedule = parse_expr(expr, None);
    schedule.is_ok_and(|schedule| Compiled::read(&schedule).is_ok())
}

/// Refused, with the first expression offered; "" where there is no nearest one.
const BROKEN: &[(&str, &str)] = &[
    // Ranges over the end.
    ("0 0 * * 7-1", "0 0 * * 0-1"),
    ("0 0 * * 7-MON", "0 0 * * SUN-MON"),
    ("0 0 * * 7-0", "0 0 * * 0"),
    ("0 0 * * 7-5/2", "0 0 * * 0,2,4"),
    ("0 0 * * SAT-0", "0 0 * * SAT,SUN"),
    ("0 0 * * 6-0", "0 0 * * 6,0"),
    ("0 0 * * FRI-MON", "0 0 * * FRI-SAT,SUN-MON"),
    ("0 0 * * FRI-1", "0 0 * * FRI-SAT,SUN-MON"),
    ("0 0 * * 5-2", "0 0 * * 5-6,0-2"),
    ("0 0 * * FRI-TUE/2", "0 0 * * FRI,SUN,TUE"),
    ("0 0 * * SUN-SUN", "0 0 * * SUN"),
    ("0 0 * * 0-SUN/2", "0 0 * * SUN"),
    ("59-5 * * * *", "59,0-5 * * * *"),
    ("59-0 * * * *", "59,0 * * * *"),
    ("50-10/5 * * * *", "50,55,0,5,10 * * * *"),
    ("55-50/5 * * * *", "55,0-50/5 * * * *"),
    ("0 22-4 * * *", "0 22-23,0-4 * * *"),
    ("0 22-4/2 * * *", "0 22,0,2,4 * * *"),
    ("0 23-4/2 * * *", "0 23,1,3 * * *"),
    ("0 22-1/5 * * *", "0 22 * * *"),
    ("0 3,22-4/2 * * *", "0 3,22,0,2,4 * * *"),
    ("0 0 31-1 * *", "0 0 31,1 * *"),
    ("0 0 28-5/2 * *", "0 0 28,30,1,3,5 * *"),
    ("0 0 1 DEC-JAN *", "0 0 1 DEC,JAN *"),
    ("0 0 1 nov-feb *", "0 0 1 NOV-DEC,JAN-FEB *"),
    ("0 0 1 12-JAN *", "0 0 1 DEC,JAN *"),
    ("0 0 1 11-2/2 *", "0 0 1 11,1 *"),
    ("0 22-24 * * *", "0 22-23,0 * * *"),
    ("0 0-24 * * *", "0 0-23 * * *"),
    ("0 0-24/6 * * *", "0 0-23/6 * * *"),
    ("0 24-5 * * *", "0 0-5 * * *"),
    ("0-60/5 * * * *", "0-59/5 * * * *"),
    // Steps.
    ("5/10 * * * *", "5-59/10 * * * *"),
    ("5/90 * * * *", "5 * * * *"),
    ("58/5 * * * *", "58 * * * *"),
    ("/10 * * * *", "*/10 * * * *"),
    ("/90 * * * *", "0 * * * *"),
    ("/0 * * * *", "*/1 * * * *"),
    ("/ * * * *", ""),
    ("*/0 * * * *", "*/1 * * * *"),
    ("*/0,5 * * * *", "*/1,5 * * * *"),
    ("*/60 * * * *", "0 * * * *"),
    ("*/90 * * * *", "0 * * * *"),
    ("0 */24 * * *", "0 0 * * *"),
    ("0 */36 * * *", "0 0 * * *"),
    ("0 0 */31 * *", "0 0 1 * *"),
    ("0 0 */45 * *", "0 0 1 * *"),
    ("0 0 1 */12 *", "0 0 1 1 *"),
    ("0 0 * * */8", "0 0 * * 0"),
    ("0 24/30 * * *", "0 0 * * *"),
    ("0 22-4/24 * * *", "0 22 * * *"),
    ("*/5m * * * *", "*/5 * * * *"),
    ("*/2/3 * * * *", "*/2 * * * *"),
    ("*/x * * * *", ""),
    ("*/-5 * * * *", ""),
    ("0 0 1 MAR/3 *", "0 0 1 MAR-DEC/3 *"),
    ("0 0 * * MON/2", "0 0 * * MON-SUN/2"),
    ("0 0 * * SUN/3", "0 0 * * SUN-SAT/3"),
    ("0 0 * * 0/3", "0 0 * * 0-6/3"),
    ("0 0 * * 7/2", "0 0 * * 7"),
    ("0 0 * * MONDAY/2", "0 0 * * MON-SUN/2"),
    ("99/5 * * * *", "59 * * * *"),
    ("99/99 * * * *", "59 * * * *"),
    ("0 0 L/2 * *", "0 0 L * *"),
    // Names.
    ("0 0 * * MONDAY", "0 0 * * MON"),
    ("0 0 * * monday-friday", "0 0 * * MON-FRI"),
    ("0 0 * * MON-FRIDAY/2", "0 0 * * MON-FRI/2"),
    ("0 0 * * SATURDAY-1", "0 0 * * SAT,SUN-MON"),
    ("0 0 * * MONDAY#2", "0 0 * * MON#2"),
    ("0 0 * * FRIDAYL", "0 0 * * FRI#L"),
    ("0 0 * * +FRI", "0 0 * * FRI"),
    ("0 0 * * MOO", "0 0 * * MON"),
    ("0 0 * * SUNMON", "0 0 * * SUN"),
    ("0 0 * AUGUST *", "0 0 * AUG *"),
    ("0 0 * FRB,MAR *", "0 0 * FEB,MAR *"),
    ("0 0 * Sept-nov *", "0 0 * SEP-NOV *"),
    ("0 0 * * JAN", "0 0 * * MON"),
    ("0 0 * MON *", "0 0 * JAN *"),
    ("0 0 * * L", "0 0 * * FRI#L"),
    ("0 0 * * FRI#6", "0 0 * * FRI#1"),
    ("0 0 * * #2", "0 0 * * MON"),
    ("0 0 * * 8", "0 0 * * MON"),
    ("0 0 L,LW * *", "0 0 L * *"),
    ("0 0 1-5W * *", "0 0 15W * *"),
    ("0 0 W,3 * *", "0 0 15W,3 * *"),
    ("0 0 32 * *", "0 0 L * *"),
    ("0 0 L-3 * *", "0 0 L * *"),
    ("0 0 1 13 *", "0 0 1 JAN *"),
    // Values and lists.
    ("61 * * * *", "59 * * * *"),
    ("-5 * * * *", ""),
    ("1-2-3 * * * *", ""),
    ("0 24 * * *", "0 0 * * *"),
    ("0 3,24 * * *", "0 3,0 * * *"),
    ("0 L * * *", ""),
    ("? * * * *", "* * * * *"),
    ("*,5 * * * *", "* * * * *"),
    ("?,5 * * * *", "* * * * *"),
    ("0 0 ?,5 * *", "0 0 * * *"),
    ("*,,5 * * * *", "* * * * *"),
    ("*,99 * * * *", "* * * * *"),
    ("1,,2 * * * *", "1,2 * * * *"),
    (",1, * * * *", "1 * * * *"),
    (", * * * *", ""),
    // Whole texts.
    ("6h", "{ every = \"6h\" }"),
    ("every 6h", "{ every = \"6h\" }"),
    ("@every 6h", "{ every = \"6h\" }"),
    ("@Every 1h30m", "{ every = \"1h30m\" }"),
    ("@every", "{ every = \"6h\" }"),
    ("@every 0s", "{ every = \"6h\" }"),
    ("every day", "@daily"),
    ("daily", "@daily"),
    ("Hourly", "@hourly"),
    ("weekly", "@weekly"),
    ("midnight", "@midnight"),
    ("anually", "@annually"),
    ("@dayly", "@daily"),
    ("@fortnightly?", "@hourly"),
    ("Manual", "manual"),
    ("03:00", "0 3 * * *"),
    ("3:30", "30 3 * * *"),
    ("23:59:30", "30 59 23 * * *"),
    ("25:00", "30 2 * * *"),
    ("0 3 * *", "0 3 * * *"),
    ("60 3 * *", "30 2 * * *"),
    ("0 0 3 * * ? 2026", "0 0 3 * * ?"),
    ("0 0 25 * * * 2026", "30 2 * * *"),
    ("0 9–17 * * *", "0 9-17 * * *"),
    ("0\u{a0}3 * * *", "0 3 * * *"),
    ("０ 3 * * *", "0 3 * * *"),
    ("0 3 * * é", ""),
    ("", "30 2 * * *"),
];

#[test]
fn what_is_offered_is_right() {
    let mut other = Vec::new();
    for (text, first) in BROKEN {
        let offered = offered(text);
        let shown = refusal(text);
        let found = offered.first().map_or("", String::as_str);
        if found != *first {
            other.push(format!("{text}: `{found}` and not `{first}`: {shown}"));
        }
        for expr in offered {
            assert!(holds(&expr), "{text}: {expr} is offered: {shown}");
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

/// Every range of every field, with steps: taken as cron takes it, or offered so that the
/// range's values over the field's end are met.
#[test]
fn ranges_mean_what_they_say() {
    let names = |names: &[&'static str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let numbers = |low: u32, high: u32| (low..=high).map(|n| n.to_string()).collect::<Vec<_>>();
    let steps = [1, 2, 3, 5, 7];
    for (at, low, size, texts) in [
        (1, 0, 60, numbers(0, 59)),
        (2, 0, 24, numbers(0, 23)),
        (3, 1, 31, numbers(1, 31)),
        (4, 1, 12, numbers(1, 12)),
        (4, 1, 12, names(&MONTHS)),
        (5, 0, 7, numbers(0, 7)),
        (5, 0, 7, names(&WEEKDAYS)),
    ] {
        for (first, from) in texts.iter().zip(low..) {
            for (last, to) in texts.iter().zip(low..) {
                for step in steps {
                    let mut fields = ["0", "0", "0", "1", "1", "*"].map(str::to_owned);
                    if at == 5 {
                        fields[3] = "*".into();
                    }
                    fields[at] = match step {
                        1 => format!("{first}-{last}"),
                        _ => format!("{first}-{last}/{step}"),
                    };
                    let range = fields.join(" ");
                    fields[at] = met(from, to, step, low, size);
                    judge(&range, &fields.join(" "));
                }
            }
        }
    }
}

/// The values from `from` on, over the end where `to` lies behind it, as a list.
fn met(from: u32, to: u32, step: u32, low: u32, size: u32) -> String {
    let end = if to < from { to + size } else { to };
    let values = (from..=end).step_by(step as usize);
    let values = values.map(|value| ((value - low) % size + low).to_string());
    values.collect::<Vec<_>>().join(",")
}

fn judge(range: &str, meant: &str) {
    let meant = parse(meant).unwrap();
    if let Ok(read) = parse(range) {
        assert_eq!(read, meant, "{range}");
        return;
    }
    let offered = offered(range);
    let [form] = offered.as_slice() else {
        panic!("{range}: {offered:?}");
    };
    let read = parse(form).unwrap_or_else(|fault| panic!("{range}: {fault}"));
    assert_eq!(read, meant, "{range}: {form}");
}
