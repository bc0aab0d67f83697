//! Processes that share one state: the service with commands beside it, many ticks at
//! once, and what is left after a kill. Nothing here sleeps: a test waits for a line, an
//! answer or an end.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

#[path = "service/beside.rs"]
mod beside;
#[path = "service/crash.rs"]
mod crash;
#[path = "service/home.rs"]
mod home;
#[path = "service/ticks.rs"]
mod ticks;
