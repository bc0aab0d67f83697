//! Hides secrets: every value that a run or a channel was handed is replaced by `***`
//! wherever its log, report, errors or progress would show it, also in the usual
//! disguises (JSON escapes, percent encoding, base64 at any offset, single lines of a
//! value of several), and also where a text was cut within one.
//!
//! This keeps accidents out of the log. A plugin that wants to leak a secret that
//! it was granted can encode it as it likes; the grants of the network say where to.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// What stands in a secret's place.
const MASK: &str = "***";
/// Disguises, single lines and parts shorter than this hide nothing and would garble
/// ordinary text.
const SHORTEST: usize = 6;
/// What stands where a text was cut.
const CUT: char = '…';

/// The secrets of one run, or of one delivery.
#[derive(Debug, Default)]
pub struct Masks(RwLock<Vec<String>>);

impl Masks {
    /// From now on hides this value.
    pub fn add(&self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let mut patterns = self.0.write().unwrap_or_else(PoisonError::into_inner);
        patterns.extend(disguises(secret));
        // The longest first, so that no part of one is left by another.
        patterns.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        patterns.dedup();
    }

    /// From now on hides what of a URL may be secret: all that stands behind its origin,
    /// and each longer part of that by itself, as receivers like to repeat the last one.
    pub fn add_url(&self, url: &str) {
        let from = url.find("://").map_or(0, |at| at + 3);
        let Some(begin) = url[from..].find(['/', '?', '#']) else {
            return;
        };
        let behind = &url[from + begin..];
        if behind.len() > 1 {
            self.add(behind);
        }
        for part in behind.split(['/', '?', '#', '&', '=', ';']) {
            for part in [part, &unescaped(part)] {
                if part.len() >= SHORTEST {
                    self.add(part);
                }
            }
        }
    }

    /// The text with every secret hidden, and what is left of one at the text's end, or on
    /// either side of a `…`, where the text was cut before it came here.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let patterns = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut shown = Cow::Borrowed(text);
        for pattern in patterns.iter() {
            if shown.contains(pattern.as_str()) {
                shown = Cow::Owned(shown.replace(pattern.as_str(), MASK));
            }
        }
        let rests = rests(&patterns, &shown);
        if !rests.is_empty() {
            shown = Cow::Owned(without(&shown, rests));
        }
        shown
    }

    /// The same, in place.
    pub fn hide_in(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.hide(text) {
            *text = hidden;
        }
    }

    /// How many bytes at the end of `text` may be the beginning of a secret that the
    /// next write completes.
    pub fn unfinished(&self, text: &[u8]) -> usize {
        let patterns = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let longest = |pattern: &String| {
            let pattern = pattern.as_bytes();
            (1..pattern.len().min(text.len() + 1))
                .rev()
                .find(|length| text.ends_with(&pattern[..*length]))
        };
        patterns.iter().filter_map(longest).max().unwrap_or(0)
    }
}

/// What cutting left of secrets: its places in the text.
fn rests(patterns: &[String], text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let cuts = text.match_indices(CUT).map(|(at, _)| at);
    for cut in cuts.chain([text.len()]) {
        let before = patterns
            .iter()
            .filter_map(|one| beginning(one, &text[..cut]));
        found.extend(before.max().map(|length| cut - length..cut));
        let after = text.get(cut + CUT.len_utf8()..).unwrap_or_default();
        let behind = patterns.iter().filter_map(|one| ending(one, after));
        let from = cut + CUT.len_utf8();
        found.extend(behind.max().map(|length| from..from + length));
    }
    found
}

/// How many bytes at the end of `text` are a longer beginning of the pattern.
fn beginning(pattern: &str, text: &str) -> Option<usize> {
    let head = pattern.get(..pattern.ceil_char_boundary(SHORTEST))?;
    // A text is looked through for the head alone: lengths in turn are many for a long one.
    let window = &text[text.floor_char_boundary(text.len().saturating_sub(pattern.len()))..];
    let fits = |at: &usize| pattern.starts_with(&window[*at..]);
    let at = places(window, head).find(fits)?;
    Some(window.len() - at)
}

/// How many bytes at the beginning of `text` are a longer ending of the pattern.
fn ending(pattern: &str, text: &str) -> Option<usize> {
    let tail = pattern.get(pattern.floor_char_boundary(pattern.len().checked_sub(SHORTEST)?)..)?;
    let window = &text[..text.floor_char_boundary(pattern.len())];
    let ends = places(window, tail).map(|at| at + tail.len());
    ends.filter(|end| pattern.ends_with(&window[..*end])).max()
}

/// Where `part` stands in `text`, also where it overlaps itself.
fn places<'t>(text: &'t str, part: &'t str) -> impl Iterator<Item = usize> + 't {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + text.get(from..)?.find(part)?;
        from = text.ceil_char_boundary(at + 1);
        Some(at)
    })
}

/// The text with the mask in these places, which may touch each other.
fn without(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_by_key(|place| place.start);
    let mut shown = String::with_capacity(text.len());
    let mut kept = 0;
    for place in places {
        if place.start >= kept {
            shown.push_str(&text[kept..place.start]);
            shown.push_str(MASK);
        }
        kept = kept.max(place.end);
    }
    shown.push_str(&text[kept..]);
    shown
}

/// With `%41` as `A`; what is no text then stays as it is.
fn unescaped(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = hex.and_then(|two| u8::from_str_radix(two, 16).ok());
        let (byte, after) = match byte.filter(|_| *first == b'%') {
            Some(byte) => (byte, &after[2..]),
            None => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).unwrap_or_else(|_| part.to_owned())
}

/// The value, its lines, and what encodings make of it.
fn disguises(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned()];
    let mut add = |text: String| {
        if text.len() >= SHORTEST {
            all.push(text);
        }
    };
    secret.lines().for_each(|line| add(line.trim().to_owned()));
    if let Ok(json) = serde_json::to_string(secret) {
        add(json[1..json.len() - 1].to_owned());
    }
    add(format!("{secret:?}").trim_matches('"').to_owned());
    add(percent(secret, false));
    add(percent(secret, true));
    for skip in 0..3 {
        add(base64_inside(&STANDARD, secret, skip));
        add(base64_inside(&URL_SAFE, secret, skip));
    }
    all
}

/// Percent encoding of all but the unreserved characters.
fn percent(secret: &str, lower: bool) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ if lower => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    secret.bytes().map(encode).collect()
}

/// The characters of a base64 text that this secret alone decides when `skip`
/// bytes, modulo three, stand before it and anything after.
fn base64_inside(engine: &impl base64::Engine, secret: &str, skip: usize) -> String {
    let mut bytes = vec![0; skip];
    bytes.extend_from_slice(secret.as_bytes());
    let text = engine.encode(&bytes);
    let first = (skip * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    text.get(first..last).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    fn masks() -> Masks {
        let masks = Masks::default();
        masks.add("hunter2/\"x\"");
        masks.add("line one is long\nline two as well");
        masks
    }

    #[test]
    fn every_disguise_is_hidden() {
        let check = |text: &str, expected: &str| assert_eq!(masks().hide(text), expected);
        check("nothing here", "nothing here");
        check("a hunter2/\"x\" b", "a *** b");
        check(r#"{"key":"hunter2/\"x\""}"#, r#"{"key":"***"}"#);
        check("?p=hunter2%2F%22x%22&q", "?p=***&q");
        check("?p=hunter2%2f%22x%22&q", "?p=***&q");
        check("> line two as well", "> ***");
    }

    #[test]
    fn base64_is_hidden_at_every_offset() {
        for before in ["", "a", "ab", "user:"] {
            let text = STANDARD.encode(format!("{before}hunter2/\"x\" and more"));
            let hidden = masks().hide(&text).into_owned();
            assert!(hidden.contains(MASK), "{before}: {hidden}");
        }
    }

    #[test]
    fn a_beginning_of_a_secret_is_seen() {
        for (text, expected) in [("hunt", 4), ("x hunter2", 7), ("#", 0), ("", 0)] {
            assert_eq!(masks().unfinished(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_cutting_left_is_hidden() {
        let check = |text: &str, expected: &str| assert_eq!(masks().hide(text), expected, "{text}");
        check(
            "it said `token=hunter2/…`, which",
            "it said `token=***…`, which",
        );
        check("ends with hunter2", "ends with ***");
        check("hunter2 in the middle", "hunter2 in the middle");
        check("only hunt…", "only hunt…");
        check("…ter2/\"x\" it was", "…*** it was");
        check("line one is lo…wo as well", "***…***");
        let base64 = STANDARD.encode("user:hunter2/\"x\"");
        check(&format!("Basic {}…", &base64[..16]), "Basic dXNlcjp***…");
        // A secret of which a part repeats itself.
        let masks = Masks::default();
        masks.add("aaaaaaab");
        assert_eq!(masks.hide("aaaaaaaaa…"), "aa***…");
        assert_eq!(masks.hide("…aaaaaaabaaaaaab"), "…***aaaaaab");
    }

    #[test]
    fn parts_of_a_url_are_secrets() {
        let masks = Masks::default();
        masks.add_url("https://hooks.example.org/T000/B%40cdefg?token=s3cret-1&x=y#frag");
        for (text, expected) in [
            ("at hooks.example.org", "at hooks.example.org"),
            ("no hook B%40cdefg", "no hook ***"),
            ("no hook B@cdefg", "no hook ***"),
            ("bad token s3cret-1", "bad token ***"),
            ("T000 is short", "T000 is short"),
            ("GET /T000/B%40cdefg?token=s3cret-1&x=y#frag", "GET ***"),
        ] {
            assert_eq!(masks.hide(text), expected);
        }
        let masks = Masks::default();
        for nothing in [
            "https://hooks.example.org",
            "https://hooks.example.org/",
            "",
            "x",
        ] {
            masks.add_url(nothing);
        }
        assert_eq!(
            masks.hide("https://hooks.example.org/ x"),
            "https://hooks.example.org/ x"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_longer_beginning_is_left(before in "[a-z ]{0,20}", secret in "[a-z0-9]{8,40}", cut in 6usize..40) {
            let masks = Masks::default();
            masks.add(&secret);
            let part = &secret[..cut.min(secret.len() - 1)];
            for text in [format!("{before} {part}"), format!("{before} {part}… and more")] {
                let shown = masks.hide(&text).into_owned();
                proptest::prop_assert!(!shown[before.len()..].contains(part), "{}", shown);
            }
        }

        #[test]
        fn no_secret_is_left(before in ".{0,20}", secret in ".{1,20}", after in ".{0,20}") {
            let masks = Masks::default();
            masks.add(&secret);
            let shown = masks.hide(&format!("{before}{secret}{after}")).into_owned();
            proptest::prop_assert!(!shown.contains(&secret) || MASK.contains(&secret));
        }
    }
}
