//! What people are told: alerts that stand until they are taken back, and messages.

use serde::{Deserialize, Serialize};

/// How bad it is; the twin of `alerts.severity` in the WIT package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Critical,
}

impl Severity {
    /// As it stands in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Degraded => "degraded",
            Self::Critical => "critical",
        }
    }
}

/// What a run says of one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum AlertChange {
    /// Something is wrong.
    Raise {
        key: String,
        severity: Severity,
        /// One sentence.
        message: String,
        details: Option<serde_json::Value>,
    },
    /// It is well again.
    Resolve { key: String, message: String },
    /// It stands, but is not to be told again until it is raised or resolved.
    Silence { key: String },
}

impl AlertChange {
    /// What it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Raise { key, .. } | Self::Resolve { key, .. } | Self::Silence { key } => key,
        }
    }
}

/// A message that a run sends through a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message's own name within its task.
    pub id: String,
    /// One line.
    pub subject: String,
    pub text: String,
    pub attachments: Vec<Attachment>,
}

/// A file that goes with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Without slashes.
    pub name: String,
    pub media_type: String,
    pub content: Vec<u8>,
}
