//! WASI 0.2 as the toolchains expect it.

use wasmtime::component::Linker;

use crate::state::RunState;

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}
