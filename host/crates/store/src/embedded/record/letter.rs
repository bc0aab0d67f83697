//! What people are told, and when a task is looked at.

use mhost_model::alert::Attachment;
use mhost_model::notify::Standing;
use serde::{Deserialize, Serialize};

use super::{Record, from_json, from_postcard, json, postcard, unknown};
use crate::Letter;
use crate::embedded::trouble::Res;

impl Record for Letter {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        json(self)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_json("a letter", body),
            other => unknown("a letter", other),
        }
    }
}

impl Record for Standing {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        json(self)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_json("an alert", body),
            other => unknown("an alert", other),
        }
    }
}

/// A file that goes with a letter.
#[derive(Serialize, Deserialize)]
pub struct Enclosure {
    pub name: String,
    pub media_type: String,
    pub content: Vec<u8>,
}

impl From<&Attachment> for Enclosure {
    fn from(file: &Attachment) -> Self {
        Self {
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            content: file.content.clone(),
        }
    }
}

impl From<Enclosure> for Attachment {
    fn from(file: Enclosure) -> Self {
        Self {
            name: file.name,
            media_type: file.media_type,
            content: file.content,
        }
    }
}

impl Record for Enclosure {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        postcard(self)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_postcard("an enclosure", body),
            other => unknown("an enclosure", other),
        }
    }
}

/// When a task is looked at, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchRec {
    /// The time of its entry in the table of looks, where it has one.
    pub look_at: Option<i64>,
    /// Since when it has been expected to succeed: it was made, enabled, or given another
    /// schedule then.
    pub since: i64,
}

impl Record for WatchRec {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        postcard(self)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_postcard("when a task is looked at", body),
            other => unknown("when a task is looked at", other),
        }
    }
}
