//! Texts of the oldest protocol, and the class at a record's start.

use super::Unreadable;
use super::value::Value;

/// A line as it is.
pub fn raw(line: &[u8]) -> Value {
    Value::of_text(line)
}

/// A quoted byte string: `'a\x00'`.
pub fn quoted(line: &[u8]) -> Result<Value, Unreadable> {
    let line = line.trim_ascii();
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        _ => return Err(Unreadable::Text),
    };
    Ok(unescaped(inner, true)?.map_or(Value::Other, |bytes| Value::of_text(&bytes)))
}

/// A text whose line breaks and backslashes are written as `\u000a`.
pub fn escaped(line: &[u8]) -> Result<Value, Unreadable> {
    Ok(unescaped(line, false)?.map_or(Value::Other, |bytes| Value::of_text(&bytes)))
}

/// The bytes that are meant; `None` where there are more than an id has, or a character that
/// is no byte.
fn unescaped(mut text: &[u8], quoted: bool) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut bytes = Vec::new();
    while let Some((first, rest)) = text.split_first() {
        if bytes.len() > 8 {
            return Ok(None);
        }
        text = rest;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let Some((kind, rest)) = text.split_first() else {
            return Err(Unreadable::Text);
        };
        text = rest;
        let digits = match (kind, quoted) {
            (b'x', true) => 2,
            (b'u', false) => 4,
            (b'U', false) => 8,
            (b'0'..=b'7', true) => {
                let more = text
                    .iter()
                    .take(2)
                    .take_while(|digit| (b'0'..=b'7').contains(digit));
                let more = more.count();
                let value = text[..more]
                    .iter()
                    .fold(u32::from(kind - b'0'), |value, digit| {
                        value * 8 + u32::from(digit - b'0')
                    });
                bytes.push(value as u8);
                text = &text[more..];
                continue;
            }
            (kind, true) => {
                bytes.push(simple(*kind));
                continue;
            }
            (kind, false) => {
                bytes.extend([b'\\', *kind]);
                continue;
            }
        };
        let code = text
            .get(..digits)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let code = code.ok_or(Unreadable::Text)?;
        text = &text[digits..];
        match u8::try_from(code) {
            Ok(byte) => bytes.push(byte),
            Err(_) => return Ok(None),
        }
    }
    Ok((bytes.len() == 8).then_some(bytes))
}

fn simple(kind: u8) -> u8 {
    match kind {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        other => other,
    }
}

/// The class that a record's first pickle begins with: a `GLOBAL`, two texts and `STACK_GLOBAL`, or a
/// tuple of these and arguments.
pub fn class(data: &[u8]) -> Option<String> {
    let mut rest = data;
    if let [0x80, _, more @ ..] = rest {
        rest = more;
    }
    if let [0x95, more @ ..] = rest {
        rest = more.get(8..)?;
    }
    while let [b'(', more @ ..] = rest {
        rest = more;
    }
    let (module, name) = match rest {
        [b'c', more @ ..] => lines(more)?,
        [0x8c, ..] => short_texts(rest)?,
        _ => return None,
    };
    let (module, name) = (
        std::str::from_utf8(module).ok()?,
        std::str::from_utf8(name).ok()?,
    );
    Some(format!("{module}.{name}"))
}

fn lines(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut lines = text.splitn(3, |byte| *byte == b'\n');
    let names = (lines.next()?, lines.next()?);
    lines.next().map(|_| names)
}

fn short_texts(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (module, rest) = short_text(data)?;
    let (name, rest) = short_text(rest)?;
    (rest.first() == Some(&0x93)).then_some((module, name))
}

fn short_text(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x8c, length, rest @ ..] = data else {
        return None;
    };
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    // It is usually memorized.
    Some((text, rest.strip_prefix(&[0x94]).unwrap_or(rest)))
}
