//! restic's exclude patterns.
//!
//! A pattern that begins with `/` is matched from the root, another one at every
//! folder. `*`, `?`, `[a-z]` and `[^a-z]` match within a name, `**` any number of
//! folders, a backslash takes the next character as it is. `!` before a pattern
//! takes back what an earlier one excluded; the last that matches decides. What
//! lies below an excluded folder is excluded, and cannot be taken back.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use mhost_model::{Fault, FaultResult};

/// Patterns, in their order.
#[derive(Debug)]
pub struct Excludes {
    set: GlobSet,
    blind: bool,
    /// For each pattern, whether it excludes or takes back.
    excludes: Vec<bool>,
}

impl Excludes {
    /// `blind` takes small and capital letters for the same.
    pub fn new(patterns: &[String], blind: bool) -> FaultResult<Self> {
        Self::named("the exclude pattern", patterns, blind)
    }

    /// As [`new`](Self::new); `what` is what messages call a pattern.
    pub fn named(what: &str, patterns: &[String], blind: bool) -> FaultResult<Self> {
        let mut set = GlobSetBuilder::new();
        let mut excludes = Vec::new();
        for pattern in patterns {
            let invalid = |why: &dyn std::fmt::Display| {
                Fault::Invalid(format!("{what} `{pattern}` is wrong: {why}"))
            };
            let pattern = if blind {
                pattern.to_lowercase()
            } else {
                pattern.clone()
            };
            let (text, excluding) = match pattern.strip_prefix('!') {
                Some(rest) => (rest, false),
                None => (pattern.as_str(), true),
            };
            let glob = translate(text).map_err(|why| invalid(&why))?;
            // With restic, `a/**` matches `a` as well: no folder is any number of folders.
            let itself = glob
                .strip_suffix("/**")
                .filter(|rest| !matches!(*rest, "" | "**"));
            for glob in [Some(glob.as_str()), itself].into_iter().flatten() {
                let glob = GlobBuilder::new(glob)
                    .literal_separator(true)
                    .backslash_escape(true)
                    .build()
                    .map_err(|error| invalid(error.kind()))?;
                set.add(glob);
                excludes.push(excluding);
            }
        }
        let set = set
            .build()
            .map_err(|error| Fault::Invalid(format!("{what}s are too large together: {error}")))?;
        Ok(Self {
            set,
            blind,
            excludes,
        })
    }

    /// Whether this path is left out; its parents have been asked before.
    pub fn matches(&self, path: &Path) -> bool {
        if self.excludes.is_empty() {
            return false;
        }
        let matching = match self.blind {
            true => self.set.matches(path.to_string_lossy().to_lowercase()),
            false => self.set.matches(path),
        };
        let last = matching.into_iter().max();
        last.is_some_and(|last| self.excludes[last])
    }
}

/// Into the syntax of `globset`, which reads braces and stars otherwise.
fn translate(pattern: &str) -> Result<String, &'static str> {
    let names: Vec<_> = pattern
        .split('/')
        .filter(|name| !matches!(*name, "" | "."))
        .collect();
    if names.is_empty() {
        return Err("it is empty");
    }
    if names.contains(&"..") {
        return Err("it must not contain `..`");
    }
    let start = if pattern.starts_with('/') { "/" } else { "**/" };
    let names = names
        .into_iter()
        .map(translate_name)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{start}{}", names.join("/")))
}

fn translate_name(name: &str) -> Result<String, &'static str> {
    if name == "**" {
        return Ok(name.to_owned());
    }
    let mut glob = String::new();
    let mut rest = name.chars();
    while let Some(char) = rest.next() {
        match char {
            '\\' => {
                let escaped = rest.next().ok_or("it ends with a backslash")?;
                glob.extend(['\\', escaped]);
            }
            '{' | '}' => glob.extend(['\\', char]),
            // Within a name, two stars are one.
            '*' if glob.ends_with('*') && !glob.ends_with("\\*") => {}
            '[' => glob.push_str(&translate_class(&mut rest)?),
            char => glob.push(char),
        }
    }
    Ok(glob)
}

fn translate_class(rest: &mut std::str::Chars<'_>) -> Result<String, &'static str> {
    let (class, after) = rest.as_str().split_once(']').ok_or("a `[` has no `]`")?;
    *rest = after.chars();
    if class.contains('\\') {
        return Err(
            "between `[` and `]` only characters, ranges, and `^` at the beginning can stand",
        );
    }
    if matches!(class, "" | "^") {
        return Err("a `[]` is empty");
    }
    if let Some(class) = class.strip_prefix('^') {
        return Ok(format!("[!{class}]"));
    }
    // To restic, `!` is a character like any other; to `globset` it is not, if it is first.
    Ok(match class.strip_prefix('!') {
        Some("") => "\\!".to_owned(),
        Some(rest) if rest.starts_with('-') && rest.len() > 1 => format!("[\"{rest}!]"),
        Some(rest) => format!("[{rest}!]"),
        None => format!("[{class}]"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], path: &str, expected: bool) {
        let patterns: Vec<_> = patterns.iter().map(ToString::to_string).collect();
        let excludes = Excludes::new(&patterns, false).unwrap();
        assert_eq!(
            excludes.matches(Path::new(path)),
            expected,
            "{patterns:?} {path}"
        );
    }

    /// The same patterns go through restic itself in `tests/restic.rs`.
    #[test]
    fn patterns() {
        check(&[], "/a", false);
        check(&["*.log"], "/var/log/a.log", true);
        check(&["*.log"], "/var/log/a.logs", false);
        check(&["/*.log"], "/var/a.log", false);
        check(&["/var/*.log"], "/var/a.log", true);
        check(&["log/a"], "/var/log/a", true);
        check(&["log/a"], "/var/blog/a", false);
        check(&["cache/"], "/x/cache", true);
        check(&["/a/**/z"], "/a/b/c/z", true);
        check(&["/a/**/z"], "/a/z", true);
        check(&["a?c"], "/abc", true);
        check(&["a?c"], "/a/c", false);
        check(&["[a-c]x"], "/bx", true);
        check(&["[^a-c]x"], "/bx", false);
        check(&["[^a-c]x"], "/dx", true);
        check(&["{a,b}"], "/a", false);
        check(&["{a,b}"], "/{a,b}", true);
        check(&["a\\*"], "/a*", true);
        check(&["a\\*"], "/ab", false);
        check(&["a\\**"], "/a*b", true);
        check(&["a**b"], "/axyb", true);
        check(&["a**b"], "/ax/yb", false);
        check(&["/a/**"], "/a", true);
        check(&["/a/**"], "/a/b/c", true);
        check(&["/a/**"], "/ab", false);
        check(&["a/b/**"], "/x/a/b", true);
        check(&["**"], "/a", true);
        check(&["/**"], "/a", true);
        check(&["*", "!a/**"], "/a", false);
        check(&["[!a]x"], "/ax", true);
        check(&["[!a]x"], "/!x", true);
        check(&["[!a]x"], "/bx", false);
        check(&["[!]x"], "/!x", true);
        check(&["[!-#]x"], "/\"x", true);
        check(&["[!-#]x"], "/!x", true);
        check(&["[!-#]x"], "/$x", false);
        check(&["*", "!keep"], "/x/keep", false);
        check(&["!keep", "*"], "/x/keep", true);
    }

    #[test]
    fn letters_may_not_matter() {
        let excludes = Excludes::new(&["*.LOG".to_owned(), "Übung".to_owned()], true).unwrap();
        assert!(excludes.matches(Path::new("/var/a.log")));
        assert!(excludes.matches(Path::new("/var/A.Log")));
        assert!(excludes.matches(Path::new("/übUNG")));
        assert!(!excludes.matches(Path::new("/var/a.logs")));
    }

    #[test]
    fn wrong_patterns_are_named() {
        for wrong in [
            "", "/", "!", "a[", "a[]", "a[^]", "[\\]]", "a\\", "a/../b", "[z-a]",
        ] {
            let Err(Fault::Invalid(text)) = Excludes::new(&[wrong.to_owned()], false) else {
                panic!("{wrong}")
            };
            assert!(text.contains(&format!("`{wrong}`")), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics(pattern: String, path: String) {
            if let Ok(excludes) = Excludes::new(&[pattern], false) {
                excludes.matches(Path::new(&path));
            }
        }

        #[test]
        fn a_quoted_name_matches_itself_alone(name in "[a-z*?{}!^-]{1,8}", other in "[a-z*?{}!^-]{1,8}") {
            let quoted: String = name.chars().flat_map(|char| ['\\', char]).collect();
            let excludes = Excludes::new(&[format!("/{quoted}")], false).unwrap();
            let matches = |name: &str| excludes.matches(&Path::new("/").join(name));
            proptest::prop_assert!(matches(&name));
            proptest::prop_assert_eq!(matches(&other), name == other);
        }
    }
}
