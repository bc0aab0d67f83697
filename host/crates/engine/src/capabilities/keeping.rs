//! `mhost:plugin/keeping`: which changes of the plugin's state outlive a run that fails.

use wasmtime::component::Linker;

use crate::bindings::mhost::plugin::keeping::{self as contract, Host};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, enter};

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn keep(&mut self) -> Answer<()> {
        self.shared.overlay.keep();
        Ok(())
    }
}
