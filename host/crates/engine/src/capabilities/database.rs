//! `mhost:plugin/database`.

use wasmtime::component::Linker;

use crate::state::RunState;

/// An open database.
pub struct Connection;

/// A transaction on one.
pub struct Transaction;

/// Nothing is offered yet.
pub(crate) fn add_to_linker(_linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    Ok(())
}
