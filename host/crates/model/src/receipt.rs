//! What a run really used: the receipt.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::fault::Denial;

/// Made by the engine, not by the plugin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// Grants by their place in the configuration (`dirs.logs`, `databases.site`,
    /// `net`) with what was done with each.
    pub used: BTreeMap<String, Use>,
    /// Grants that nothing was done with.
    pub unused: BTreeSet<String>,
    /// What was refused, each once.
    pub denied: BTreeSet<Denial>,
    /// What a dry run would have changed, in order, each once; cut at 1,000.
    pub withheld: Vec<String>,
    /// Bytes and files through the host's verbs and the guest's own file calls.
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub files_opened: u64,
    pub files_changed: u64,
    /// Peers reached, as origins.
    pub hosts: BTreeSet<String>,
    /// Greatest sum of memories and tables, bytes.
    pub peak_memory: u64,
    pub host_calls: u64,
    /// Microseconds.
    pub guest_time_us: u64,
    pub host_time_us: u64,
    pub log_bytes: u64,
    pub log_bytes_cut: u64,
}

/// What was done with one grant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Use {
    /// `read`, `write`, `pack` …: the verbs that were used with success.
    pub verbs: BTreeSet<String>,
    /// Tables, origins …, where the grant has parts; cut at 1,000.
    pub parts: BTreeSet<String>,
}
