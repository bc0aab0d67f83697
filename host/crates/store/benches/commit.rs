//! What a durable fire costs: a claim and its completion, each committed to a real
//! file. `cargo bench -p mhost-store`; the items are fires, on the disk that holds the
//! target directory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use mhost_conformance::{IntervalPlanner, Subject, at, name, spec};
use mhost_model::FixedClock;
use mhost_model::plan::Ended;
use mhost_store::{OpenOptions, RedbStore};
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// A store in a file, with so many tasks that are due every second, and as many
/// slots.
struct Bench {
    runtime: Runtime,
    s: Subject,
    tasks: u32,
    now: i64,
    _folder: TempDir,
}

impl Bench {
    fn new(tasks: u32, idle: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let folder = TempDir::new_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let clock = FixedClock::new(at(0));
        let options = OpenOptions {
            path: folder.path().join("store.redb"),
            clock: Arc::new(clock.clone()),
            planner: Arc::new(IntervalPlanner),
            create: true,
        };
        let store = Arc::new(RedbStore::open(options).unwrap());
        let s = Subject { store, clock };
        runtime.block_on(async {
            for task in 0..tasks {
                s.put(&format!("t{task}"), spec(1)).await;
            }
            let batch = (0..idle).map(|task| mhost_store::Edit::PutTask {
                name: name(&format!("idle{task}")),
                spec: Box::new(spec(86_400)),
                pin: mhost_conformance::digest(1),
                enabled: true,
            });
            s.store.edit(batch.collect()).await.unwrap();
        });
        Self {
            runtime,
            s,
            tasks,
            now: 0,
            _folder: folder,
        }
    }

    /// A second passes: every task is claimed, and all completions come at once.
    fn second(&mut self) {
        self.now += 1;
        self.s.set(self.now);
        self.runtime.block_on(async {
            let slots = BTreeMap::from([(name("default"), self.tasks)]);
            let claimed = self.s.claim_from(slots, 1000).await;
            assert_eq!(claimed.start.len(), self.tasks as usize);
            let ends = claimed.start.iter().map(|claim| async {
                self.s.end(claim, Ended::Succeeded).await;
            });
            futures::future::join_all(ends).await;
        });
    }
}

#[divan::bench(args = [1, 10, 100, 1000])]
fn fires(bencher: Bencher<'_, '_>, at_once: u32) {
    let mut bench = Bench::new(at_once, 0);
    bencher
        .counter(ItemsCount::new(at_once))
        .bench_local(|| bench.second());
}

/// A claim that finds nothing due among a hundred thousand tasks.
#[divan::bench]
fn nothing_due(bencher: Bencher<'_, '_>) {
    let bench = Bench::new(0, 100_000);
    bencher.bench_local(|| bench.runtime.block_on(bench.s.claim(1)));
}
