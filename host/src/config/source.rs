//! The text of a configuration file, and the line and column of a byte in it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Bytes of the text, from and up to.
pub(super) type Extent = Range<usize>;

/// Longer lines are shown cut, around what they are shown for.
const SHOWN: usize = 400;

/// A file's text under the name that a person knows it by.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub name: String,
    pub text: String,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

/// The first line of an extent, to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Excerpt {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line, or the part of it around what is marked.
    pub text: String,
    pub whole: bool,
    /// Bytes of `text`.
    pub marked: Extent,
}

impl Source {
    pub fn new(name: String, text: String) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0)
            .chain(ends.map(|(at, _)| at + 1))
            .collect();
        Self { name, text, lines }
    }

    /// What to show for an extent. One that runs over several lines is marked on
    /// its first.
    pub fn excerpt(&self, extent: &Extent) -> Excerpt {
        let start = self.boundary(extent.start);
        let line = self.lines.partition_point(|begin| *begin <= start);
        let begin = self.lines[line.saturating_sub(1)];
        let whole = self.text[begin..].split('\n').next().unwrap_or_default();
        let whole = whole.strip_suffix('\r').unwrap_or(whole);
        let start = (start - begin).min(whole.len());
        let end = (self.boundary(extent.end).saturating_sub(begin)).clamp(start, whole.len());
        let column = whole[..start].chars().count() + 1;
        let (text, marked) = cut(whole, start..end);
        Excerpt {
            line,
            column,
            whole: text.len() == whole.len(),
            text,
            marked,
        }
    }

    /// The nearest position that begins a character.
    fn boundary(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        (0..=at)
            .rev()
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or(0)
    }
}

/// The part of a long line around `marked`.
fn cut(line: &str, marked: Extent) -> (String, Extent) {
    if line.len() <= SHOWN {
        return (line.to_owned(), marked);
    }
    let near = |at: usize| {
        (0..=at)
            .rev()
            .find(|at| line.is_char_boundary(*at))
            .unwrap_or(0)
    };
    let from = near(marked.start.saturating_sub(SHOWN / 4));
    let to = near((from + SHOWN).min(line.len()));
    let end = marked.end.min(to).max(marked.start);
    (line[from..to].to_owned(), marked.start - from..end - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, extent: Extent, expected: (usize, usize, &str)) {
        let excerpt = Source::new("f".into(), text.into()).excerpt(&extent);
        let marked = &excerpt.text[excerpt.marked.clone()];
        assert_eq!((excerpt.line, excerpt.column, marked), expected, "{text:?}");
    }

    #[test]
    fn positions() {
        check("a = 1\nb = 22\n", 10..12, (2, 5, "22"));
        check("a = 1\r\nb = 22\r\n", 11..15, (2, 5, "22"));
        check("ä = 1\n", 5..6, (1, 5, "1"));
        check("ä = 1\n", 1..2, (1, 1, "ä"));
        check("a = [\n1]", 4..8, (1, 5, "["));
        check("", 0..0, (1, 1, ""));
        check("a", 7..9, (1, 2, ""));
        let long = format!("{}x{}", "a".repeat(9_000), "b".repeat(9_000));
        check(&long, 9_000..9_001, (1, 9_001, "x"));
    }
}
