//! A change as people and programs read it.

use std::fmt;

use mhost_model::Name;
use serde::{Deserialize, Serialize};

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    Added,
    Changed,
    Removed,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Database,
    Repository,
    Remote,
    Pool,
    Channel,
    Notify,
    Task,
}

/// One thing of the configuration that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub sign: Sign,
    pub kind: Kind,
    pub name: String,
    /// The name that a task had until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Key by key. A new task shows what it does, when, and what it may reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// One key that changes. Values are TOML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Below the thing itself: `grants.dirs.logs.access`.
    pub key: String,
    /// None where it was not there, or did not have this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// Whether a task that was there before can reach or do more than before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wider: bool,
}

impl Detail {
    pub(super) fn added(key: &str, new: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            old: None,
            new: Some(new.into()),
            wider: false,
        }
    }
}

impl Change {
    pub(super) fn new(sign: Sign, kind: Kind, name: &Name, details: Vec<Detail>) -> Self {
        Self {
            sign,
            kind,
            name: name.to_string(),
            renamed_from: None,
            details,
        }
    }

    /// Whether any of it widens what a task can reach.
    pub fn wider(&self) -> bool {
        self.details.iter().any(|detail| detail.wider)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Repository => "repository",
            Self::Remote => "remote",
            Self::Pool => "pool",
            Self::Channel => "channel",
            Self::Notify => "notify",
            Self::Task => "task",
        })
    }
}

/// `~ task rotate-web`, and a line for each detail; `!` marks what widens.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.sign {
            Sign::Added => '+',
            Sign::Changed => '~',
            Sign::Removed => '-',
        };
        write!(f, "{sign} {} {}", self.kind, self.name)?;
        match (self.sign, self.kind, &self.renamed_from) {
            (Sign::Added, ..) => f.write_str(" (new)")?,
            (Sign::Removed, Kind::Task, _) => f.write_str(" (removed; its history stays)")?,
            (Sign::Removed, ..) => f.write_str(" (removed)")?,
            (Sign::Changed, _, Some(former)) => write!(f, " (renamed from {former})")?,
            (Sign::Changed, _, None) => {}
        }
        self.details
            .iter()
            .try_for_each(|detail| write!(f, "\n{detail}"))
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.wider { "  ! " } else { "    " };
        write!(f, "{mark}{}: ", self.key)?;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, "{old} → {new}")?,
            (None, Some(new)) => write!(f, "+ {new}")?,
            (Some(old), None) => write!(f, "- {old}")?,
            (None, None) => {}
        }
        f.write_str(if self.wider { " (wider)" } else { "" })
    }
}
