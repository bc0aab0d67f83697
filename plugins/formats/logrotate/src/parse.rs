//! Reads configurations: sections with their options, and everything that is wrong, with
//! its place. One bad entry spoils no other: a section with a mistake is left out, a
//! mistake outside of sections costs its line.

mod cursor;
mod directive;
mod include;

use std::collections::BTreeSet;

use crate::options::{Event, Options, Script};
use crate::pattern::expand;
use crate::source::Source;
use crate::words;
use cursor::Cursor;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    pub sections: Vec<Section>,
    pub problems: Vec<Problem>,
    /// The files that were read, in order.
    pub files: Vec<String>,
}

/// Logs that share their options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The text before the brace, as it stands there: what shared scripts are given.
    pub text: String,
    /// The same, word by word.
    pub patterns: Vec<String>,
    /// The paths that the patterns stand for; a pattern that nothing fits stands itself.
    pub logs: Vec<String>,
    pub options: Options,
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is passed over.
    Warning,
    /// Something that was asked for is not done.
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// From 1; 0 where the file itself cannot be read.
    pub line: u32,
    pub severity: Severity,
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 if self.file.is_empty() => f.write_str(&self.message),
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// A file or folder by its path, or a text by a name for messages.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    Path(&'a str),
    Text { name: &'a str, text: &'a str },
}

/// Reads the inputs in order, as one configuration.
pub fn parse(inputs: &[Input<'_>], source: &dyn Source) -> Configuration {
    let mut reader = Reader {
        source,
        done: Configuration::default(),
        globals: Options::default(),
        taboo: include::usual_taboo(),
        claimed: BTreeSet::new(),
        open: None,
        depth: 0,
    };
    for input in inputs {
        match input {
            Input::Path(path) => reader.include(path, ("", 0)),
            Input::Text { name, text } => reader.text(name, text),
        }
    }
    reader.done
}

struct Reader<'s> {
    source: &'s dyn Source,
    done: Configuration,
    globals: Options,
    /// Patterns of file names that an included folder leaves out.
    taboo: Vec<String>,
    /// The logs that sections have already.
    claimed: BTreeSet<String>,
    open: Option<Open>,
    depth: u32,
}

/// A section on its way.
struct Open {
    section: Section,
    failed: bool,
}

impl Reader<'_> {
    fn problem(&mut self, at: (&str, u32), severity: Severity, message: impl Into<String>) {
        if let (Severity::Error, Some(open)) = (severity, &mut self.open) {
            open.failed = true;
        }
        self.done.problems.push(Problem {
            file: at.0.to_owned(),
            line: at.1,
            severity,
            message: message.into(),
        });
    }

    fn error(&mut self, at: (&str, u32), message: impl Into<String>) {
        self.problem(at, Severity::Error, message);
    }

    /// The options that a directive sets now.
    fn options(&mut self) -> &mut Options {
        match &mut self.open {
            Some(open) => &mut open.section.options,
            None => &mut self.globals,
        }
    }

    fn text(&mut self, file: &str, text: &str) {
        self.done.files.push(file.to_owned());
        let outside = self.open.is_none();
        let mut cursor = Cursor::new(text);
        while let Some(c) = cursor.begin() {
            let at = (file, cursor.line());
            match c {
                '#' => cursor.skip_line(),
                '}' => {
                    cursor.skip(1);
                    self.close(at);
                }
                'a'..='z' | 'A'..='Z' => self.keyword(&mut cursor, file),
                '/' | '"' | '\'' | '~' => self.names(&mut cursor, file),
                _ => {
                    let rest = cursor.rest_of_line();
                    self.error(at, format!("`{rest}` is neither a directive nor a path"));
                }
            }
        }
        // A section ends with the file that it began in.
        if outside && self.open.is_some() {
            self.close((file, cursor.line()));
        }
    }

    fn close(&mut self, at: (&str, u32)) {
        let Some(open) = self.open.take() else {
            return self.error(at, "`}` closes nothing");
        };
        if open.failed {
            let text = format!(
                "the entry for {} is left out, because of its mistakes",
                open.section.text.trim()
            );
            return self.error((&open.section.file, open.section.line), text);
        }
        self.done.sections.push(open.section);
    }

    fn names(&mut self, cursor: &mut Cursor<'_>, file: &str) {
        let at = (file, cursor.line());
        let Some(text) = cursor.until_brace() else {
            let rest = cursor.rest_of_line();
            return self.error(at, format!("after `{rest}` a `{{` is missing"));
        };
        if self.open.is_some() {
            self.error(
                at,
                "an entry begins within another one: a `}` is missing before it",
            );
            // What follows belongs to neither.
            return cursor.skip_block();
        }
        if directive::garbled(text) {
            self.error(
                at,
                format!("the name `{}` {}", text.trim(), directive::GARBLED),
            );
            return cursor.skip_block();
        }
        let Some(patterns) = words::split(text) else {
            self.error(at, "a quote is not closed");
            return cursor.skip_block();
        };
        self.open = Some(Open {
            section: Section {
                text: text.to_owned(),
                patterns,
                logs: Vec::new(),
                options: self.globals.clone(),
                file: file.to_owned(),
                line: at.1,
            },
            failed: false,
        });
        self.claim(at);
    }

    /// Expands the patterns of the section at hand. A log that another section has stays
    /// with that one.
    fn claim(&mut self, at: (&str, u32)) {
        let Some(open) = &self.open else { return };
        let patterns = open.section.patterns.clone();
        let ignore = open.section.options.ignoreduplicates;
        let mut logs = Vec::new();
        let found = patterns
            .iter()
            .flat_map(|pattern| expand(pattern, self.source));
        for log in found.collect::<Vec<_>>() {
            if self.claimed.insert(log.clone()) {
                logs.push(log);
            } else {
                let severity = if ignore {
                    Severity::Warning
                } else {
                    Severity::Error
                };
                self.done.problems.push(Problem {
                    file: at.0.to_owned(),
                    line: at.1,
                    severity,
                    message: format!("`{log}` stands in an earlier entry already, which keeps it"),
                });
            }
        }
        if let Some(open) = &mut self.open {
            open.section.logs = logs;
        }
    }

    fn script(&mut self, event: Event, cursor: &mut Cursor<'_>, at: (&str, u32)) {
        cursor.skip_line();
        match cursor.until_endscript() {
            Some(text) if directive::garbled(text) => {
                self.error(at, format!("`{}` {}", event.word(), directive::GARBLED));
            }
            Some(text) => {
                let script = Script {
                    text: text.to_owned(),
                    file: at.0.to_owned(),
                    line: at.1,
                };
                self.options().scripts.insert(event, script);
            }
            None => self.error(at, format!("`{}` has no `endscript`", event.word())),
        }
    }
}

#[cfg(test)]
mod tests;
