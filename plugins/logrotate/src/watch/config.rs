//! What is watched, and what is too much.

use std::borrow::Cow;
use std::time::Duration;

use mhost_format_logrotate::Options;
use mhost_format_logs::{Access, Severity as Level};
use mhost_sdk::Failure;
use mhost_sdk::units::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

/// So many patterns one task has.
const MOST_PATTERNS: usize = 100;
/// The longest pattern, bytes.
const LONGEST_PATTERN: usize = 1000;
/// The longest window.
const LONGEST_WINDOW: Duration = Duration::from_secs(7 * 86_400);

/// Which logs to read on from where the last run ended, and what of their lines is too much.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Guest paths or patterns (`*`, `?`, `[…]`, `{…}`): `["/logs/access*.log"]`. Archives of a
    /// log that a pattern fits, too, are read as its past, not as logs.
    pub logs: Vec<String>,
    /// What the lines are: `common` or `combined` (access logs), `event` (lines with a
    /// severity) or `plain`.
    #[serde(default)]
    pub format: Format,
    /// Where the very first run of the task begins: at the `end` of the logs, or at their
    /// `beginning`. Logs that appear later are read from their beginning.
    #[serde(default)]
    pub from: From,
    /// The folder of the archives, where they do not lie beside the log.
    #[serde(default)]
    pub olddir: Option<String>,
    /// The date in the archives' names, where it is not `-%Y%m%d` or `-%Y%m%d%H`.
    #[serde(default)]
    pub dateformat: Option<String>,
    /// An ending of logs that archives keep at their end.
    #[serde(default)]
    pub extension: Option<String>,
    /// Whether a missing log is fine.
    #[serde(default = "yes")]
    pub missingok: bool,
    /// Alert when too many requests end with 500 to 599; with `common` or `combined`.
    #[serde(default)]
    pub errors: Option<Errors>,
    /// Alert when too many events are as bad as this; with `event`.
    #[serde(default)]
    pub events: Option<Events>,
    /// Alert when too many lines fit a pattern.
    #[serde(default)]
    pub patterns: Vec<Pattern>,
}

/// What the lines of a log are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Plain,
    Common,
    Combined,
    Event,
}

impl Format {
    pub fn access(self) -> Option<Access> {
        match self {
            Self::Common => Some(Access::Common),
            Self::Combined => Some(Access::Combined),
            Self::Plain | Self::Event => None,
        }
    }
}

/// Where the first run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    #[default]
    End,
    Beginning,
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    #[default]
    Degraded,
    Critical,
}

impl Severity {
    pub fn told(self) -> mhost_sdk::alerts::Severity {
        match self {
            Self::Degraded => mhost_sdk::alerts::Severity::Degraded,
            Self::Critical => mhost_sdk::alerts::Severity::Critical,
        }
    }
}

fn critical() -> Severity {
    Severity::Critical
}

/// A rate of failed requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// The part of the requests, 0 to 1: 0.05 is one in twenty.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub rate: f64,
    /// By the times that the log itself tells.
    #[serde(default = "Errors::window")]
    pub window: Span,
    /// With fewer requests in the window nothing is said.
    #[serde(default = "Errors::at_least")]
    #[schemars(range(min = 1))]
    pub at_least: u32,
    #[serde(default = "critical")]
    pub severity: Severity,
}

impl Errors {
    fn window() -> Span {
        Span::new(Duration::from_secs(300))
    }

    fn at_least() -> u32 {
        20
    }
}

fn usual_window() -> Span {
    Span::new(Duration::from_secs(600))
}

/// Lines that are as bad as this.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// -300 to 300, or a name such as `warning`, `error`, `crit`.
    pub level: LevelWord,
    /// So many in the window.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub at_least: u32,
    #[serde(default = "usual_window")]
    pub window: Span,
    #[serde(default)]
    pub severity: Severity,
}

/// A kind of lines.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// What the alert is called, unique in the task.
    pub name: String,
    /// A text that such lines hold.
    #[serde(default)]
    pub text: Option<String>,
    /// Or a regular expression that fits a part of them.
    #[serde(default)]
    pub regex: Option<String>,
    /// Lines that hold this text do not count.
    #[serde(default)]
    pub but_not: Option<String>,
    /// So many in the window.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub at_least: u32,
    /// By the times that an access log tells; for other logs by the times at which the
    /// lines were read.
    #[serde(default = "usual_window")]
    pub window: Span,
    #[serde(default)]
    pub severity: Severity,
}

/// A severity by number or name.
#[derive(Debug, Clone, Copy)]
pub struct LevelWord(pub Level);

impl<'de> Deserialize<'de> for LevelWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(i16),
            Name(String),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Number(number) => number.to_string(),
            Form::Name(name) => name,
        };
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for LevelWord {
    fn schema_name() -> Cow<'static, str> {
        "Level".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": Level::LEAST, "maximum": Level::MOST },
                { "type": "string" },
            ],
        })
    }
}

impl Config {
    /// What the schema cannot say.
    pub fn check(&self) -> Result<(), Failure> {
        let wrong = |why: String| Err(Failure::permanent(why));
        if self.logs.is_empty() {
            return wrong(
                "`logs` names no log: give guest paths or patterns such as `/logs/access.log`"
                    .to_owned(),
            );
        }
        for log in &self.logs {
            if !log.starts_with('/') || log.split('/').any(|name| name == "..") {
                return wrong(format!(
                    "`logs` holds `{log}`, which is no guest path: write `/GRANT/NAME`"
                ));
            }
        }
        if self.errors.is_some() && self.format.access().is_none() {
            return wrong(
                "`errors` needs an access log: set `format` to `common` or `combined`".to_owned(),
            );
        }
        if self.events.is_some() && self.format != Format::Event {
            return wrong(
                "`events` needs lines with a severity: set `format` to `event`".to_owned(),
            );
        }
        if self.patterns.len() > MOST_PATTERNS {
            return wrong(format!("one task has at most {MOST_PATTERNS} `patterns`"));
        }
        for (at, pattern) in self.patterns.iter().enumerate() {
            self.check_pattern(at, pattern)?;
        }
        let errors = self.errors.iter().map(|errors| errors.window);
        let events = self.events.iter().map(|events| events.window);
        let patterns = self.patterns.iter().map(|pattern| pattern.window);
        for window in errors.chain(events).chain(patterns) {
            let length = window.duration();
            if length < Duration::from_secs(1) || length > LONGEST_WINDOW {
                return wrong(format!("`window` is {window}: write 1s to 7 days"));
            }
        }
        Ok(())
    }

    fn check_pattern(&self, at: usize, pattern: &Pattern) -> Result<(), Failure> {
        let name = &pattern.name;
        let wrong = |why: String| Err(Failure::permanent(format!("the pattern `{name}` {why}")));
        let plain = !name.is_empty() && name.len() <= 60 && !name.chars().any(char::is_control);
        if !plain {
            return wrong("needs a name of one line, 1 to 60 bytes".to_owned());
        }
        if self.patterns[..at].iter().any(|other| other.name == *name) {
            return wrong("stands there twice: give each a name of its own".to_owned());
        }
        let said = [&pattern.text, &pattern.regex];
        let said: Vec<_> = said.into_iter().flatten().collect();
        match said.as_slice() {
            [text] if text.is_empty() || text.len() > LONGEST_PATTERN => wrong(format!(
                "has {} bytes to look for: write 1 to {LONGEST_PATTERN}",
                text.len()
            )),
            [_] => Ok(()),
            _ => wrong("needs `text` or `regex`, and not both".to_owned()),
        }
    }

    /// How archives are named, in the words of rotation.
    pub fn naming(&self) -> Options {
        Options {
            olddir: self.olddir.clone(),
            dateformat: self.dateformat.clone(),
            extension: self.extension.clone(),
            ..Options::default()
        }
    }
}
