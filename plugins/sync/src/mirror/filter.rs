//! Which paths count: rsync's filter rules, of which the first that matches decides, and
//! after them lines of a .gitignore, of which the last that matches does. Below a
//! directory that is left out everything is.

use mhost_sdk::Failure;

use super::config::Mirror;
use super::wild::{self, Language};

/// What the rules say of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Not looked at in the source.
    pub hidden: bool,
    /// Not removed from the target.
    pub protected: bool,
}

/// Compiled rules.
#[derive(Debug)]
pub struct Filter {
    rules: Vec<Rule>,
    ignore: Vec<Ignore>,
    delete_excluded: bool,
}

/// One of rsync's rules.
#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    /// Whether what matches is taken in or left out.
    takes_in: bool,
    /// It matches where the pattern does not.
    inverted: bool,
    on_source: bool,
    on_target: bool,
}

#[derive(Debug)]
struct Pattern {
    text: Vec<u8>,
    anchored: bool,
    directory: bool,
    /// It has wildcards, and then a backslash escapes.
    wild: bool,
    /// It has `**`.
    deep: bool,
    /// Slashes other than a leading or a trailing one.
    slashes: usize,
}

/// A line of a .gitignore.
#[derive(Debug)]
struct Ignore {
    text: Vec<u8>,
    takes_in: bool,
    anchored: bool,
    directory: bool,
}

impl Filter {
    pub fn new(config: &Mirror) -> Result<Self, Failure> {
        let mut rules = Vec::new();
        for line in &config.filter {
            match rule(line)? {
                Some(rule) => rules.push(rule),
                None => rules.clear(),
            }
        }
        for (list, key, takes_in) in [
            (&config.include, "include", true),
            (&config.exclude, "exclude", false),
        ] {
            for text in list {
                rules.push(Rule::plain(pattern(text, key)?, takes_in));
            }
        }
        Ok(Self {
            rules,
            ignore: config
                .ignore
                .iter()
                .filter_map(|line| ignore(line))
                .collect(),
            delete_excluded: config.delete_excluded,
        })
    }

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.ignore.is_empty()
    }

    /// What the rules say of a path relative to the tree's top itself.
    pub fn verdict(&self, path: &[u8], directory: bool) -> Verdict {
        if self.is_empty() || path.is_empty() {
            return Verdict::default();
        }
        Verdict {
            hidden: self.left_out(path, directory, |rule| rule.on_source),
            protected: self.left_out(path, directory, |rule| {
                rule.on_target && !(self.delete_excluded && rule.on_source)
            }),
        }
    }

    fn left_out(&self, path: &[u8], directory: bool, side: impl Fn(&Rule) -> bool) -> bool {
        let mut rules = self.rules.iter().filter(|rule| side(rule));
        if let Some(rule) = rules.find(|rule| rule.matches(path, directory)) {
            return !rule.takes_in;
        }
        let mut lines = self.ignore.iter().rev();
        let line = lines.find(|line| line.matches(path, directory));
        line.is_some_and(|line| !line.takes_in)
    }
}

impl Rule {
    fn plain(pattern: Pattern, takes_in: bool) -> Self {
        Self {
            pattern,
            takes_in,
            inverted: false,
            on_source: true,
            on_target: true,
        }
    }

    fn matches(&self, path: &[u8], directory: bool) -> bool {
        self.pattern.matches(path, directory) != self.inverted
    }
}

/// One line of `filter`; none for the one that clears the list.
fn rule(line: &str) -> Result<Option<Rule>, Failure> {
    let wrong = |why: &str| Failure::permanent(format!("`{line}` in `filter` is no rule: {why}"));
    let text = line.trim_start();
    if text == "!" || text == "clear" {
        return Ok(None);
    }
    let (word, rest) = text
        .split_once([' ', '_'])
        .ok_or_else(|| wrong("write `- PATTERN`, `+ PATTERN`, `P PATTERN` or the like"))?;
    let (name, modifiers) = match word.chars().next() {
        Some(sign @ ('+' | '-' | 'H' | 'S' | 'P' | 'R')) => (
            sign.to_string(),
            word[sign.len_utf8()..].trim_start_matches(','),
        ),
        _ => {
            let (name, modifiers) = word.split_once(',').unwrap_or((word, ""));
            (name.to_owned(), modifiers)
        }
    };
    let (takes_in, mut on_source, mut on_target) = match name.as_str() {
        "+" | "include" => (true, true, true),
        "-" | "exclude" => (false, true, true),
        "H" | "hide" => (false, true, false),
        "S" | "show" => (true, true, false),
        "P" | "protect" => (false, false, true),
        "R" | "risk" => (true, false, true),
        _ => {
            return Err(wrong(
                "rules that read files (`merge`, `dir-merge`) and others are not known here",
            ));
        }
    };
    let mut inverted = false;
    for modifier in modifiers.chars() {
        match modifier {
            '!' => inverted = true,
            '/' => {
                return Err(wrong(
                    "the modifier `/` means paths from the machine's root, which a task does not see; begin the pattern with `/` for the tree's top",
                ));
            }
            's' => on_target = false,
            'r' => on_source = false,
            other => return Err(wrong(&format!("the modifier `{other}` is not known here"))),
        }
    }
    Ok(Some(Rule {
        pattern: pattern(rest, "filter")?,
        takes_in,
        inverted,
        on_source,
        on_target,
    }))
}

fn pattern(text: &str, key: &str) -> Result<Pattern, Failure> {
    let bare = text.strip_suffix('/').unwrap_or(text);
    let anchored = bare.starts_with('/');
    let bare = bare.strip_prefix('/').unwrap_or(bare);
    if bare.is_empty() {
        return Err(Failure::permanent(format!(
            "`{text}` in `{key}` names nothing: write a name or a path below the top"
        )));
    }
    Ok(Pattern {
        anchored,
        directory: text.ends_with('/'),
        wild: wild::is_wild(bare.as_bytes()),
        deep: bare.contains("**"),
        slashes: bare.matches('/').count(),
        text: bare.as_bytes().to_vec(),
    })
}

impl Pattern {
    fn matches(&self, path: &[u8], directory: bool) -> bool {
        if self.directory && !directory {
            return false;
        }
        if !self.wild {
            return self.literal(path);
        }
        // What ends with `***` matches the directory itself, too.
        let mut slashed = Vec::new();
        let path = match directory && self.text.ends_with(b"/***") {
            true => {
                slashed.extend_from_slice(path);
                slashed.push(b'/');
                slashed.as_slice()
            }
            false => path,
        };
        if self.anchored {
            return self.whole(path);
        }
        if self.deep {
            if !self.text.starts_with(b"**") {
                return self.whole(path) || tails(path).any(|tail| self.whole(tail));
            }
            // As rsync has it, `**/x` matches `x` at the top, too.
            let rooted = [b"/", path].concat();
            return self.whole(path) || self.whole(&rooted);
        }
        self.whole(last_names(path, self.slashes + 1))
    }

    fn whole(&self, path: &[u8]) -> bool {
        wild::matches(&self.text, path, Language::Rsync)
    }

    fn literal(&self, path: &[u8]) -> bool {
        if self.anchored {
            return path == self.text;
        }
        let start = path.strip_suffix(self.text.as_slice());
        start.is_some_and(|start| start.is_empty() || start.ends_with(b"/"))
    }
}

/// What follows each slash.
fn tails(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| &path[at + 1..])
}

/// The last `count` names of a path; a slash at its end is no separator.
fn last_names(path: &[u8], count: usize) -> &[u8] {
    let inner = path.strip_suffix(b"/").unwrap_or(path);
    let slashes = inner.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let start = slashes.rev().nth(count - 1).map_or(0, |(at, _)| at + 1);
    &path[start..]
}

/// None for an empty line and a comment.
fn ignore(line: &str) -> Option<Ignore> {
    let mut text = line.trim_end_matches(['\n', '\r']);
    while text.ends_with(' ') && !text.ends_with("\\ ") {
        text = &text[..text.len() - 1];
    }
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let takes_in = text.starts_with('!');
    let text = text.strip_prefix('!').unwrap_or(text);
    let directory = text.ends_with('/');
    let bare = text.strip_suffix('/').unwrap_or(text);
    let anchored = bare.contains('/');
    let bare = bare.strip_prefix('/').unwrap_or(bare);
    (!bare.is_empty()).then(|| Ignore {
        text: bare.as_bytes().to_vec(),
        takes_in,
        anchored,
        directory,
    })
}

impl Ignore {
    fn matches(&self, path: &[u8], directory: bool) -> bool {
        let text = match self.anchored {
            true => path,
            false => last_names(path, 1),
        };
        (!self.directory || directory) && wild::matches(&self.text, text, Language::Git)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn filter(more: Value) -> Result<Filter, Failure> {
        let mut config = json!({ "from": "/a", "to": "/b" });
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        Filter::new(&serde_json::from_value(config).unwrap())
    }

    fn hidden(filter: &Filter, path: &str) -> bool {
        let directory = path.ends_with('/');
        let path = path.trim_end_matches('/');
        filter.verdict(path.as_bytes(), directory).hidden
    }

    #[test]
    fn excludes_bind_as_rsync_binds_them() {
        for (pattern, path, expected) in [
            ("*.tmp", "a.tmp", true),
            ("*.tmp", "deep/er/a.tmp", true),
            ("/*.tmp", "a.tmp", true),
            ("/*.tmp", "deep/a.tmp", false),
            ("cache/", "x/cache/", true),
            ("cache/", "x/cache", false),
            ("a/*.log", "a/x.log", true),
            ("a/*.log", "b/a/x.log", true),
            ("a/*.log", "a/b/x.log", false),
            ("a/**.log", "a/b/x.log", true),
            ("/a/**/x.log", "a/b/c/x.log", true),
            ("foo/bar", "x/foo/bar", true),
            ("foo/bar", "xfoo/bar", false),
            ("bar", "foobar", false),
            ("a\\b", "a\\b", true),
            ("[ab]\\*", "a*", true),
            ("**/b", "b", true),
            ("**/b", "x/y/b", true),
            ("**/b", "xb", false),
            ("dir/***", "dir/", true),
            ("dir/***", "dir/x/y", true),
            ("dir/***", "dir", false),
        ] {
            let filter = filter(json!({ "exclude": [pattern] })).unwrap();
            assert_eq!(hidden(&filter, path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn the_first_rule_and_the_last_line_decide() {
        let rules = filter(json!({ "filter": ["+ *.c", "- *"] })).unwrap();
        assert!(!hidden(&rules, "a.c") && hidden(&rules, "a.h"));
        let lists = filter(json!({ "include": ["keep.o"], "exclude": ["*.o"] })).unwrap();
        assert!(!hidden(&lists, "keep.o") && hidden(&lists, "other.o"));
        let lines = filter(json!({ "ignore": ["# no", "*.log", "!keep.log", "/top", "d/"] }));
        let lines = lines.unwrap();
        for (path, expected) in [
            ("x/a.log", true),
            ("keep.log", false),
            ("top", true),
            ("x/top", false),
            ("x/d/", true),
            ("d", false),
        ] {
            assert_eq!(hidden(&lines, path), expected, "{path}");
        }
    }

    #[test]
    fn sides_are_told_apart() {
        let check = |rule: &str, hidden: bool, protected: bool| {
            let filter = filter(json!({ "filter": [rule] })).unwrap();
            let expected = Verdict { hidden, protected };
            assert_eq!(filter.verdict(b"x", false), expected, "{rule}");
        };
        check("- x", true, true);
        check("H x", true, false);
        check("hide x", true, false);
        check("P x", false, true);
        check("-s x", true, false);
        check("-,r x", false, true);
        check("-! y", true, true);
        let filter = filter(json!({ "exclude": ["x"], "delete_excluded": true })).unwrap();
        assert_eq!(
            filter.verdict(b"x", false),
            Verdict {
                hidden: true,
                protected: false
            }
        );
    }

    #[test]
    fn bad_rules_are_named() {
        for (key, bad) in [
            ("exclude", "/"),
            ("filter", "x"),
            ("filter", ": .rsync-filter"),
            ("filter", "-z x"),
            ("filter", "-/ x"),
            ("include", ""),
        ] {
            let error = filter(json!({ key: [bad] })).err().unwrap();
            assert!(error.message.contains(bad), "{}", error.message);
        }
    }
}
