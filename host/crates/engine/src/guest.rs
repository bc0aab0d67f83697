//! Drives one guest call on its own thread: a fresh store, an instance, the call,
//! and the end of all of it, in time.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant as Moment};

use futures::future::BoxFuture;
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::bindings::Maintenance;
use crate::capabilities::http::Hooks;
use crate::capabilities::wasi;
use crate::limiter::Limiter;
use crate::plugin::Plugin;
use crate::sandbox::Core;
use crate::slots::Slot;
use crate::state::{RunState, Shared};

/// What all data of one call from the guest into the host may take, bytes.
const CALL_DATA: usize = 64 << 20;
/// The size of the headers of one HTTP message, bytes in memory.
const HEADERS: usize = 128 << 10;
/// How long a guest that was cut off may take to let go of its thread.
const SLACK: Duration = Duration::from_millis(500);

/// How a guest call ended.
pub(crate) enum End<T> {
    Returned(T),
    /// It trapped, or could not begin.
    Trapped(wasmtime::Error),
    Cut(Cut),
    /// The thread is gone: the host itself panicked.
    Lost,
}

/// Why a guest was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Deadline,
    Cancelled,
}

/// The guest made more calls than it may.
#[derive(Debug, Error)]
#[error("limits.host_calls: the plugin made more than {0} calls into the host")]
pub(crate) struct TooManyCalls(pub u64);

/// The run is over, and its thread must end.
#[derive(Debug, Error)]
#[error("the run is over")]
struct Over;

/// The limiter's newest refusal, beside how the call ended.
pub(crate) struct Ended<T> {
    pub(crate) end: End<T>,
    pub(crate) refused: Option<String>,
}

/// What to call in the instance.
pub(crate) type Body<T> = Box<
    dyn for<'a> FnOnce(
            &'a Maintenance,
            &'a mut Store<RunState>,
        ) -> BoxFuture<'a, wasmtime::Result<T>>
        + Send,
>;

/// Calls a guest, and comes back in time even when it does not.
pub(crate) async fn call<T: Send + 'static>(
    plugin: &Plugin,
    shared: &Arc<Shared>,
    grace: Duration,
    body: Body<T>,
    slot: Slot,
) -> Ended<T> {
    // Lives as long as the guest's thread, which may be longer than this call.
    let running = plugin.core.ticker.running();
    let (cutter, cut) = watch::channel(None);
    let (sender, receiver) = oneshot::channel();
    let work = {
        let (core, pre, shared) = (
            Arc::clone(&plugin.core),
            plugin.pre.clone(),
            Arc::clone(shared),
        );
        move || async move {
            let ended = drive(&core, &pre, shared, cut, body).await;
            drop((running, slot));
            // Nobody waits any more when the run was given up.
            let _ = sender.send(ended);
        }
    };
    let runtime = tokio::runtime::Handle::current();
    if let Err(error) = plugin.core.workers.run(runtime, work) {
        return Ended {
            end: End::Trapped(error.into()),
            refused: None,
        };
    }
    let _closing = Closing(Arc::clone(shared));
    watched(shared, grace, cutter, receiver).await
}

/// Ends what a thread that lingers may do, also when nobody waits for the run any
/// more.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.granter.close();
        self.0.over.store(true, Relaxed);
    }
}

/// Waits for the end, and brings it about when time is up.
async fn watched<T>(
    shared: &Shared,
    grace: Duration,
    cutter: watch::Sender<Option<Cut>>,
    mut receiver: oneshot::Receiver<Ended<T>>,
) -> Ended<T> {
    let deadline = tokio::time::sleep_until(shared.deadline.into());
    let cancelled = async {
        shared.cancel.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    let why = tokio::select! {
        biased;
        ended = &mut receiver => return ended.unwrap_or_else(|_| lost()),
        () = deadline => Cut::Deadline,
        () = cancelled => Cut::Cancelled,
    };
    cutter.send_replace(Some(why));
    match tokio::time::timeout(SLACK, receiver).await {
        Ok(ended) => ended.unwrap_or_else(|_| lost()),
        // Stuck in a host call: the thread is given up, and ends when the call does.
        Err(_) => Ended {
            end: End::Cut(why),
            refused: None,
        },
    }
}

fn lost<T>() -> Ended<T> {
    Ended {
        end: End::Lost,
        refused: None,
    }
}

/// Runs on the guest's thread. The store, with all that the guest holds, is dropped
/// before the end is told.
async fn drive<T>(
    core: &Core,
    pre: &crate::bindings::MaintenancePre<RunState>,
    shared: Arc<Shared>,
    cut: watch::Receiver<Option<Cut>>,
    body: Body<T>,
) -> Ended<T> {
    let mut store = match store(core, shared) {
        Ok(store) => store,
        Err(error) => {
            return Ended {
                end: End::Trapped(error),
                refused: None,
            };
        }
    };
    let end = {
        let guest = async {
            let instance = pre.instantiate_async(&mut store).await?;
            body(&instance, &mut store).await
        };
        tokio::select! {
            biased;
            why = asked(cut) => End::Cut(why),
            result = guest => match result {
                Ok(value) => End::Returned(value),
                Err(error) => End::Trapped(error),
            },
        }
    };
    let refused = store.data().limiter.refused().map(str::to_owned);
    Ended { end, refused }
}

async fn asked(mut cut: watch::Receiver<Option<Cut>>) -> Cut {
    match cut.wait_for(Option::is_some).await.map(|why| *why) {
        Ok(Some(why)) => why,
        // The controller is gone, and with it everybody who waits for this run.
        _ => Cut::Cancelled,
    }
}

fn store(core: &Core, shared: Arc<Shared>) -> wasmtime::Result<Store<RunState>> {
    let limits = shared.limits.clone();
    let mut table = ResourceTable::new();
    table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(HEADERS);
    let state = RunState {
        table,
        wasi: wasi::context(&shared)?,
        http,
        hooks: Hooks::new(Arc::clone(&shared)),
        engine: core.engine.weak(),
        limiter: Limiter::new(limits.memory, Arc::clone(&shared.meter)),
        owners: Default::default(),
        listings: 0,
        shared: Arc::clone(&shared),
    };
    let mut store = Store::new(&core.engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(CALL_DATA);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if shared.is_over() {
            return Err(Over.into());
        }
        if shared.meter.calls() > shared.limits.host_calls {
            return Err(TooManyCalls(shared.limits.host_calls).into());
        }
        Ok(UpdateDeadline::Yield(1))
    });
    Ok(store)
}

/// The deadline of a call that may take so long.
pub(crate) fn deadline(time: Duration) -> Moment {
    /// Far enough for everybody, and no overflow.
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    Moment::now() + time.min(YEAR)
}
