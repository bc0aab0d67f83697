//! Single values: from what stands in the file to what the model's types take, or the reason
//! why not.

mod locations;
mod numbers;
mod time;

use std::path::Path;

use mhost_model::grant::Origin;
use mhost_model::plugin::PluginRef;
use mhost_model::{Name, NameError};
use serde_json::Value as Json;

use super::mistake::Refusal;
use super::shape::{Empty, Least, Scalar};
use super::suggest;
use super::tree::{Node, Value};

pub(super) use time::schedule;

/// A value or why it is none.
pub(super) type Read = Result<Json, Refusal>;

impl Scalar {
    /// Reads a value; relative paths are taken from `base`.
    pub fn read(self, node: &Node, base: &Path) -> Read {
        match (self, &node.value) {
            (Self::Bool, Value::Bool(value)) => Ok(Json::from(*value)),
            (Self::Count(least, most), Value::Integer(number)) => {
                numbers::count(*number, least, most)
            }
            (Self::Size(..), Value::Integer(_)) | (Self::Moment, Value::Moment(_)) => {
                self.read_text(&plain(&node.value), base)
            }
            (Self::Bool | Self::Count(..), _) => Err(self.wrong_type(node)),
            (_, Value::Text(text)) => self.read_text(text, base),
            _ => Err(self.wrong_type(node)),
        }
    }

    /// Reads a value that is written as text.
    pub fn read_text(self, text: &str, base: &Path) -> Read {
        match self {
            Self::Bool | Self::Count(..) => Err(self.unfit(text)),
            Self::Duration(least, most) => numbers::duration(text, least, most),
            Self::Size(least, most) => numbers::size(text, least, most),
            Self::Name => parse::<Name, NameError>(text),
            Self::Plugin => parse::<PluginRef, NameError>(text),
            Self::Text(most, empty) => self.text(text, most, empty),
            Self::Path => locations::path(text, base),
            Self::Argument => self.text(text, 4096, Empty::Allowed),
            Self::Origin => parse::<Origin, _>(text),
            Self::Cron => time::cron(text),
            Self::Zone => time::zone(text),
            Self::Moment => time::moment(text),
            Self::Repository => locations::repository(text, base),
            Self::Remote => locations::remote(text, base),
            Self::Url => locations::http(text),
            Self::Word(words) => word(text, words),
            Self::ScheduleWord => schedule_word(text),
        }
    }

    fn text(self, text: &str, most: usize, empty: Empty) -> Read {
        if text.is_empty() && empty == Empty::Refused {
            return Err(Refusal::new(
                "this is empty",
                format!("write {}", self.noun()),
            ));
        }
        if text.len() > most {
            let message = format!("this text has {} bytes", text.len());
            return Err(Refusal::new(message, format!("write at most {most}")));
        }
        if text.contains('\0') {
            return Err(Refusal::new(
                "this text holds a zero byte",
                "remove `\\u0000`",
            ));
        }
        Ok(Json::from(text))
    }

    fn unfit(self, text: &str) -> Refusal {
        let message = format!("`{}` is not {}", short(text), self.noun());
        Refusal::new(message, format!("write {}", self.example()))
    }

    fn wrong_type(self, node: &Node) -> Refusal {
        let message = format!("this must be {}, not {}", self.noun(), node.kind());
        Refusal::new(message, format!("write {}", self.example()))
    }

    /// What it is, with an article.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Bool => "a boolean",
            Self::Count(..) => "a whole number",
            Self::Duration(..) => "a duration",
            Self::Size(..) => "a size",
            Self::Name => "a name",
            Self::Plugin => "a plugin's name",
            Self::Text(..) | Self::Argument => "text",
            Self::Path => "a path",
            Self::Origin => "an origin",
            Self::Cron => "a cron expression",
            Self::Zone => "a time zone",
            Self::Moment => "a time",
            Self::Repository => "a directory or a URL",
            Self::Remote | Self::Url => "a URL",
            Self::Word(_) | Self::ScheduleWord => "a word",
        }
    }

    /// How one is written.
    pub fn example(self) -> String {
        match self {
            Self::Bool => "`true` or `false`".into(),
            Self::Count(least, most) => numbers::range(least, most),
            Self::Duration(..) => "a number and a unit in quotation marks, such as `\"30s\"`, `\"6h\"`, `\"7 days\"`".into(),
            Self::Size(..) => "a number and a unit in quotation marks, such as `\"256 MiB\"`, or a number of bytes".into(),
            Self::Name => "a name in quotation marks".into(),
            Self::Plugin => "`\"NAME\"` or `\"NAME@VERSION\"`".into(),
            Self::Text(..) | Self::Argument => "text in quotation marks".into(),
            Self::Path => "a path in quotation marks, such as `\"/var/log/web\"`".into(),
            Self::Origin => "an origin in quotation marks, such as `\"https://example.org\"`".into(),
            Self::Cron => "a cron expression in quotation marks, such as `\"0 3 * * *\"`".into(),
            Self::Zone => "a zone's IANA name in quotation marks, such as `\"Europe/Kyiv\"`".into(),
            Self::Moment => "a date, a time and a zone, such as `\"2026-12-01T03:00:00Z\"`".into(),
            Self::Repository => "a directory or a URL in quotation marks, such as `\"/srv/backup\"`".into(),
            Self::Remote => "a URL in quotation marks, such as `\"file:///srv/files\"`".into(),
            Self::Url => "a URL in quotation marks, such as `\"https://hooks.example.org/path\"`, or `{ file = \"/…\" }`".into(),
            Self::Word(words) => suggest::list(words.iter().map(|(word, _)| *word)).replace(" and ", " or "),
            Self::ScheduleWord => "`\"manual\"`, or a table such as `{ cron = \"0 3 * * *\" }` or `{ every = \"6h\" }`".into(),
        }
    }
}

/// What it is, for a table.
pub(super) fn article_free(scalar: Scalar) -> &'static str {
    let noun = scalar.noun();
    noun.strip_prefix("a ")
        .or_else(|| noun.strip_prefix("an "))
        .unwrap_or(noun)
}

/// An integer or a moment as the text that it would be.
fn plain(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Moment(text) | Value::Text(text) => text.clone(),
        _ => String::new(),
    }
}

fn parse<T, E>(text: &str) -> Read
where
    T: std::str::FromStr<Err = E> + ToString,
    E: std::fmt::Display,
{
    let value: T = text.parse().map_err(Refusal::of)?;
    Ok(Json::from(value.to_string()))
}

fn word(text: &str, words: &'static [(&str, &str)]) -> Read {
    let known = || words.iter().map(|(word, _)| *word);
    if known().any(|word| word == text) {
        return Ok(Json::from(text));
    }
    let help = suggest::remedy(text, known(), || {
        format!("write {}", Scalar::Word(words).example())
    });
    Err(Refusal::new(
        format!("`{}` is not known here", short(text)),
        help,
    ))
}

fn schedule_word(text: &str) -> Read {
    let word = Json::from(text);
    if text.starts_with('@') {
        return time::schedule(&word)
            .map(|()| word)
            .map_err(|blame| blame.refusal);
    }
    if text == "manual" {
        return Ok(word);
    }
    let help = match time::nearest_schedule(text) {
        Some(form) => format!("write `{form}`"),
        None => format!("write {}", Scalar::ScheduleWord.example()),
    };
    Err(Refusal::new(
        format!("`{}` is not a schedule", short(text)),
        help,
    ))
}

/// The beginning of a text, for messages.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl Least {
    pub fn duration(self) -> std::time::Duration {
        match self {
            Self::Zero => std::time::Duration::ZERO,
            Self::Millisecond => std::time::Duration::from_millis(1),
            Self::Second => std::time::Duration::from_secs(1),
        }
    }
}
