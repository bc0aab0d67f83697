//! When tasks are due, and what is to be done about it: every decision of the
//! scheduler as a pure function of the time, the definition and the state.
//!
//! - [`Compiled`] is a schedule parsed once; it answers what comes next.
//! - [`preview`] lists coming fires and what is unusual about each.
//! - [`Scheduler`] decides for the store: first due time, what is due now, what
//!   follows from an end.
//! - [`chain`] proves a ledger: which due times have no row.
//! - [`retention`] says which rows and logs are kept.
//! - [`after`], [`change`], [`watch`] and [`clock`] hold the rules that do not
//!   hang on a due time: dependencies, file changes, alerts, clock jumps.
//!
//! No I/O and no clock: durability is `mhost-store`'s, performing is the host's.

pub mod after;
pub mod chain;
pub mod change;
mod civil;
pub mod clock;
mod compiled;
mod cron;
mod expr;
mod fault;
mod interval;
pub mod jitter;
mod months;
mod planner;
pub mod preview;
pub mod retention;
pub mod watch;
mod zone;
mod zoned;

pub use compiled::{Compiled, Fires, next_after};
pub use expr::parse_expr;
pub use fault::ScheduleFault;
pub use interval::Interval;
pub use planner::Scheduler;
pub use zone::{parse_zone, zone_data_version};
pub use zoned::Zoned;
