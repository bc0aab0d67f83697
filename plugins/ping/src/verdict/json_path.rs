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
    Some((Step::Index(index.parse().ok()?), rest))
}

fn quoted_name(text: &str, quote: char) -> Option<(Step, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => name.push(characters.next()?.1),
            c if c == quote => {
                let rest = text[at + c.len_utf8()..].strip_prefix(']')?;
                return Some((Step::Name(name), rest));
            }
            c => name.push(c),
        }
    }
    None
}

/// The value there.
pub fn find<'v>(document: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(document, |value, step| match step {
        Step::Name(name) => value.as_object()?.get(name),
        Step::Index(index) => {
            let list = value.as_array()?;
            let at = match *index {
                index if index < 0 => list.len().checked_sub(index.unsigned_abs() as usize)?,
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
        let document = json!({ "a": { "b c": [1, { "d": "x" }] }, "é": null, "q'": 2 });
        for (path, expected) in [
            ("$", Some(&document)),
            ("$.a['b c'][1].d", Some(&json!("x"))),
            ("$.a[\"b c\"][-2]", Some(&json!(1))),
            ("$.é", Some(&Value::Null)),
            ("$['q\\'']", Some(&json!(2))),
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
            "", "a", "$a", "$.", "$..a", "$[", "$[a]", "$['a", "$['a'", "$.1", "$[*]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
