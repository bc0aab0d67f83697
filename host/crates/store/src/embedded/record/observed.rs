//! What was observed in one stretch of time, all subjects of a watcher together: they
//! are written together, with every run.

use std::collections::BTreeMap;

use mhost_model::watch::Counts;
use serde::{Deserialize, Serialize};

use super::{Record, from_postcard, postcard, unknown};
use crate::embedded::trouble::Res;

/// By subject: what counts, and when it was observed last, milliseconds.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch(pub BTreeMap<String, (i64, Counts)>);

impl Record for Stretch {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        postcard(self)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_postcard("a stretch of observations", body),
            other => unknown("a stretch of observations", other),
        }
    }
}
