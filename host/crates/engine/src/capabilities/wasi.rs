//! WASI 0.2 as the toolchains expect it: clocks, random, standard streams, files of
//! the granted directories. Sockets are linked and refuse everything.

use std::sync::Arc;
use std::time::Duration;

use mhost_model::Clock;
use mhost_model::grant::Access;
use wasmtime::component::Linker;
use wasmtime_wasi::{FsPerms, HostWallClock, WasiCtx};

use crate::capabilities::directories;
use crate::capabilities::log::Output;
use crate::failure::CannotBegin;
use crate::log::Stream;
use crate::state::{RunState, Shared};

/// Random bytes in one call.
const RANDOM: u64 = 1 << 20;

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    directories::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The context of one run. Opens its directories.
pub(crate) fn context(shared: &Arc<Shared>) -> wasmtime::Result<WasiCtx> {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(Output::new(Arc::clone(shared), Stream::Out))
        .stderr(Output::new(Arc::clone(shared), Stream::Err))
        .wall_clock(WallClock(Arc::clone(&shared.clock)))
        .max_random_size(RANDOM)
        // The thread is this run's own; see `crate::worker`.
        .allow_blocking_current_thread(true);
    shared
        .directories
        .open(&shared.granter)
        .map_err(CannotBegin)?;
    for (name, directory) in shared.directories.iter() {
        let permissions = match directory.access {
            Access::ReadOnly => FsPerms::ReadOnly,
            Access::ReadWrite => FsPerms::ReadWrite,
        };
        builder.preopened_dir(directory.proc_path(), format!("/{name}"), permissions)?;
    }
    Ok(builder.build())
}

/// The host's clock, as the guest sees it.
struct WallClock(Arc<dyn Clock>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        let millis = self.0.now().timestamp_millis();
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}
