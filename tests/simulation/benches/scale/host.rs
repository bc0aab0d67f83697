//! Durable fires of the whole service: many tasks that are due at one instant, with a
//! plugin that does nothing, from the claim to the receipt. And what the other benches
//! need: a state with many tasks, and the service on it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mhost_model::plugin::Digest;
use mhost_model::resource::PoolDef;
use mhost_model::schedule::Schedule;
use mhost_model::task::TaskSpec;
use mhost_model::{Clock as _, Instant as At, SystemClock};
use mhost_sched::Scheduler;
use mhost_store::{Edit, OpenOptions, RedbStore, RunFilter, TaskStore};
use mhost_test_support::{scratch, target_dir};
use serde_json::Value;
use tempfile::TempDir;

use super::fires::spec;
use super::measure::{cpu_of, pause, rate};

const FIRES: u64 = 100_000;
/// Tasks are put into the store so many at a time.
const BATCH: usize = 10_000;

pub struct Bench {
    pub folder: TempDir,
    runtime: tokio::runtime::Runtime,
    pub pin: Digest,
}

impl Bench {
    /// A state in which the plugin is installed that does nothing.
    pub fn new() -> Self {
        let folder = scratch("scale");
        let near = target_dir().join("tmp");
        let built = mhost_plugin_build::build(&["mhost-guest-hostile"], &near).unwrap();
        let mut bench = Self {
            folder,
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
            pin: Digest([0; 32]),
        };
        bench.json(&["init"]);
        // The tasks do not come from there, and the service must not put it in force.
        std::fs::remove_file(bench.state().join("mhost.toml")).unwrap();
        bench.json(&["plugin", "install", built[0].to_str().unwrap()]);
        let listed = bench.json(&["plugin", "list"]);
        let listed = listed.as_array().unwrap().iter();
        let hostile = listed.clone().find(|one| one["name"] == "hostile").unwrap();
        bench.pin = serde_json::from_value(hostile["digest"].clone()).unwrap();
        bench
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let program = target_dir().join("release/mhost");
        assert!(program.exists(), "build it first: cargo build --release");
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("MHOST_HOME", self.state())
            .env("RUST_LOG", "warn,mhost=info")
            .stdin(Stdio::null());
        command
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let mut command = self.command(args);
        let output = command.args(["--format", "json"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {told}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Uses the store, which no service may have now.
    pub fn with_store<T>(&self, using: impl AsyncFnOnce(&RedbStore) -> T) -> T {
        let store = RedbStore::open(OpenOptions {
            path: self.state().join("mhost.redb"),
            clock: Arc::new(SystemClock),
            planner: Arc::new(Scheduler::default()),
            create: false,
        });
        let store = store.unwrap();
        self.runtime.block_on(using(&store))
    }

    /// Makes tasks, and a pool of this size for them.
    pub fn fill(&self, size: u32, tasks: impl Iterator<Item = (String, TaskSpec)>) {
        self.with_store(async |store| {
            let pool = Edit::PutPool("many".parse().unwrap(), PoolDef { size });
            store.edit(vec![pool]).await.unwrap();
            let mut batch = Vec::new();
            for (name, spec) in tasks {
                batch.push(Edit::PutTask {
                    name: name.parse().unwrap(),
                    spec: Box::new(spec),
                    pin: self.pin,
                    enabled: true,
                });
                if batch.len() == BATCH {
                    store.edit(std::mem::take(&mut batch)).await.unwrap();
                }
            }
            store.edit(batch).await.unwrap();
        });
    }

    /// Starts the service; answers how long it took until it served.
    pub fn serve(&self) -> (Service, Duration) {
        let begun = Instant::now();
        let mut command = self.command(&["serve"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let serves = |line: &std::io::Result<String>| {
            line.as_ref()
                .is_ok_and(|line| line.contains("mhost serves"))
        };
        assert!(
            lines.by_ref().any(|line| serves(&line)),
            "it does not serve"
        );
        let took = begun.elapsed();
        let mut rest = File::create(self.folder.path().join("log")).unwrap();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                use std::io::Write as _;
                let _ = writeln!(rest, "{line}");
            }
        });
        (Service(child), took)
    }
}

pub struct Service(pub Child);

impl Service {
    /// As a power cut would.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A task of the plugin that does nothing, in the pool of all these.
pub fn nothing(schedule: Schedule) -> TaskSpec {
    let mut spec = spec("hostile", "nothing", schedule);
    spec.policy.pool = "many".parse().unwrap();
    spec
}

/// The row of every fire, newest first.
pub async fn rows(store: &RedbStore) -> Vec<mhost_model::run::Run> {
    let filter = RunFilter {
        limit: usize::MAX,
        ..RunFilter::default()
    };
    store.runs(filter).await.unwrap()
}

pub fn run() {
    for size in [16, 64, 256] {
        let bench = Bench::new();
        let at: At = SystemClock.now() + chrono::TimeDelta::seconds(20);
        let names = (0..FIRES).map(|task| format!("t{task}"));
        let spec = nothing(Schedule::Once { at });
        bench.fill(size, names.map(|name| (name, spec.clone())));
        let (service, _) = bench.serve();
        let wait = (at - SystemClock.now()).to_std().unwrap();
        pause(wait);
        let before = cpu_of(service.0.id());
        while bench.json(&["runs", "list", "-n", "1"])[0]["run"] != FIRES || pending(&bench) {
            pause(Duration::from_millis(500));
        }
        let cpu = cpu_of(service.0.id()).saturating_sub(before);
        service.kill();
        let wall = bench.with_store(async |store| {
            let rows = rows(store).await;
            let failed = rows.iter().find(|row| row.report.is_none());
            assert!(failed.is_none(), "{failed:?}");
            let ends = rows.iter().filter_map(|row| row.finished_at);
            (ends.max().unwrap() - at).to_std().unwrap()
        });
        println!("a pool of {size}, empty runs: {}", rate(FIRES, (wall, cpu)));
    }
}

/// Whether one of the newest runs is still on.
fn pending(bench: &Bench) -> bool {
    let newest = bench.json(&["runs", "list", "-n", "400"]);
    let mut newest = newest.as_array().unwrap().iter();
    newest.any(|run| run["outcome"].is_null())
}
