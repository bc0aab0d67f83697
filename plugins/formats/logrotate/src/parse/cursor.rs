//! A place in a configuration's text.

#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    line: u32,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
        }
    }

    /// From 1.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Goes on by bytes, which end at a character.
    pub(super) fn skip(&mut self, bytes: usize) {
        let passed = &self.rest()[..bytes];
        let lines = passed.bytes().filter(|byte| *byte == b'\n').count();
        self.line += u32::try_from(lines).unwrap_or(u32::MAX);
        self.at += bytes;
    }

    /// Passes over blanks; what begins then.
    pub(super) fn begin(&mut self) -> Option<char> {
        let blank = self.rest().len() - self.rest().trim_start().len();
        self.skip(blank);
        self.rest().chars().next()
    }

    /// Passes over letters.
    pub(super) fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic());
        let word = &rest[..end.unwrap_or(rest.len())];
        self.skip(word.len());
        word
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The rest of the line without the blanks around it.
    pub(super) fn rest_of_line(&mut self) -> &'t str {
        let rest = self.rest();
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        self.skip(line.len());
        line.trim()
    }

    /// A directive's value: what follows a blank or a `=` on the line.
    pub(super) fn value(&mut self) -> &'t str {
        let line = self.rest_of_line();
        line.strip_prefix('=').unwrap_or(line).trim_start()
    }

    pub(super) fn skip_line(&mut self) {
        self.rest_of_line();
        let newline = usize::from(self.peek() == Some('\n'));
        self.skip(newline);
    }

    /// The names before the brace that opens an entry; passes over the brace. Braces that
    /// stand for alternatives, and quoted ones, open nothing.
    pub(super) fn until_brace(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let mut quote = None;
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some('"') | None, '\\') => {
                    chars.next();
                }
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '{') => {
                    if let Some(width) = alternatives(&rest[at..]) {
                        while chars.offset() < at + width && chars.next().is_some() {}
                        continue;
                    }
                    self.skip(at + 1);
                    return Some(&rest[..at]);
                }
                (None, _) => {}
            }
        }
        None
    }

    /// Passes over a block whose brace was passed already.
    pub(super) fn skip_block(&mut self) {
        let rest = self.rest();
        self.skip(rest.find('}').map_or(rest.len(), |at| at + 1));
    }

    /// A script up to its `endscript`, which stands on a line of its own.
    pub(super) fn until_endscript(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let mut begin = 0;
        for line in rest.split_inclusive('\n') {
            let words = line.trim();
            let end = words.strip_prefix("endscript");
            if end.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
                self.skip(begin + line.trim_end_matches('\n').len());
                return Some(&rest[..begin]);
            }
            begin += line.len();
        }
        self.skip(rest.len());
        None
    }
}

/// The width of `{a,b}`, nested or not, without blanks or an end of line in it.
fn alternatives(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut comma = false;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' => comma = true,
            c if c.is_whitespace() => return None,
            _ => {}
        }
        if depth == 0 {
            return comma.then_some(at + 1);
        }
    }
    None
}
