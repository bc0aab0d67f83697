//! Wildcards over bytes. The language is that of rsync (`*` stops at slashes, `**` does
//! not); git's differs in that `**` has its power only between slashes.

/// Which language a pattern is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rsync,
    Git,
}

/// How a match ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Match,
    No,
    /// No star that stops at slashes can help any more.
    ToStarStar,
    /// The text is at its end: nothing can help.
    Abort,
}

/// Whether a pattern matches all of a text.
pub fn matches(pattern: &[u8], text: &[u8], language: Language) -> bool {
    walk(pattern, text, language, None) == End::Match
}

/// Whether a pattern has anything but literal bytes.
pub fn is_wild(pattern: &[u8]) -> bool {
    pattern
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

fn walk(mut p: &[u8], mut t: &[u8], language: Language, mut before: Option<u8>) -> End {
    while let Some((&c, rest)) = p.split_first() {
        let Some((&byte, text)) = t.split_first() else {
            return match c {
                b'*' => star(p, t, language, before),
                _ => End::Abort,
            };
        };
        match c {
            b'*' => return star(p, t, language, before),
            b'?' if byte == b'/' => return End::No,
            b'?' => p = rest,
            b'[' => match class(rest, byte) {
                Some((true, rest)) if byte != b'/' => p = rest,
                _ => return End::No,
            },
            b'\\' if !rest.is_empty() => {
                if rest[0] != byte {
                    return End::No;
                }
                p = &rest[1..];
            }
            _ if c == byte => p = rest,
            _ => return End::No,
        }
        before = Some(c);
        t = text;
    }
    match t.is_empty() {
        true => End::Match,
        false => End::No,
    }
}

/// From a star on. `before` is the byte of the pattern before it.
fn star(p: &[u8], t: &[u8], language: Language, before: Option<u8>) -> End {
    let stars = p.iter().take_while(|byte| **byte == b'*').count();
    let rest = &p[stars..];
    let mut crosses = stars > 1;
    if crosses && language == Language::Git {
        let opens = matches!(before, None | Some(b'/'));
        let closes = matches!(rest.first(), None | Some(b'/'));
        crosses = opens && closes;
        // `**/` is also no folder at all.
        if crosses
            && rest.first() == Some(&b'/')
            && walk(&rest[1..], t, language, Some(b'/')) == End::Match
        {
            return End::Match;
        }
    }
    if rest.is_empty() {
        return match crosses || !t.contains(&b'/') {
            true => End::Match,
            false => End::ToStarStar,
        };
    }
    for at in 0..=t.len() {
        match walk(rest, &t[at..], language, Some(b'*')) {
            End::No => {}
            End::ToStarStar if crosses => {}
            end => return end,
        }
        if !crosses && t.get(at) == Some(&b'/') {
            return End::ToStarStar;
        }
    }
    End::Abort
}

/// Whether a class, of which `p` is what follows `[`, holds the byte, and what follows
/// it; none where it is never closed.
fn class(p: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut p) = match p.first()? {
        b'!' | b'^' => (true, &p[1..]),
        _ => (false, p),
    };
    let mut found = false;
    let mut first = true;
    loop {
        let c = *p.first()?;
        if c == b']' && !first {
            return Some((found != negated, &p[1..]));
        }
        first = false;
        if let Some(name) = p.strip_prefix(b"[:") {
            let end = name.windows(2).position(|two| two == b":]")?;
            found |= named(&name[..end], byte)?;
            p = &name[end + 2..];
            continue;
        }
        let (low, rest) = literal(p)?;
        p = rest;
        let range = p.first() == Some(&b'-') && p.get(1).is_some_and(|next| *next != b']');
        let high = match range {
            true => {
                let (high, rest) = literal(&p[1..])?;
                p = rest;
                high
            }
            false => low,
        };
        found |= (low..=high).contains(&byte);
    }
}

fn literal(p: &[u8]) -> Option<(u8, &[u8])> {
    match p {
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => Some((*byte, rest)),
        [] => None,
    }
}

fn named(class: &[u8], byte: u8) -> Option<bool> {
    Some(match class {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 11,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_rsync_has_it() {
        for (pattern, text, expected) in [
            ("*.c", "a.c", true),
            ("*.c", "d/a.c", false),
            ("**.c", "d/a.c", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[[:digit:]]x", "7x", true),
            ("[[:nonesuch:]]x", "7x", false),
            ("[a", "a", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("d/**", "d/x/y", true),
            ("d/***", "d/", true),
            ("a*/b", "ax/b", true),
            ("a*/b", "ax/y/b", false),
            ("a**b", "a/x/b", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            let found = matches(pattern.as_bytes(), text.as_bytes(), Language::Rsync);
            assert_eq!(found, expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn as_git_has_it() {
        for (pattern, text, expected) in [
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("a/**/x", "a/x", true),
            ("a/**/x", "a/b/c/x", true),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a**x", "a/x", false),
            ("a**x", "abx", true),
        ] {
            let found = matches(pattern.as_bytes(), text.as_bytes(), Language::Git);
            assert_eq!(found, expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn hostile_patterns_end() {
        let text = vec![b'a'; 2000];
        let pattern = b"*a".repeat(24);
        assert!(matches(&pattern, &text, Language::Rsync));
        let pattern = [b"*a".repeat(24).as_slice(), b"b"].concat();
        assert!(!matches(&pattern, &text, Language::Rsync));
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_is_answered(
            pattern in "[ab*?/\\\\\\[\\]!^:-]{0,12}",
            text in "[ab/]{0,12}",
        ) {
            for language in [Language::Rsync, Language::Git] {
                matches(pattern.as_bytes(), text.as_bytes(), language);
            }
        }
    }
}
