//! `mhost:plugin/remote`.

use wasmtime::component::Linker;

use crate::state::RunState;

/// An open remote.
pub struct Store;

/// A file being written.
pub struct Writer;

/// Nothing is offered yet.
pub(crate) fn add_to_linker(_linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    Ok(())
}
