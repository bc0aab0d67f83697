//! How far a run is; see `wit/progress.wit`.

pub use crate::bindings::mhost::plugin::progress::{State, Unit};
