//! What a guest can reach, one module per capability. Each implements the traits
//! that the contract generates for a [`Call`](crate::state::Call), and offers
//! `add_to_linker`; each asks the granter for a permit before it opens anything.

pub mod alerts;
pub mod config;
pub mod database;
pub mod directories;
pub mod files;
pub mod http;
pub mod keeping;
pub mod log;
pub mod probe;
pub mod processes;
pub mod progress;
pub mod remote;
pub mod repository;
pub mod secrets;
pub mod state;
pub mod tasks;
pub mod trees;
pub mod wasi;
pub mod watch;
pub mod zones;

use mhost_model::{Fault, FaultResult};
use wasmtime::component::Linker;

use crate::bindings::mhost::plugin::faults;
use crate::state::{Calls, RunState, enter};

/// Everything that any component may import.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<RunState>> {
    let mut linker = Linker::new(engine);
    let add = &mut linker;
    faults::add_to_linker::<_, Calls>(add, enter)?;
    wasi::add_to_linker(add)?;
    http::add_to_linker(add)?;
    files::add_to_linker(add)?;
    trees::add_to_linker(add)?;
    database::add_to_linker(add)?;
    repository::add_to_linker(add)?;
    remote::add_to_linker(add)?;
    secrets::add_to_linker(add)?;
    state::add_to_linker(add)?;
    keeping::add_to_linker(add)?;
    config::add_to_linker(add)?;
    log::add_to_linker(add)?;
    progress::add_to_linker(add)?;
    probe::add_to_linker(add)?;
    processes::add_to_linker(add)?;
    alerts::add_to_linker(add)?;
    tasks::add_to_linker(add)?;
    watch::add_to_linker(add)?;
    zones::add_to_linker(add)?;
    Ok(linker)
}

/// A list from a guest that is larger is refused, bytes.
const LIST: usize = 16 << 20;

/// Refuses a list that is larger than the contract allows.
fn check_list(bytes: usize) -> FaultResult<()> {
    if bytes > LIST {
        return Err(Fault::Limit(format!(
            "one call may carry a list of {LIST} bytes, not {bytes}; pass it in pieces"
        )));
    }
    Ok(())
}

/// As the contract writes times; what lies before 1970 is 0.
fn millis(at: mhost_model::Instant) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or(0)
}
