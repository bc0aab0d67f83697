//! Words, numbers and sizes as configurations write them.

/// Splits as a shell does: blanks separate, `"`, `'` and `\` quote. `None` where a quote
/// is not closed.
pub fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => {
                let next = chars.next()?;
                let word = word.get_or_insert_default();
                // In double quotes a backslash only quotes what is special there.
                if quote.is_some() && !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// A number: decimal, `0x…` or, with a leading zero, octal; a `+` may stand before it.
pub fn number(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, radix).ok())?
}

/// Bytes: a number, and `k`, `M` or `G` for powers of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1_u64),
    };
    // The largest number of all stands for one that is too large.
    let value = number(digits).filter(|value| *value != u64::MAX);
    value
        .and_then(|value| value.checked_mul(factor))
        .ok_or_else(|| format!("`{text}` is no size: write bytes, or a number with k, M or G"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        for (text, expected) in [
            ("a b", Some(vec!["a", "b"])),
            (r#" "a b" 'c d' e\ f "#, Some(vec!["a b", "c d", "e f"])),
            (r#""a\"b" "c\d""#, Some(vec!["a\"b", "c\\d"])),
            ("a\"b c\"d", Some(vec!["ab cd"])),
            ("''", Some(vec![""])),
            ("", Some(vec![])),
            ("\"open", None),
            ("end\\", None),
        ] {
            assert_eq!(
                split(text).as_deref(),
                expected
                    .map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>())
                    .as_deref(),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_and_sizes() {
        for (text, expected) in [
            ("10", Some(10)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("+3", Some(3)),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("0x", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        assert_eq!(size("100k"), Ok(102_400));
        assert_eq!(size("1K"), Ok(1024));
        assert_eq!(size("3M"), Ok(3 << 20));
        assert_eq!(size("2G"), Ok(2 << 30));
        for bad in [
            "5 k",
            "18446744073709551615",
            "10q",
            "-1",
            "1.5k",
            "k",
            "",
            "99999999999999999G",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
