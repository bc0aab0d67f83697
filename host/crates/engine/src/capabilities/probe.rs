//! `mhost:plugin/probe`.

use wasmtime::component::Linker;

use crate::state::RunState;

/// Nothing is offered yet.
pub fn add_to_linker(_linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    Ok(())
}
