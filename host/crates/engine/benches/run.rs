//! What the sandbox costs by itself: a run, a call, a load.

#![allow(clippy::unwrap_used)] // A bench that cannot go on has failed.

#[allow(dead_code, reason = "the benches use a part of what the tests need")]
#[path = "../tests/hostile/support.rs"]
mod support;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use divan::Bencher;
use divan::counter::ItemsCount;
use mhost_engine::{Allocation, EngineConfig, Plugin, Sandbox};
use serde_json::{Value, json};
use support::Attack;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Calls in one run that measures them.
const CALLS: u64 = 100_000;

static CACHE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn main() {
    divan::main();
}

fn sandbox(allocation: Allocation, cache: &Path) -> Sandbox {
    Sandbox::new(EngineConfig {
        allocation,
        cache: Some(cache.to_owned()),
        protected: Vec::new(),
    })
    .unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn bench(bencher: Bencher, allocation: Allocation, action: &'static str, config: &Value) {
    let runtime = runtime();
    let sandbox = sandbox(allocation, CACHE.path());
    let plugin: Arc<Plugin> = runtime
        .block_on(sandbox.load(support::component()))
        .unwrap();
    bencher
        .with_inputs(|| Attack::new(action, config.clone()).job())
        .bench_values(|job| runtime.block_on(plugin.run(job)));
}

#[divan::bench(sample_count = 2000)]
fn empty_run_pooling(bencher: Bencher) {
    bench(
        bencher,
        Allocation::Pooling { instances: 16 },
        "nothing",
        &json!({}),
    );
}

#[divan::bench(sample_count = 2000)]
fn empty_run_on_demand(bencher: Bencher) {
    bench(bencher, Allocation::OnDemand, "nothing", &json!({}));
}

#[divan::bench(sample_count = 20)]
fn host_call_of_ours(bencher: Bencher) {
    let config = json!({"calls": CALLS, "which": "progress"});
    bench(
        bencher.counter(ItemsCount::new(CALLS)),
        Allocation::OnDemand,
        "calls",
        &config,
    );
}

#[divan::bench(sample_count = 20)]
fn host_call_of_wasi(bencher: Bencher) {
    let config = json!({"calls": CALLS, "which": "clock"});
    bench(
        bencher.counter(ItemsCount::new(CALLS)),
        Allocation::OnDemand,
        "calls",
        &config,
    );
}

#[divan::bench(sample_count = 200)]
fn load_cached(bencher: Bencher) {
    let runtime = runtime();
    let sandbox = sandbox(Allocation::OnDemand, CACHE.path());
    let digest = runtime
        .block_on(sandbox.load(support::component()))
        .unwrap()
        .digest();
    bencher.bench_local(|| runtime.block_on(sandbox.load_cached(digest)).unwrap());
}

#[divan::bench(sample_count = 5)]
fn compile(bencher: Bencher) {
    let runtime = runtime();
    bencher
        .with_inputs(|| support::sandbox(&[]))
        .bench_local_values(|sandbox| {
            runtime
                .block_on(sandbox.load(support::component()))
                .unwrap()
        });
}

#[divan::bench]
fn make_a_sandbox() -> Sandbox {
    sandbox(Allocation::Pooling { instances: 16 }, CACHE.path())
}
