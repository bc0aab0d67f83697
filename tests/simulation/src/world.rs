//! The world: the store under test, the model beside it, and the steps that happen.

mod asks;
mod edits;
mod ends;
mod looks;
mod nodes;
mod retention;
mod rows;
mod wishes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use mhost_model::run::{Run, RunState};
use mhost_model::{FixedClock, Instant, NodeId, RunId, Span, TaskId};
use mhost_sched::Scheduler;
use mhost_store::{ClaimKey, OpenOptions, RedbStore, TaskStore};
use mhost_test_support::Dice;

use crate::disk::Disk;
use crate::flaw::{Flaw, Flawed};
use crate::model::Task;

/// What a claim is given, milliseconds.
const LEASE: i64 = 60_000;
/// Nodes that share the store with its own process are numbered from here.
const OTHERS: u64 = 1_000_000;
/// Days on which clocks are changed somewhere, and other edges of the calendar.
const EDGES: [&str; 7] = [
    "2026-03-28T20:00:00Z",
    "2026-03-08T02:00:00Z",
    "2026-10-24T19:30:00Z",
    "2026-11-01T00:00:00Z",
    "2026-10-03T10:00:00Z",
    "2027-12-30T12:00:00Z",
    "2028-02-27T23:00:00Z",
];

/// A rule that was not kept.
#[derive(Debug)]
pub struct Broken {
    pub rule: u8,
    pub what: String,
}

pub type Checked<T = ()> = Result<T, Broken>;

/// Answers with a broken rule unless the condition holds.
macro_rules! hold {
    ($rule:expr, $condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::world::Broken { rule: $rule, what: format!($($what)+) });
        }
    };
}
pub(crate) use hold;

/// A rule that was not kept, and how to see it again.
#[derive(Debug)]
pub struct Violation {
    pub seed: u64,
    pub step: usize,
    pub rule: u8,
    pub what: String,
    /// The newest steps.
    pub trace: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rule {}: {}", self.rule, self.what)?;
        for line in &self.trace {
            writeln!(f, "    {line}")?;
        }
        let Self { seed, step, .. } = self;
        write!(
            f,
            "in step {step} of seed {seed}; again with MHOST_SIMULATION_SEED={seed}"
        )
    }
}

/// What a simulation went through: one in which nothing happens proves nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub steps: usize,
    pub rows: usize,
    pub starts: usize,
    pub retries: usize,
    pub missed: usize,
    pub lost: usize,
    pub set_off: usize,
    pub stale: usize,
    pub crashes: usize,
    pub jumps_back: usize,
    pub edits: usize,
    pub caught_up: usize,
    pub forgotten: usize,
    pub proved: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.rows += other.rows;
        self.starts += other.starts;
        self.retries += other.retries;
        self.missed += other.missed;
        self.lost += other.lost;
        self.set_off += other.set_off;
        self.stale += other.stale;
        self.crashes += other.crashes;
        self.jumps_back += other.jumps_back;
        self.edits += other.edits;
        self.caught_up += other.caught_up;
        self.forgotten += other.forgotten;
        self.proved += other.proved;
    }
}

/// Lets a world go on for so many steps.
pub fn simulate(seed: u64, steps: usize, flaw: Option<Flaw>) -> Result<Tally, Box<Violation>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let mut world = World::new(seed, flaw);
        for step in 0..steps {
            let kept = world.step().await;
            kept.map_err(|broken| world.violation(seed, step, broken))?;
        }
        let kept = world.audit().await;
        kept.map_err(|broken| world.violation(seed, steps, broken))?;
        world.tally.steps = steps;
        world.tally.rows = world.runs.len();
        Ok(world.tally)
    })
}

/// An executor at work on an attempt, or what it takes for one.
#[derive(Debug, Clone)]
struct Attempt {
    key: ClaimKey,
    node: NodeId,
    ends: i64,
    cancelled: bool,
}

/// What the store must know of a run that is on.
#[derive(Debug, Clone)]
struct Lease {
    /// None where nothing else of the task is in its way: an exec, a dry run.
    task: Option<TaskId>,
    node: NodeId,
    until: i64,
    pool: String,
}

struct World {
    dice: Dice,
    clock: FixedClock,
    now: i64,
    disk: Disk,
    flaw: Option<Flaw>,
    /// Absent only while a process ends and the next begins.
    store: Option<RedbStore>,
    pools: BTreeMap<String, u32>,
    tasks: BTreeMap<TaskId, Task>,
    /// Rule 9: the offsets that were seen, by task and jitter.
    offsets: BTreeMap<(TaskId, Option<Span>), i64>,
    /// Every row as it was seen last.
    runs: BTreeMap<RunId, Run>,
    open: BTreeSet<RunId>,
    /// Rule 1: due times that had not started when their schedule changed, or ended. Their
    /// rows come some at a time.
    overdue: BTreeMap<TaskId, VecDeque<i64>>,
    /// The rows of these.
    passed: BTreeSet<RunId>,
    /// What a task that was just resumed must not start.
    resumed: Vec<RunId>,
    leases: BTreeMap<RunId, Lease>,
    attempts: Vec<Attempt>,
    /// The newest fence of each task.
    fences: BTreeMap<TaskId, u64>,
    fenced: BTreeSet<(TaskId, u64)>,
    /// Attempts that were started.
    begun: BTreeSet<(RunId, u32)>,
    trace: Vec<String>,
    tally: Tally,
}

impl World {
    fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut dice = Dice::new(seed);
        let now: Instant = dice.pick(&EDGES).parse().unwrap();
        let clock = FixedClock::new(now);
        let disk = Disk::default();
        Self {
            store: Some(open(&disk, &clock, flaw)),
            dice,
            clock,
            now: now.timestamp_millis(),
            disk,
            flaw,
            pools: BTreeMap::from([("default".to_owned(), 1)]),
            tasks: BTreeMap::new(),
            offsets: BTreeMap::new(),
            runs: BTreeMap::new(),
            open: BTreeSet::new(),
            overdue: BTreeMap::new(),
            resumed: Vec::new(),
            passed: BTreeSet::new(),
            leases: BTreeMap::new(),
            attempts: Vec::new(),
            fences: BTreeMap::new(),
            fenced: BTreeSet::new(),
            begun: BTreeSet::new(),
            trace: Vec::new(),
            tally: Tally::default(),
        }
    }

    fn store(&self) -> &RedbStore {
        self.store.as_ref().unwrap()
    }

    fn violation(&mut self, seed: u64, step: usize, broken: Broken) -> Box<Violation> {
        self.note("a rule is broken");
        let newest = self.trace.len().saturating_sub(25);
        Box::new(Violation {
            seed,
            step,
            rule: broken.rule,
            what: broken.what,
            trace: self.trace[newest..].to_vec(),
        })
    }

    fn note(&mut self, step: impl Into<String>) {
        let now = crate::world::at(self.now).format("%m-%d %H:%M:%S%.3f");
        self.trace.push(format!("{now} {}", step.into()));
    }

    async fn step(&mut self) -> Checked {
        match self.dice.below(100) {
            0..=29 => {
                self.wait().await;
                self.look().await
            }
            30..=39 => {
                let ahead = self.dice.range(0, 600_000);
                self.set_clock(self.now + ahead);
                self.look().await
            }
            40..=57 => self.end_one().await,
            58..=69 => self.edit().await,
            70..=77 => self.ask().await,
            78..=81 => self.renew().await,
            82..=86 => self.reap().await,
            87..=88 => self.cancel_open().await,
            89..=90 => self.crash().await,
            91..=92 => self.abandon(),
            93..=94 => self.jump_back(),
            95 => self.jump_ahead(),
            96 => self.forget().await,
            97 => self.repeat().await,
            _ => self.edit_pool().await,
        }
    }

    fn set_clock(&mut self, now: i64) {
        self.now = now;
        self.clock.set(at(now));
    }

    /// To the next instant at which something should happen, as a service would wait.
    async fn wait(&mut self) {
        let wake = self.store().next_wake().await.unwrap();
        let wake = wake.map(|wake| wake.timestamp_millis());
        let ends = self.attempts.iter().map(|attempt| attempt.ends).min();
        let next = wake.into_iter().chain(ends).min();
        // Whoever waits is a little late, but not by days.
        let next = next.map_or(self.now, |next| next.min(self.now + 40_000_000));
        let late = self.dice.range(0, 900);
        self.set_clock(next.max(self.now) + late);
    }

    fn jump_back(&mut self) -> Checked {
        let most = *self.dice.pick(&[2_000, 300_000, 7_200_000, 100_000_000]);
        let back = self.dice.range(0, most);
        self.set_clock(self.now - back);
        self.tally.jumps_back += 1;
        self.note(format!("the clock goes back by {back} ms"));
        Ok(())
    }

    fn jump_ahead(&mut self) -> Checked {
        let most = *self
            .dice
            .pick(&[900_000, 7_200_000, 7_200_000, 100_000_000]);
        let ahead = self.dice.range(0, most);
        self.set_clock(self.now + ahead);
        self.note(format!("the clock jumps by {ahead} ms"));
        Ok(())
    }

    /// The runs of a task that are not over, oldest first; dry runs are nobody's.
    fn open_of(&self, task: TaskId) -> Vec<&Run> {
        let open = self.open.iter().map(|id| &self.runs[id]);
        open.filter(|run| run.task == Some(task) && !run.dry_run)
            .collect()
    }

    /// How many more runs a pool takes.
    fn free(&self, pool: &str) -> u32 {
        let size = self.pools.get(pool).copied().unwrap_or(1);
        let on = self.leases.values().filter(|lease| lease.pool == pool);
        size.saturating_sub(on.count() as u32)
    }
}

fn open(disk: &Disk, clock: &FixedClock, flaw: Option<Flaw>) -> RedbStore {
    let options = OpenOptions {
        path: PathBuf::from("memory"),
        clock: Arc::new(clock.clone()),
        planner: Arc::new(Flawed {
            scheduler: Scheduler::default(),
            flaw,
        }),
        create: true,
    };
    RedbStore::open_with_backend(options, disk.clone()).unwrap()
}

fn at(millis: i64) -> Instant {
    Instant::from_timestamp_millis(millis).unwrap()
}

fn is_running(run: &Run) -> bool {
    matches!(run.state, RunState::Running { .. })
}
