//! What one run has in the host: the data of its wasmtime store, and the part of
//! it that outlives the store.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant as Moment;

use mhost_model::limits::Limits;
use mhost_model::masks::Masks;
use mhost_model::ports::around::{Messenger, Tasks};
use mhost_model::ports::database::Databases;
use mhost_model::ports::remote::Remotes;
use mhost_model::ports::repository::Repositories;
use mhost_model::ports::run::{Secrets, Watched};
use mhost_model::{Clock, Fault};
use wasmtime::EngineWeak;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::Cancel;
use crate::bindings::mhost::plugin::faults;
use crate::budget::WriteBudget;
use crate::capabilities::alerts::Alerts;
use crate::capabilities::directories::Owner;
use crate::capabilities::http::Hooks;
use crate::capabilities::progress::Progress;
use crate::capabilities::state::Overlay;
use crate::capabilities::watch::Observed;
use crate::directories::Directories;
use crate::limiter::Limiter;
use crate::log::Log;
use crate::meter::Meter;
use crate::network::Network;
use crate::permits::Granter;
use crate::refusal::Refusal;

/// What the capabilities share; it may be held by threads that outlive the run.
pub struct Shared {
    pub granter: Granter,
    pub meter: Arc<Meter>,
    pub budget: WriteBudget,
    pub masks: Arc<Masks>,
    pub directories: Directories,
    pub databases: Arc<dyn Databases>,
    pub repositories: Arc<dyn Repositories>,
    pub remotes: Arc<dyn Remotes>,
    pub secrets: Arc<dyn Secrets>,
    pub tasks: Arc<dyn Tasks>,
    pub messenger: Arc<dyn Messenger>,
    pub clock: Arc<dyn Clock>,
    pub network: Arc<Network>,
    pub cancel: Cancel,
    /// When the run's time is up.
    pub deadline: Moment,
    pub(crate) config: serde_json::Map<String, serde_json::Value>,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) overlay: Overlay,
    pub(crate) alerts: Alerts,
    pub(crate) watched: Arc<dyn Watched>,
    pub(crate) observed: Observed,
    pub(crate) progress: Progress,
    pub(crate) over: AtomicBool,
}

impl Shared {
    /// Whether the run has ended without its thread: nothing it does counts any more.
    pub fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Whether the run's time is over.
    pub fn time_is_up(&self) -> bool {
        Moment::now() >= self.deadline
    }

    /// A fault as the guest and the receipt may see it: without secrets.
    pub fn masked(&self, mut fault: Fault) -> Fault {
        match &mut fault {
            Fault::Denied(denial) => {
                self.masks.hide_in(&mut denial.target);
                self.masks.hide_in(&mut denial.remedy);
            }
            Fault::DryRun(text)
            | Fault::NotFound(text)
            | Fault::Exists(text)
            | Fault::Busy(text)
            | Fault::Invalid(text)
            | Fault::Unsupported(text)
            | Fault::Limit(text)
            | Fault::TimedOut(text)
            | Fault::Damaged(text)
            | Fault::Failed(text) => self.masks.hide_in(text),
        }
        fault
    }
}

/// The data of a run's wasmtime store.
pub struct RunState {
    pub table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) hooks: Hooks,
    pub(crate) engine: EngineWeak,
    pub(crate) limiter: Limiter,
    /// Which grant each open descriptor of `wasi:filesystem` lies below.
    pub(crate) owners: HashMap<u32, Owner>,
    /// Open directory listings.
    pub(crate) listings: usize,
    pub shared: Arc<Shared>,
}

impl RunState {
    /// Makes the guest stop at its next step, where the epoch's callback says why.
    fn interrupt(&self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.increment_epoch();
        }
    }

    /// Counts a call from the guest, whichever interface it is of.
    fn count(&self) {
        let limit = self.shared.limits.host_calls;
        if self.shared.meter.call() == limit.saturating_add(1) {
            self.interrupt();
        }
    }
}

/// One call from the guest into a capability: the store's data for as long as it
/// takes, and its time on the receipt.
pub struct Call<'a> {
    state: &'a mut RunState,
}

/// Begins a call; what every `add_to_linker` of a capability hands to the linker.
pub fn enter(state: &mut RunState) -> Call<'_> {
    state.count();
    state.shared.meter.call_begins();
    Call { state }
}

impl Deref for Call<'_> {
    type Target = RunState;
    fn deref(&self) -> &RunState {
        self.state
    }
}

impl DerefMut for Call<'_> {
    fn deref_mut(&mut self) -> &mut RunState {
        self.state
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.state.shared.meter.call_ends();
        if self.state.shared.is_over() {
            self.state.interrupt();
        }
    }
}

/// Tells the linker that capabilities work on a [`Call`].
pub struct Calls;

impl HasData for Calls {
    type Data<'a> = Call<'a>;
}

impl faults::Host for Call<'_> {
    fn convert_error(&mut self, refusal: Refusal) -> wasmtime::Result<faults::Error> {
        match refusal {
            Refusal::Fault(fault) => Ok(self.shared.masked(fault).into()),
            Refusal::Trap(error) => Err(error),
        }
    }
}

impl WasiView for RunState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.count();
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for RunState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.count();
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}
