//! The sandbox: runs one component for one run, and lets it reach only what a
//! permit was made for.
//!
//! The only crate that names wasmtime. It knows no database, no repository format
//! and no store: those are behind the ports of `mhost-model`.

mod api;
mod beneath;
mod bindings;
mod budget;
mod capabilities;
mod directories;
mod limiter;
mod log;
mod masks;
mod meter;
mod permits;
mod refusal;
mod state;

pub use api::*;
pub use directories::check_grants;
