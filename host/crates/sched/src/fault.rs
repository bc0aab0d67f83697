//! Why a schedule is refused: each fault names the key or field, says why, and
//! offers the nearest form that is right. Where in a file it stands is the
//! configuration's to add.

use thiserror::Error;

/// What a text from outside is cut to before it is shown.
const SHOWN: usize = 60;

/// A schedule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleFault {
    /// One field of a cron expression.
    #[error("cron expression `{expr}`: in the {field} field, `{part}` {why}: {remedy}")]
    Field {
        expr: String,
        field: &'static str,
        part: String,
        why: String,
        remedy: String,
    },
    /// A cron expression as a whole.
    #[error("cron expression `{expr}` {why}: {remedy}")]
    Expression {
        expr: String,
        why: String,
        remedy: String,
    },
    /// Well-formed, but no day will ever match.
    #[error("schedule `{text}` can never fire, {why}: {remedy}")]
    Never {
        text: String,
        why: &'static str,
        remedy: &'static str,
    },
    /// No such zone.
    #[error("time zone `{name}` is not known: {remedy}")]
    Zone { name: String, remedy: String },
    /// An expression and its zone, both wrong.
    #[error("{cron}; and {zone}")]
    Both {
        cron: Box<ScheduleFault>,
        zone: Box<ScheduleFault>,
    },
    /// Another key's value.
    #[error("`{key} = {value}` {why}: {remedy}")]
    Value {
        key: &'static str,
        value: String,
        why: &'static str,
        remedy: String,
    },
    /// A command line's text that is neither an expression nor a table.
    #[error("`{text}` is not a schedule, {why}: {remedy}")]
    Text {
        text: String,
        why: String,
        remedy: String,
    },
}

impl ScheduleFault {
    /// The key of the schedule's table that is at fault, where it is one.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Field { .. } | Self::Expression { .. } => Some("cron"),
            Self::Zone { .. } => Some("tz"),
            Self::Value { key, .. } => Some(key),
            Self::Never { .. } | Self::Both { .. } | Self::Text { .. } => None,
        }
    }

    /// What to write instead: the end of the whole text.
    pub fn remedy(&self) -> &str {
        match self {
            Self::Field { remedy, .. }
            | Self::Expression { remedy, .. }
            | Self::Zone { remedy, .. }
            | Self::Value { remedy, .. }
            | Self::Text { remedy, .. } => remedy,
            Self::Never { remedy, .. } => remedy,
            Self::Both { zone, .. } => zone.remedy(),
        }
    }
}

/// A text from outside, fit to stand in a message: short, without line ends and
/// control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut cut: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        cut.push('…');
    }
    cut
}
