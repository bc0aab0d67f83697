//! The words of mhost as types: tasks, schedules, grants, limits, runs, and the
//! seams ([`ports`]) between the crates that do the work.
//!
//! Plain data, no I/O. What a schedule means is `mhost-sched`'s, how a record
//! lies on the disk is `mhost-store`'s, how a grant is enforced is
//! `mhost-engine`'s.

pub mod alert;
pub mod channel;
pub mod clock;
pub mod fault;
pub mod grant;
pub mod id;
pub mod limits;
pub mod masks;
pub mod notify;
pub mod plan;
pub mod plugin;
pub mod policy;
pub mod ports;
pub mod receipt;
pub mod receive;
pub mod resource;
pub mod run;
pub mod schedule;
pub mod task;
pub mod units;
pub mod watch;

pub use clock::{Clock, FixedClock, SystemClock};
pub use fault::{Denial, Fault, FaultResult};
pub use id::{Fence, Name, NameError, NodeId, RunId, TaskId};
pub use units::{ByteSize, Span};

/// An instant; kept in the store with a precision of a millisecond.
pub type Instant = chrono::DateTime<chrono::Utc>;
