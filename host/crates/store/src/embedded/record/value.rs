//! Small records: counters, numbers, values of a plugin's state.

use serde::{Deserialize, Serialize};

use super::{Record, from_postcard, postcard, unknown};
use crate::embedded::trouble::Res;

/// The newest ids that were given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub task: u64,
    pub run: u64,
    /// No row was recorded later, milliseconds; never goes back, whatever the clock does.
    pub recorded_at: i64,
}

impl Record for Counters {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        postcard(self)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_postcard("the counters", body),
            other => unknown("the counters", other),
        }
    }
}

/// The node id.
pub struct Number(pub u64);

impl Record for Number {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        postcard(&self.0)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_postcard("a number", body).map(Self),
            other => unknown("a number", other),
        }
    }
}

/// One value of a plugin's state, as it is.
pub struct StateValue(pub Vec<u8>);

impl Record for StateValue {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        Ok(self.0.clone())
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => Ok(Self(body.to_vec())),
            other => unknown("a value of a plugin's state", other),
        }
    }
}
