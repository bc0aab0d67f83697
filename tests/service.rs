//! Processes that share one state: the service with commands beside it, many ticks at
//! once, and what is left after a kill. Nothing here sleeps: a test waits for a line, an
//! answer or an end.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

#[path = "service/beside.rs"]
mod beside;
#[path = "service/chain.rs"]
mod chain;
#[path = "service/changes.rs"]
mod changes;
#[path = "service/crash.rs"]
mod crash;
#[path = "service/home.rs"]
mod home;
#[path = "service/interrupts.rs"]
mod interrupts;
#[path = "service/notices.rs"]
mod notices;
#[path = "service/retention.rs"]
mod retention;
#[path = "service/schedules.rs"]
mod schedules;
#[path = "service/ticks.rs"]
mod ticks;
#[path = "service/trust.rs"]
mod trust;
#[path = "service/waiting.rs"]
mod waiting;
