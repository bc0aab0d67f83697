//! The scheduling rules, each by its number, on the planner that the store calls.

#![allow(clippy::unwrap_used)] // A test stops at the first surprise.

mod accounting;
mod identity;
mod missed;
mod overlap;
mod preview;
mod retry;
mod watch;
mod world;
