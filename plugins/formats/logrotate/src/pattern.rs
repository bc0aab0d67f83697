//! Patterns of file names: `*`, `?`, `[…]`, and `{…,…}`; and their expansion over folders.

use crate::source::{Kind, Source};

/// How deep alternatives may be nested, and how many a pattern may stand for.
const MOST_ALTERNATIVES: usize = 4096;

/// Whether a text holds anything that a pattern can do.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether one name (without `/`) fits a pattern without alternatives. A leading dot must
/// be written.
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    fits(&pattern, &name)
}

/// Greedy with one place to come back to: linear in memory, no recursion.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut back = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                back = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(&pattern[p..], name[n]),
            Some('\\') if p + 1 < pattern.len() => (pattern[p + 1] == name[n]).then_some(2),
            Some(c) => (*c == name[n]).then_some(1),
            None => None,
        };
        match (step, back) {
            (Some(width), _) => {
                p += width;
                n += 1;
            }
            (None, Some((after, from))) => {
                p = after;
                n = from + 1;
                back = Some((after, n));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The width of a `[…]` that holds the character; `None` where it does not. A bracket
/// that is never closed stands for itself.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let begin = if negated { 2 } else { 1 };
    let Some(close) = closing(pattern, begin) else {
        return (c == '[').then_some(1);
    };
    let body = &pattern[begin..close];
    let mut found = false;
    let mut at = 0;
    while at < body.len() {
        if let Some((name, width)) = named(&body[at..]) {
            found |= is_of(&name, c);
            at += width;
        } else if at + 2 < body.len() && body[at + 1] == '-' {
            found |= (body[at]..=body[at + 2]).contains(&c);
            at += 3;
        } else {
            found |= body[at] == c;
            at += 1;
        }
    }
    (found != negated).then_some(close + 1)
}

/// Where a bracket closes whose first character stands at `begin`: a `]` there, and those of
/// named classes, close nothing.
fn closing(pattern: &[char], begin: usize) -> Option<usize> {
    let mut at = begin;
    while at < pattern.len() {
        match named(&pattern[at..]) {
            Some((_, width)) => at += width,
            None if pattern[at] == ']' && at > begin => return Some(at),
            None => at += 1,
        }
    }
    None
}

/// A named class, `[:digit:]`, at the beginning: its name and width.
fn named(body: &[char]) -> Option<(String, usize)> {
    let rest = body.strip_prefix(&['[', ':'])?;
    let letters = rest.iter().take_while(|c| c.is_ascii_alphabetic()).count();
    rest[letters..].strip_prefix(&[':', ']'])?;
    Some((rest[..letters].iter().collect(), letters + 4))
}

/// Whether a character is of a class as POSIX names it; of one that it does not name, none is.
fn is_of(class: &str, c: char) -> bool {
    match class {
        "alnum" => c.is_alphanumeric(),
        "alpha" => c.is_alphabetic(),
        "blank" => matches!(c, ' ' | '\t'),
        "cntrl" => c.is_control(),
        "digit" => c.is_ascii_digit(),
        "graph" => !c.is_control() && !c.is_whitespace(),
        "lower" => c.is_lowercase(),
        "print" => !c.is_control(),
        "punct" => c.is_ascii_punctuation(),
        "space" => c.is_whitespace(),
        "upper" => c.is_uppercase(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

/// The patterns that `{a,b}` stands for, in order; braces without a comma stand for
/// themselves.
pub fn alternatives(text: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(next) = open.pop() {
        if done.len() + open.len() > MOST_ALTERNATIVES {
            return vec![text.to_owned()];
        }
        match first_braces(&next) {
            None => done.push(next),
            Some((before, choices, after)) => {
                let made = choices.iter().rev();
                open.extend(made.map(|choice| format!("{before}{choice}{after}")));
            }
        }
    }
    done
}

/// The first `{…}` with a comma at its own level.
fn first_braces(text: &str) -> Option<(&str, Vec<&str>, &str)> {
    for (open, _) in text.match_indices('{') {
        let mut depth = 0;
        let mut cuts = vec![open];
        for (at, c) in text[open..].char_indices() {
            let at = open + at;
            match c {
                '{' => depth += 1,
                ',' if depth == 1 => cuts.push(at),
                '}' if depth == 1 => {
                    cuts.push(at);
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        let closed = cuts.last().is_some_and(|at| text[*at..].starts_with('}'));
        if closed && cuts.len() > 2 {
            let choices = cuts.windows(2).map(|cut| &text[cut[0] + 1..cut[1]]);
            let end = cuts[cuts.len() - 1] + 1;
            return Some((&text[..open], choices.collect(), &text[end..]));
        }
    }
    None
}

/// Whether a whole path fits a pattern, name by name.
pub fn fits_path(pattern: &str, path: &str) -> bool {
    alternatives(pattern).iter().any(|pattern| {
        let (mut patterns, mut names) = (pattern.split('/'), path.split('/'));
        loop {
            match (patterns.next(), names.next()) {
                (None, None) => return true,
                (Some(pattern), Some(name)) if matches(pattern, name) => {}
                _ => return false,
            }
        }
    })
}

/// The paths that a pattern stands for, in byte order; itself where nothing fits. Folders
/// that cannot be read fit nothing.
pub fn expand(pattern: &str, source: &dyn Source) -> Vec<String> {
    let home = pattern.strip_prefix("~/").zip(source.home());
    let pattern = home.map_or_else(
        || pattern.to_owned(),
        |(rest, home)| format!("{}/{rest}", home.trim_end_matches('/')),
    );
    let expanded = alternatives(&pattern).into_iter();
    expanded.flat_map(|one| expand_one(&one, source)).collect()
}

fn expand_one(pattern: &str, source: &dyn Source) -> Vec<String> {
    if !is_pattern(pattern) {
        return vec![unescape(pattern)];
    }
    let mut found = vec![String::new()];
    let mut names = pattern.split('/').skip(1).peekable();
    while let Some(name) = names.next() {
        let last = names.peek().is_none();
        let next = found
            .iter()
            .flat_map(|base| below(base, name, last, source));
        found = next.collect();
    }
    if found.is_empty() {
        found.push(pattern.to_owned());
    }
    found.sort_unstable();
    found
}

fn below(base: &str, name: &str, last: bool, source: &dyn Source) -> Vec<String> {
    if !is_pattern(name) {
        let path = format!("{base}/{}", unescape(name));
        let there = !last || matches!(source.look(&path), Ok(Some(_)));
        return there.then_some(path).into_iter().collect();
    }
    let folder = if base.is_empty() { "/" } else { base };
    let names = source.list(folder).unwrap_or_default();
    let fitting = names.into_iter().filter(|found| matches(name, found));
    let paths = fitting.map(|found| format!("{base}/{found}"));
    let folder = |path: &String| {
        let found = source.look(path).ok().flatten();
        found.is_some_and(|found| found.kind == Kind::Directory)
    };
    paths.filter(|path| last || folder(path)).collect()
}

fn unescape(name: &str) -> String {
    let mut chars = name.chars();
    let mut plain = String::with_capacity(name.len());
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, expected) in [
            ("*.log", "a.log", true),
            ("*.log", ".a.log", false),
            (".*", ".a", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[ab]*", "b1", true),
            ("[!ab]*", "b1", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[]a]", "]", true),
            ("[[:digit:]].log", "1.log", true),
            ("[[:digit:]].log", "x.log", false),
            ("[![:digit:]x]", "1", false),
            ("[_[:upper:]-]", "Q", true),
            ("[[:none:]]", "n", false),
            ("[[:digit", "d", false),
            ("[", "[", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("*", "", true),
            ("ä*", "äö", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn paths_fit_name_by_name() {
        for (pattern, path, expected) in [
            ("/l/*.log", "/l/a.log", true),
            ("/l/*.log", "/l/b/a.log", false),
            ("/*/{a,b}", "/l/b", true),
            ("/l/a b", "/l/a b", true),
        ] {
            assert_eq!(fits_path(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_with_many_stars_takes_no_time() {
        let pattern = "*a".repeat(50);
        assert!(!matches(&pattern, &"a".repeat(40)));
        assert!(!matches(&format!("{pattern}b"), &"a".repeat(5000)));
    }

    #[test]
    fn braces_stand_for_their_choices() {
        for (text, expected) in [
            ("/a/{b,c}.log", vec!["/a/b.log", "/a/c.log"]),
            ("{a,{b,c}}", vec!["a", "b", "c"]),
            ("{a,b}{1,2}", vec!["a1", "a2", "b1", "b2"]),
            ("{a}", vec!["{a}"]),
            ("{a", vec!["{a"]),
            ("x{,y}", vec!["x", "xy"]),
        ] {
            assert_eq!(alternatives(text), expected, "{text}");
        }
        let huge = "{a,b}".repeat(40);
        assert_eq!(alternatives(&huge), std::slice::from_ref(&huge));
    }
}
