//! `mhost:plugin/repository`.

use wasmtime::component::Linker;

use crate::state::RunState;

/// An open repository.
pub struct Handle;

/// Nothing is offered yet.
pub(crate) fn add_to_linker(_linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    Ok(())
}
