//! The sandbox: runs one component for one run, and lets it reach only what a
//! permit was made for.
//!
//! The only crate that names wasmtime. It knows no database, no repository format
//! and no store: those are behind the ports of `mhost-model`.

mod api;
mod beneath;
mod bindings;
mod budget;
mod cache;
mod capabilities;
mod describe;
mod directories;
mod failure;
mod guest;
mod imports;
mod limiter;
mod log;
mod meter;
mod network;
mod permits;
mod plugin;
mod refusal;
mod report;
mod run;
mod sandbox;
mod slots;
mod state;
mod ticker;
mod worker;

pub use api::*;
pub use cache::check as check_cache;
pub use directories::{Protected, Reach, check_grants, real_path};
pub use network::{Network, RecordKind, Resolver, SystemResolver};
pub use plugin::Plugin;
pub use sandbox::{Sandbox, digest};
