//! Lines of a log, a chunk to a record.

use mhost_model::run::LogLine;
use serde::{Deserialize, Serialize};

use super::codes::{instant, level, level_code, millis};
use super::{Record, from_postcard, postcard, unknown};
use crate::embedded::trouble::Res;

/// Consecutive lines.
pub struct LogChunk(pub Vec<LogLine>);

#[derive(Serialize, Deserialize)]
struct LineV1 {
    at: i64,
    level: u8,
    source: String,
    text: String,
}

impl Record for LogChunk {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        let lines = self.0.iter().map(|line| LineV1 {
            at: millis(line.at),
            level: level_code(line.level),
            source: line.source.clone(),
            text: line.text.clone(),
        });
        postcard(&lines.collect::<Vec<_>>())
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        if version != 1 {
            return unknown("a chunk of a log", version);
        }
        let lines: Vec<LineV1> = from_postcard("a chunk of a log", body)?;
        let lines = lines.into_iter().map(|line| {
            Ok(LogLine {
                at: instant(line.at)?,
                level: level(line.level)?,
                source: line.source,
                text: line.text,
            })
        });
        Ok(Self(lines.collect::<Result<_, String>>()?))
    }
}
