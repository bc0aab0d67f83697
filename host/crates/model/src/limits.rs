//! What one run may use at most.

use serde::{Deserialize, Serialize};

use crate::{ByteSize, Span};

/// The limits of a task; every one has a default, and every one is enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// All linear memories and tables of the guest together.
    pub memory: ByteSize,
    /// Wall-clock time of one attempt.
    pub time: Span,
    /// Calls from the guest into the host.
    pub host_calls: u64,
    /// Open files, transactions, requests and other handles at one time.
    pub handles: u32,
    /// Bytes of log, standard output and standard error that are kept; the rest
    /// is counted and cut.
    pub log: ByteSize,
    /// Bytes that all writes through the host may add up to; `None` is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<ByteSize>,
    /// A write is refused when the file system would be left with less.
    pub free_space: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(256),
            time: Span::seconds(60 * 60),
            host_calls: 100_000_000,
            handles: 1024,
            log: ByteSize::mib(1),
            write: None,
            free_space: ByteSize::mib(64),
        }
    }
}
