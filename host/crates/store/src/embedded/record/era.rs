//! What a task was due for before its last change: closed eras, what is left to be settled
//! of them, and zones as former data had them.

use mhost_model::plan::ZoneChange;
use mhost_model::schedule::Schedule;
use mhost_model::task::Task;
use serde::{Deserialize, Serialize};

use super::{Record, from_json, from_postcard, json, postcard, unknown};
use crate::embedded::trouble::Res;

/// [`mhost_model::plan::Era`], closed; milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EraRec {
    pub from: i64,
    pub until: i64,
    pub schedule: Schedule,
    pub anchor: i64,
    /// The release of the zones' data that it went by.
    pub zone_data: String,
}

/// Due times of a closed era that have no row yet: they end as skipped, some at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArrearsRec {
    /// As it was.
    pub task: Task,
    pub next: i64,
    pub until: i64,
    pub reason: String,
}

/// The changes of a zone's clock.
pub struct ZoneRec(pub Vec<ZoneChange>);

macro_rules! json_record {
    ($($type:ty, $what:literal;)+) => {$(
        impl Record for $type {
            const VERSION: u8 = 1;

            fn write(&self) -> Res<Vec<u8>> {
                json(self)
            }

            fn read(version: u8, body: &[u8]) -> Result<Self, String> {
                match version {
                    1 => from_json($what, body),
                    other => unknown($what, other),
                }
            }
        }
    )+};
}

json_record! {
    EraRec, "an era";
    ArrearsRec, "arrears";
}

impl Record for ZoneRec {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        postcard(&self.0)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_postcard("a zone", body).map(Self),
            other => unknown("a zone", other),
        }
    }
}
