//! The run's log; see `wit/deps/wasi-logging`.

pub use crate::bindings::wasi::logging::logging::Level;
