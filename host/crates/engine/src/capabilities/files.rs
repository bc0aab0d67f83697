//! `mhost:plugin/files`: bulk and exact file work beneath the granted directories.

use wasmtime::component::Linker;

use crate::state::RunState;

/// A walk in progress.
pub struct Walk;

/// A lock held.
pub struct FileLock;

/// Nothing is offered yet.
pub fn add_to_linker(_linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    Ok(())
}
