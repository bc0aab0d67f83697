//! Granted commands; see `wit/processes.wit`.

pub use crate::bindings::mhost::plugin::processes::{Outcome, Process};
