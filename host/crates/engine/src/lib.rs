//! The sandbox: runs one component for one run, and lets it reach only what a
//! permit was made for.
//!
//! The only crate that names wasmtime. It knows no database, no repository format
//! and no store: those are behind the ports of `mhost-model`.

mod api;

pub use api::*;
