//! A task with its ledger in memory: what a store does with the planner's answers.

use std::collections::BTreeMap;

use mhost_model::plan::{Decision, Ended, OpenRun, Planner, Progress, Verdict};
use mhost_model::policy::Policy;
use mhost_model::run::{ErrorKind, Outcome, RunError, RunState, Trigger};
use mhost_model::task::{Task, TaskSpec};
use mhost_model::{Fence, Instant, NodeId, RunId, TaskId};
use mhost_sched::{Scheduler, parse_expr};

/// `01:30` is on 2026-03-02, `03 01:30` on the third; with seconds where given.
pub fn at(text: &str) -> Instant {
    let (day, time) = text.split_once(' ').unwrap_or(("02", text));
    let seconds = if time.len() == 5 { ":00" } else { "" };
    format!("2026-03-{day}T{time}{seconds}Z").parse().unwrap()
}

/// A day and time, as short as [`at`] takes it.
pub fn name(at: Instant) -> String {
    let text = at.format("%d %H:%M:%S").to_string();
    let text = text.strip_suffix(":00").unwrap_or(&text);
    text.strip_prefix("02 ").unwrap_or(text).to_owned()
}

pub fn names(fires: &[Instant]) -> String {
    let names: Vec<_> = fires.iter().map(|fire| name(*fire)).collect();
    names.join(" ")
}

/// A task that was created at midnight of 2026-03-02.
pub fn task(expr: &str, policy: Policy) -> Task {
    let schedule = parse_expr(expr, None).unwrap();
    let spec = TaskSpec {
        policy,
        ..TaskSpec::new("pack".parse().unwrap(), "pack", schedule)
    };
    Task {
        id: TaskId(1),
        name: "task".parse().unwrap(),
        spec,
        pin: mhost_model::plugin::Digest([0; 32]),
        quarantine: None,
        enabled: true,
        schedule_version: 1,
        created_at: at("00:00"),
    }
}

pub fn failure(retryable: bool) -> Ended {
    Ended::Failed(RunError {
        message: "no".into(),
        kind: ErrorKind::Failure,
        retryable,
        cause: None,
    })
}

pub fn running() -> RunState {
    RunState::Running {
        node: NodeId(1),
        lease_until: at("00:00"),
    }
}

pub struct World {
    pub scheduler: Scheduler,
    pub task: Task,
    pub progress: Progress,
    /// Settled fires with how they ended; a fire that is settled twice has two.
    pub rows: BTreeMap<Instant, Vec<(Outcome, String)>>,
    runs: u64,
}

impl World {
    pub fn new(expr: &str, policy: Policy) -> Self {
        let scheduler = Scheduler::default();
        let task = task(expr, policy);
        let (next_due, wake_at) = scheduler.arm(&task, task.created_at);
        Self {
            scheduler,
            task,
            progress: Progress {
                next_due,
                wake_at,
                ..Progress::default()
            },
            rows: BTreeMap::new(),
            runs: 0,
        }
    }

    /// Asks once and writes down the answer.
    pub fn tick(&mut self, slots: u32, now: Instant) -> Decision {
        let decision = self.scheduler.due(&self.task, &self.progress, slots, now);
        for passed in &decision.pass {
            self.settle(passed.fire_at, passed.outcome, &passed.reason);
        }
        for run in &decision.give_up {
            let given_up = self.open(*run).clone();
            assert!(matches!(given_up.state, RunState::Waiting { .. }));
            self.progress.open.retain(|open| open.id != *run);
            self.settle(
                given_up.fire_at,
                Outcome::Failed,
                "the next fire came first",
            );
        }
        for run in decision.cancel.clone() {
            self.cancel_unless_running(run);
        }
        for run in &decision.resume {
            self.open(*run).state = running();
        }
        for fire in &decision.start {
            self.add(*fire, running());
        }
        for fire in &decision.queue {
            self.add(*fire, RunState::Queued);
        }
        self.progress.next_due = decision.next_due;
        self.progress.wake_at = decision.wake_at;
        decision
    }

    /// Ends a running attempt.
    pub fn end(&mut self, fire: Instant, ended: Ended, now: Instant) -> Verdict {
        let open = self.progress.open.iter();
        let run = open.clone().find(|run| run.fire_at == fire).unwrap();
        let (id, run) = (run.id, run.clone());
        let verdict = self
            .scheduler
            .ended(&self.task, &self.progress, &run, &ended, now);
        match &verdict {
            Verdict::Retry { at } => {
                let run = self.open(id);
                run.attempt += 1;
                run.state = RunState::Waiting { retry_at: *at };
            }
            Verdict::Settle { outcome, reason } => {
                self.progress.open.retain(|open| open.id != id);
                self.settle(fire, *outcome, reason.as_deref().unwrap_or_default());
            }
        }
        verdict
    }

    pub fn add(&mut self, fire_at: Instant, state: RunState) {
        self.runs += 1;
        self.progress.open.push(OpenRun {
            id: RunId(self.runs),
            fire_at,
            attempt: 1,
            fence: Fence(self.runs),
            trigger: Trigger::Timer,
            state,
        });
    }

    /// The fires of runs in this state, oldest first.
    pub fn in_state(&self, fits: impl Fn(&RunState) -> bool) -> Vec<Instant> {
        let open = self.progress.open.iter();
        open.filter(|run| fits(&run.state))
            .map(|run| run.fire_at)
            .collect()
    }

    pub fn running(&self) -> Vec<Instant> {
        self.in_state(|state| matches!(state, RunState::Running { .. }))
    }

    fn open(&mut self, id: RunId) -> &mut OpenRun {
        let mut open = self.progress.open.iter_mut();
        open.find(|run| run.id == id).unwrap()
    }

    fn cancel_unless_running(&mut self, id: RunId) {
        let run = self.open(id).clone();
        if !matches!(run.state, RunState::Running { .. }) {
            self.progress.open.retain(|open| open.id != id);
            self.settle(run.fire_at, Outcome::Cancelled, "a newer fire");
        }
    }

    fn settle(&mut self, fire: Instant, outcome: Outcome, reason: &str) {
        let rows = self.rows.entry(fire).or_default();
        rows.push((outcome, reason.to_owned()));
        self.progress.last_fire = self.progress.last_fire.max(Some(fire));
    }
}
