//! The ledger and the definitions, made durable.
//!
//! [`TaskStore`] is what the service needs of a store: it is written so that a
//! store shared by several machines (leaderless claims, leases with fences on the
//! store's own clock) can stand behind it as well as the embedded one,
//! [`RedbStore`]. Decisions come from a [`mhost_model::plan::Planner`] that the store
//! calls inside its transactions; the store itself decides nothing.

mod embedded;
mod notices;
mod traits;

pub use embedded::{FORMAT, OpenOptions, RedbStore};
pub use notices::*;
pub use traits::*;
