//! Hides secrets: every value that a run was handed is replaced by `***` wherever
//! its log, report, errors or progress would show it, also in the usual disguises
//! (JSON escapes, percent encoding, base64 at any offset, single lines of a value
//! of several).
//!
//! This keeps accidents out of the log. A plugin that wants to leak a secret that
//! it was granted can encode it as it likes; the grants of the network say where to.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// What stands in a secret's place.
const MASK: &str = "***";
/// Disguises and single lines shorter than this hide nothing and would garble
/// ordinary text.
const SHORTEST: usize = 6;

/// The secrets of one run.
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

    /// The text with every secret hidden.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let patterns = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut shown = Cow::Borrowed(text);
        for pattern in patterns.iter() {
            if shown.contains(pattern.as_str()) {
                shown = Cow::Owned(shown.replace(pattern.as_str(), MASK));
            }
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
    pub(crate) fn unfinished(&self, text: &[u8]) -> usize {
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

    proptest::proptest! {
        #[test]
        fn no_secret_is_left(before in ".{0,20}", secret in ".{1,20}", after in ".{0,20}") {
            let masks = Masks::default();
            masks.add(&secret);
            let shown = masks.hide(&format!("{before}{secret}{after}")).into_owned();
            proptest::prop_assert!(!shown.contains(&secret) || MASK.contains(&secret));
        }
    }
}
