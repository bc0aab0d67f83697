//! Where something stands in a JSON document: the singular queries of RFC 9535, which
//! are names and indexes, as a check wants one value. (Libraries for the whole language bring
//! Unicode's tables along, which would double the component.)

use serde_json::Value;

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Name(String),
    /// From the end where negative.
    Index(i64),
}

/// Reads `$.a.b[0]['c d']`; the text says what is wrong.
pub fn parse(path: &str) -> Result<Vec<Step>, String> {
    let wrong = |why: &str| {
        format!("`{path}` is no path ({why}): write `$.checks[0].status`, names and indexes")
    };
    let mut rest = path
        .strip_prefix('$')
        .ok_or_else(|| wrong("it does not begin with `$`"))?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = if let Some(dotted) = rest.strip_prefix('.') {
            dotted_name(dotted).ok_or_else(|| wrong("a name is missing after `.`"))?
        } else if let Some(bracket) = rest.strip_prefix('[') {
            bracketed(bracket)
                .ok_or_else(|| wrong("what stands in brackets is no name or index"))?
        } else {
            return Err(wrong("a step begins with `.` or `[`"));
        };
        steps.push(step);
        rest = after;
    }
    Ok(steps)
}

fn dotted_name(text: &str) -> Option<(Step, &str)> {
    let fits = |c: char| c.is_alphanumeric() || c == '_' || !c.is_ascii();
    let end = text.find(|c| !fits(c)).unwrap_or(text.len());
    let first = text.chars().next()?;
    (end > 0 && !first.is_ascii_digit()).then(|| (Step::Name(text[..end].to_owned()), &text[end..]))
}

fn bracketed(text: &str) -> Option<(Step, &str)> {
    for quote in ['\'', '"'] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted_name(quoted, quote);
        }
    }
    let (index, rest) = text.split_once(']')?;
    Some((Step::Index(parsed_index(index)?), rest))
}

/// RFC 9535: no sign but a minus, no leading zero, and no `-0`.
fn parsed_index(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let short = digits == "0" || !digits.starts_with('0');
    (plain && short && text != "-0").then(|| text.parse().ok())?
}

fn quoted_name(text: &str, quote: char) -> Option<(Step, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => name.push(escaped(&mut characters, quote)?),
            c if c == quote => {
                let rest = text[at + c.len_utf8()..].strip_prefix(']')?;
                return Some((Step::Name(name), rest));
            }
            c => name.push(c),
        }
    }
    None
}

/// What a backslash begins: as in JSON, and the quote that is used.
fn escaped(characters: &mut std::str::CharIndices, quote: char) -> Option<char> {
    Some(match characters.next()?.1 {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => unit(characters).and_then(|first| match first {
            0xd800..=0xdbff => {
                let second = (characters.next()?.1 == '\\' && characters.next()?.1 == 'u')
                    .then(|| unit(characters))??;
                char::decode_utf16([first, second]).next()?.ok()
            }
            first => char::from_u32(u32::from(first)),
        })?,
        c @ ('/' | '\\') => c,
        c if c == quote => c,
        _ => return None,
    })
}

/// Four hexadecimal digits.
fn unit(characters: &mut std::str::CharIndices) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = characters.next()?.1.to_digit(16)?;
        unit = unit << 4 | u16::try_from(digit).ok()?;
    }
    Some(unit)
}

/// The value there.
pub fn find<'v>(document: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(document, |value, step| match step {
        Step::Name(name) => value.as_object()?.get(name),
        Step::Index(index) => {
            let list = value.as_array()?;
            let at = match *index {
                index if index < 0 => {
                    let back = usize::try_from(index.unsigned_abs()).ok()?;
                    list.len().checked_sub(back)?
                }
                index => usize::try_from(index).ok()?,
            };
            list.get(at)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_found() {
        let document = json!({ "a": { "b c": [1, { "d": "x" }] }, "é": null, "q'": 2, "\n😀/": 3 });
        for (path, expected) in [
            ("$", Some(&document)),
            ("$.a['b c'][1].d", Some(&json!("x"))),
            ("$.a[\"b c\"][-2]", Some(&json!(1))),
            ("$.é", Some(&Value::Null)),
            ("$['q\\'']", Some(&json!(2))),
            ("$['\\n\\ud83d\\ude00\\/']", Some(&json!(3))),
            ("$['\\u00e9']", Some(&Value::Null)),
            // Within 32 bits this would be the last one.
            ("$.a['b c'][-4294967297]", None),
            ("$.a.d", None),
            ("$.a['b c'][2]", None),
            ("$.a['b c'][-3]", None),
            ("$.a[0]", None),
            ("$['b c'].a", None),
        ] {
            assert_eq!(find(&document, &parse(path).unwrap()), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path() {
        for bad in [
            "",
            "a",
            "$a",
            "$.",
            "$..a",
            "$[",
            "$[a]",
            "$['a",
            "$['a'",
            "$.1",
            "$[*]",
            "$[+1]",
            "$[01]",
            "$[-0]",
            "$[-]",
            "$[]",
            "$['\\x']",
            "$['\\ud83d']",
            "$['\\\"']",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
