//! Access logs of web servers: the Common Log Format (`host ident user [time] "request"
//! status bytes`), and the Combined one, which adds `"referer" "agent"`.

use chrono::{NaiveDate, TimeDelta};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// What follows the bytes does not matter, so that lines of the Combined format fit.
    Common,
    Combined,
}

/// What is told of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// When it came, seconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// 100 to 599.
    pub status: u16,
}

/// Reads one line; `None` where it is not of the format.
pub fn request(line: &[u8], format: Access) -> Option<Request> {
    // The time is what stands in the first brackets: a name may hold blanks.
    let open = line.windows(2).position(|pair| pair == b" [")? + 2;
    let close = open + line[open..].iter().position(|byte| *byte == b']')?;
    let at = time(&line[open..close])?;
    let (_, rest) = quoted(line[close + 1..].strip_prefix(b" ")?)?;
    let rest = rest.strip_prefix(b" ")?;
    let (status, rest) = (number(rest.get(..3)?)?, &rest[3..]);
    let rest = rest.strip_prefix(b" ")?;
    let size = rest.iter().take_while(|byte| !byte.is_ascii_whitespace());
    let size = &rest[..size.count()];
    let counted = size == b"-" || (!size.is_empty() && size.iter().all(u8::is_ascii_digit));
    let whole = format == Access::Common || combined(&rest[size.len()..]).is_some();
    (counted && whole && (100..=599).contains(&status)).then_some(Request {
        at,
        status: u16::try_from(status).ok()?,
    })
}

fn combined(rest: &[u8]) -> Option<()> {
    let (_, rest) = quoted(rest.strip_prefix(b" ")?)?;
    quoted(rest.strip_prefix(b" ")?).map(drop)
}

/// A text in quotation marks, in which a backslash takes the next byte; and what follows.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => return Some((&text[..at], &text[at + 1..])),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn number(digits: &[u8]) -> Option<u32> {
    let plain = !digits.is_empty() && digits.len() <= 9 && digits.iter().all(u8::is_ascii_digit);
    let value = |sum: u32, digit: &u8| sum * 10 + u32::from(digit - b'0');
    plain.then(|| digits.iter().fold(0, value))
}

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// `10/Oct/2000:13:55:36 -0700`
fn time(text: &[u8]) -> Option<i64> {
    let field = |from: usize, to: usize| number(text.get(from..to)?);
    let marks = [(2, b'/'), (6, b'/'), (11, b':'), (14, b':'), (17, b':')];
    let shaped = marks.iter().all(|(at, mark)| text.get(*at) == Some(mark));
    if !shaped || text.get(20) != Some(&b' ') || text.len() != 26 {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == &text[3..6])? + 1;
    let year = i32::try_from(field(7, 11)?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, field(0, 2)?)?;
    // Sixty is a leap second.
    let second = field(18, 20)?.min(59);
    let local = day.and_hms_opt(field(12, 14)?, field(15, 17)?, second)?;
    let east = TimeDelta::minutes(i64::from(field(22, 24)? * 60 + field(24, 26)?));
    let utc = match text[21] {
        b'+' => local.checked_sub_signed(east)?,
        b'-' => local.checked_add_signed(east)?,
        _ => return None,
    };
    Some(utc.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of the Apache documentation, and what servers really write.
    #[test]
    fn requests_of_both_formats() {
        let common = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#;
        let combined =
            format!(r#"{common} "http://www.example.com/start.html" "Mozilla/4.08 [en]""#);
        let at = 971_211_336;
        for (line, format, expected) in [
            (common, Access::Common, Some((at, 200))),
            (common, Access::Combined, None),
            (combined.as_str(), Access::Common, Some((at, 200))),
            (combined.as_str(), Access::Combined, Some((at, 200))),
            (
                r#"::1 - - [10/Oct/2000:20:55:36 +0000] "-" 408 -"#,
                Access::Common,
                Some((at, 408)),
            ),
            (
                r#"h - a b [10/Oct/2000:22:55:36 +0200] "GET /\" 500 \"x HTTP/1.1" 503 0"#,
                Access::Common,
                Some((at, 503)),
            ),
            (
                r#"h - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200"#,
                Access::Common,
                None,
            ),
            (
                r#"h - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 999 1"#,
                Access::Common,
                None,
            ),
            (
                r#"h - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0 200 1"#,
                Access::Common,
                None,
            ),
            (
                r#"h - - [31/Feb/2000:13:55:36 -0700] "GET /" 200 1"#,
                Access::Common,
                None,
            ),
            (
                r#"h - - [10/Oct/2000:13:55:36] "GET /" 200 1"#,
                Access::Common,
                None,
            ),
            ("", Access::Common, None),
        ] {
            let read = request(line.as_bytes(), format);
            let read = read.map(|request| (request.at, request.status));
            assert_eq!(read, expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            request(&bytes, Access::Combined);
        }

        #[test]
        fn nearly_right_lines_are_read(line in r#"[a ]{0,3} \[[0-9]{2}/(Jan|Feb)/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}\] "[a\\"]{0,5}" [0-9]{2,4} [0-9-]{0,3}"#) {
            if let Some(request) = request(line.as_bytes(), Access::Common) {
                prop_assert!((100..600).contains(&request.status));
            }
        }
    }
}
