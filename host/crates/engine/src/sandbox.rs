//! The engine as the host sees it: one for a process, made when the first component
//! is needed.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use mhost_model::plugin::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::cache::{self, Cache};
use crate::network::Network;
use crate::plugin::Plugin;
use crate::slots::Slots;
use crate::state::RunState;
use crate::ticker::Ticker;
use crate::worker::Workers;
use crate::{Allocation, EngineConfig, EngineError, Inspection, imports};

/// What a guest's own calls may take of a stack, bytes.
const GUEST_STACK: usize = 1 << 20;
/// What guest and host together may: drivers of databases and repositories run on it.
const STACK: usize = 8 << 20;
/// What a slot of the pool keeps of a memory and of its tables between two runs, bytes: giving
/// the pages back and faulting them in again costs more than resetting the few that were
/// written, where the kernel can tell which (`PAGEMAP_SCAN`, Linux 6.7).
const KEPT_MEMORY: usize = 1 << 20;
const KEPT_TABLES: usize = 64 << 10;

/// Loads components. Cheap to make: wasmtime starts with the first component.
pub struct Sandbox {
    config: EngineConfig,
    network: Arc<Network>,
    core: OnceLock<Result<Arc<Core>, String>>,
}

/// wasmtime and what belongs to it.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<RunState>,
    pub(crate) ticker: Ticker,
    pub(crate) workers: Workers,
    pub(crate) slots: Slots,
    pub(crate) protected: Vec<PathBuf>,
    pub(crate) network: Arc<Network>,
    cache: Option<Cache>,
}

impl Sandbox {
    /// Fails when the cache could be written by others.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        if let Some(cache) = &config.cache {
            cache::check(cache)?;
        }
        Ok(Self {
            config,
            network: Arc::new(Network::system()),
            core: OnceLock::new(),
        })
    }

    /// The same with another way to the network; for tests, and where a machine has
    /// authorities of its own.
    pub fn with_network(mut self, network: Network) -> Self {
        self.network = Arc::new(network);
        self
    }

    /// The plugin of a component: its compiled code from the cache, or compiled now,
    /// off the async threads.
    pub async fn load(&self, component: &[u8]) -> Result<Arc<Plugin>, EngineError> {
        let core = self.core()?;
        let bytes = component.to_vec();
        blocking("load the component", move || {
            let digest = digest(&bytes);
            let component = match core.cached(digest) {
                Some(component) => component,
                None => core.compile(digest, &bytes)?,
            };
            Plugin::new(core, digest, &component).map(Arc::new)
        })
        .await
    }

    /// The same by digest alone, when its compiled code is in the cache.
    pub async fn load_cached(&self, digest: Digest) -> Option<Arc<Plugin>> {
        let core = self.core().ok()?;
        blocking("load the component", move || {
            let component = core.cached(digest);
            Ok(component.and_then(|component| Plugin::new(core, digest, &component).ok()))
        })
        .await
        .ok()?
        .map(Arc::new)
    }

    /// What a component imports and exports, whether or not it can be loaded. Compiles
    /// it, so this is no work for an async thread.
    pub fn inspect(&self, component: &[u8]) -> Result<Inspection, EngineError> {
        let core = self.core()?;
        let digest = digest(component);
        let compiled = match core.cached(digest) {
            Some(compiled) => compiled,
            None => core.compile(digest, component)?,
        };
        Ok(imports::inspect(
            &core,
            digest,
            component.len() as u64,
            &compiled,
        ))
    }

    fn core(&self) -> Result<Arc<Core>, EngineError> {
        let made = self.core.get_or_init(|| {
            let core =
                Core::new(&self.config, &self.network).map_err(|error| format!("{error:#}"))?;
            Ok(Arc::new(core))
        });
        made.clone().map_err(|why| EngineError::Failed {
            operation: "start the engine",
            why,
        })
    }
}

impl Core {
    fn new(config: &EngineConfig, network: &Arc<Network>) -> wasmtime::Result<Self> {
        let engine = Engine::new(&settings(config.allocation))?;
        Ok(Self {
            linker: crate::capabilities::linker(&engine)?,
            ticker: Ticker::start(&engine)?,
            workers: Workers::default(),
            slots: Slots::new(config.allocation),
            protected: config.protected.clone(),
            network: Arc::clone(network),
            cache: config
                .cache
                .as_deref()
                .map(|path| Cache::new(path, &engine)),
            engine,
        })
    }

    fn cached(&self, digest: Digest) -> Option<Component> {
        self.cache.as_ref()?.load(&self.engine, digest)
    }

    fn compile(&self, digest: Digest, bytes: &[u8]) -> Result<Component, EngineError> {
        imports::check_header(bytes)?;
        let compiled = self
            .engine
            .precompile_component(bytes)
            .map_err(|error| EngineError::NotAComponent(format!("{error:#}")))?;
        if let Some(cache) = &self.cache {
            match cache.keep(digest, &compiled) {
                Ok(()) => {
                    if let Some(component) = cache.load(&self.engine, digest) {
                        return Ok(component);
                    }
                }
                // It is compiled, and the next process compiles it again.
                Err(error) => {
                    tracing::warn!(%error, "the cache of compiled code cannot be written")
                }
            }
        }
        // SAFETY: `compiled` is what this very engine made a moment ago.
        #[allow(unsafe_code)]
        let component = unsafe { Component::deserialize(&self.engine, &compiled) };
        component.map_err(|error| EngineError::Failed {
            operation: "load what was compiled",
            why: format!("{error:#}"),
        })
    }
}

/// By what a component is known, and pinned.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Runs what blocks, off the async threads.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(EngineError::Failed {
            operation,
            why: error.to_string(),
        }),
    }
}

fn settings(allocation: Allocation) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(STACK);
    if let Allocation::Pooling { instances } = allocation {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    }
    config
}

/// Room for so many instances, and for what components of other languages are made
/// of: several core modules, some with a memory of their own.
fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        .total_core_instances(instances.saturating_mul(16))
        .total_memories(instances.saturating_mul(4))
        .total_tables(instances.saturating_mul(16))
        .max_tables_per_module(4)
        .max_memories_per_module(4)
        .table_elements(100_000);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(KEPT_MEMORY)
            .table_keep_resident(KEPT_TABLES);
    }
    pool
}
