//! Mistakes in what an operator wrote, each with its place, its key and its remedy, and
//! how they are shown. What is a mistake is decided elsewhere.

use std::fmt;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::{Deserialize, Serialize};

use super::path::KeyPath;
use super::source::{Excerpt, Extent, Source};

/// How many mistakes of one file are told; the others are counted.
pub const TOLD: usize = 100;

/// Whether a file with it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong, or looks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    pub severity: Severity,
    /// The file as the operator named it, or the command line's argument.
    pub file: String,
    /// From 1; none where the mistake is not in the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// From 1, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The dotted path of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The text around it; it goes along, so that whoever asked a service can show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    excerpt: Option<Excerpt>,
}

impl Mistake {
    /// A mistake that has no line: the file itself, or an argument.
    pub(super) fn outside(file: impl Into<String>, refusal: Refusal) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line: None,
            column: None,
            key: None,
            message: refusal.message,
            help: refusal.help,
            excerpt: None,
        }
    }

    /// The same, shown at a place in a text (of an argument, or of a file that is not TOML).
    pub(super) fn in_text(mut self, source: &Source, extent: &Extent) -> Self {
        let excerpt = source.excerpt(extent);
        self.line = Some(excerpt.line);
        self.column = Some(excerpt.column);
        self.excerpt = Some(excerpt);
        self
    }

    /// The same in a value that has no lines: an option's.
    pub(super) fn in_value(self, source: &Source, extent: &Extent) -> Self {
        Self {
            excerpt: Some(source.excerpt(extent)),
            ..self
        }
    }

    /// As compilers show it; `styled` with colours for a terminal.
    pub fn render(&self, styled: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        match &self.excerpt {
            Some(excerpt) => {
                let snippet = self.snippet(excerpt);
                // Of a line in part, the library cannot know the column.
                group = match excerpt.whole {
                    true => group.element(snippet.path(self.file.as_str())),
                    false => group.element(self.origin()).element(snippet),
                };
            }
            None => group = group.element(self.origin()),
        }
        for (name, text) in [("key", &self.key), ("help", &self.help)] {
            if let Some(text) = text {
                let text = annotate_snippets::normalize_untrusted_str(text);
                group = group.element(Level::NOTE.with_name(name).message(text));
            }
        }
        let renderer = if styled {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group])
    }

    fn snippet<'a>(&self, excerpt: &'a Excerpt) -> Snippet<'a, Annotation<'a>> {
        Snippet::source(excerpt.text.as_str())
            .line_start(excerpt.line)
            .line_numbering(self.line.is_some())
            .annotation(AnnotationKind::Primary.span(excerpt.marked.clone()))
    }

    fn origin(&self) -> Origin<'_> {
        let origin = Origin::path(self.file.as_str());
        match (self.line, self.column) {
            (Some(line), Some(column)) => origin.line(line).char_column(column),
            _ => origin,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Why a configuration was refused: everything that is wrong with it. Nothing of it was
/// taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// In the order of the file; never empty.
    pub mistakes: Vec<Mistake>,
    /// How many further ones there are.
    pub untold: usize,
}

impl ConfigError {
    pub(super) fn one(mistake: Mistake) -> Self {
        Self {
            mistakes: vec![mistake],
            untold: 0,
        }
    }

    /// None where there are no mistakes.
    pub(super) fn of(mistakes: Vec<Mistake>) -> Option<Self> {
        let untold = 0;
        (!mistakes.is_empty()).then_some(Self { mistakes, untold })
    }

    /// How many mistakes there are.
    pub fn count(&self) -> usize {
        self.mistakes.len() + self.untold
    }

    /// All of them as text; `styled` with colours for a terminal.
    pub fn render(&self, styled: bool) -> String {
        let texts: Vec<String> = self.mistakes.iter().map(|one| one.render(styled)).collect();
        let mut text = texts.join("\n\n");
        if self.untold > 0 {
            text.push_str(&format!("\n\nand {} more mistakes", self.untold));
        }
        text
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigError {}

/// What is wrong with a value, before it is known where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub message: String,
    pub help: Option<String>,
}

impl Refusal {
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// With a remedy where it has none.
    pub fn or(self, help: &str) -> Self {
        Self {
            help: self.help.or_else(|| Some(help.to_owned())),
            ..self
        }
    }

    /// From one of the model's errors, whose texts end with `: ` and the remedy.
    pub fn of(error: impl fmt::Display) -> Self {
        let text = error.to_string();
        match text.rsplit_once(": ") {
            Some((message, help)) => Self::new(message, help),
            None => Self {
                message: text,
                help: None,
            },
        }
    }
}

/// A mistake with its place in the tree.
#[derive(Debug, Clone)]
struct Note {
    extent: Extent,
    path: KeyPath,
    mistake: Mistake,
}

/// The mistakes found so far in one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    errors: Vec<Note>,
    warnings: Vec<Note>,
    untold: usize,
}

impl Notes {
    /// Whether enough was found: what costs time for the sake of a message is left out.
    pub fn full(&self) -> bool {
        self.errors.len() >= TOLD
    }

    /// Whether something is wrong at or below a path, so that what was read there is not
    /// the whole of it.
    pub fn spoiled(&self, path: &KeyPath) -> bool {
        self.full()
            || self
                .errors
                .iter()
                .any(|note| note.path.0.starts_with(&path.0))
    }

    /// Something that refuses the file.
    pub fn error(&mut self, source: &Source, extent: &Extent, path: &KeyPath, refusal: Refusal) {
        if self.full() {
            self.untold += 1;
        } else {
            self.errors
                .push(note(source, extent, path, refusal, Severity::Error));
        }
    }

    /// Something that only looks wrong.
    pub fn warning(&mut self, source: &Source, extent: &Extent, path: &KeyPath, refusal: Refusal) {
        if self.warnings.len() < TOLD {
            self.warnings
                .push(note(source, extent, path, refusal, Severity::Warning));
        }
    }

    /// The warnings, or the error that holds all of it.
    pub fn into_result(self) -> Result<Vec<Mistake>, ConfigError> {
        if self.errors.is_empty() {
            return Ok(in_order(self.warnings));
        }
        Err(ConfigError {
            mistakes: in_order(self.errors),
            untold: self.untold,
        })
    }
}

fn in_order(mut notes: Vec<Note>) -> Vec<Mistake> {
    notes.sort_by_key(|note| (note.extent.start, note.extent.end));
    notes.into_iter().map(|note| note.mistake).collect()
}

fn note(
    source: &Source,
    extent: &Extent,
    path: &KeyPath,
    refusal: Refusal,
    severity: Severity,
) -> Note {
    let excerpt = source.excerpt(extent);
    let mistake = Mistake {
        severity,
        file: source.name.clone(),
        line: Some(excerpt.line),
        column: Some(excerpt.column),
        key: Some(path.to_string()).filter(|key| !key.is_empty()),
        message: refusal.message,
        help: refusal.help,
        excerpt: Some(excerpt),
    };
    Note {
        extent: extent.clone(),
        path: path.clone(),
        mistake,
    }
}
