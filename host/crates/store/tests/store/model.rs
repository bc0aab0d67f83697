//! Random operations against an obvious model: each fire of an enabled task up to its
//! next due time has one row, due times never go back, state holds what successful
//! runs put there, and the ledger's figures are those that a child would count.

use std::collections::{BTreeMap, BTreeSet};

use mhost_conformance::{BASE, Subject, name};
use mhost_model::plan::Ended;
use mhost_model::policy::Overlap;
use mhost_model::run::{ErrorKind, RunError, RunState, Trigger};
use mhost_model::{RunId, TaskId};
use mhost_store::{Answer, Claim, Edit, RunFilter};
use proptest::prelude::*;

use crate::common::in_memory;

#[derive(Debug, Clone)]
enum Step {
    Put {
        task: usize,
        every: u64,
        overlap: Overlap,
    },
    Remove(usize),
    Enable(usize, bool),
    Quarantine(usize, bool),
    Wait(i64),
    Claim(u32),
    End {
        run: usize,
        how: u8,
    },
    Ask {
        task: usize,
        slots: u32,
        dry: bool,
    },
    Cancel(usize),
    Reap,
}

const TASKS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let overlap = prop_oneof![
        Just(Overlap::Skip),
        Just(Overlap::QueueOne),
        Just(Overlap::CancelPrevious)
    ];
    prop_oneof![
        2 => (0..TASKS, 1u64..4, overlap)
            .prop_map(|(task, every, overlap)| Step::Put { task, every: every * 20, overlap }),
        1 => (0..TASKS).prop_map(Step::Remove),
        1 => (0..TASKS, any::<bool>()).prop_map(|(task, on)| Step::Enable(task, on)),
        1 => (0..TASKS, any::<bool>()).prop_map(|(task, on)| Step::Quarantine(task, on)),
        4 => (-30i64..200).prop_map(Step::Wait),
        5 => (0u32..3).prop_map(Step::Claim),
        5 => (any::<prop::sample::Index>(), 0u8..4)
            .prop_map(|(run, how)| Step::End { run: run.index(1000), how }),
        2 => (0..TASKS, 0u32..2, any::<bool>())
            .prop_map(|(task, slots, dry)| Step::Ask { task, slots, dry }),
        1 => (0usize..20).prop_map(Step::Cancel),
        1 => Just(Step::Reap),
    ]
}

/// What is expected of a task.
#[derive(Debug, Default)]
struct Expected {
    /// The first fire that has no row yet, seconds after [`BASE`].
    next: Option<i64>,
    every: i64,
    fires: BTreeSet<i64>,
    state: BTreeMap<String, Vec<u8>>,
    last_success: Option<i64>,
    failures: u32,
    enabled: bool,
    quarantine: bool,
}

struct Model {
    s: Subject,
    now: i64,
    tasks: BTreeMap<TaskId, Expected>,
    living: Vec<Claim>,
}

fn task(number: usize) -> String {
    format!("t{number}")
}

impl Model {
    async fn step(&mut self, step: &Step) {
        match step {
            Step::Put {
                task,
                every,
                overlap,
            } => self.put(&self::task(*task), *every, *overlap).await,
            Step::Remove(task) => self.remove(&self::task(*task)).await,
            Step::Enable(task, on) => self.enable(&self::task(*task), *on).await,
            Step::Quarantine(task, on) => self.quarantine(&self::task(*task), *on).await,
            Step::Wait(seconds) => {
                self.now = (self.now + seconds).max(0);
                self.s.set(self.now);
            }
            Step::Claim(slots) => self.claim(*slots).await,
            Step::End { run, how } => self.end(*run, *how).await,
            Step::Ask { task, slots, dry } => self.ask(&self::task(*task), *slots, *dry).await,
            Step::Cancel(run) => self.cancel(RunId(*run as u64)).await,
            Step::Reap => self.reap().await,
        }
    }

    async fn id(&self, task: &str) -> Option<TaskId> {
        let status = self.s.store.task(&name(task)).await.unwrap();
        status.map(|status| status.task.id)
    }

    async fn put(&mut self, task: &str, every: u64, overlap: Overlap) {
        let change = |spec: &mut mhost_model::task::TaskSpec| {
            spec.policy.overlap = overlap;
            spec.policy.retry.attempts = 2;
        };
        self.s.put_with(task, every, change).await;
        let id = self.id(task).await.unwrap();
        let now = self.now;
        let expected = self.tasks.entry(id).or_default();
        if expected.every != every as i64 || !expected.enabled {
            expected.enabled = true;
            expected.arm(every as i64, now);
        }
    }

    async fn remove(&mut self, task: &str) {
        let id = self.id(task).await;
        let answer = self.s.edit(Edit::RemoveTask(name(task))).await;
        assert_eq!(answer.is_ok(), id.is_some());
        id.and_then(|id| self.tasks.remove(&id));
    }

    async fn enable(&mut self, task: &str, enabled: bool) {
        let Some(id) = self.id(task).await else {
            return;
        };
        let name = name(task);
        self.s
            .edit(Edit::SetEnabled { name, enabled })
            .await
            .unwrap();
        let now = self.now;
        let expected = self.tasks.get_mut(&id).unwrap();
        if expected.enabled != enabled {
            expected.enabled = enabled;
            expected.arm(expected.every, now);
        }
    }

    async fn quarantine(&mut self, task: &str, on: bool) {
        let Some(id) = self.id(task).await else {
            return;
        };
        let edit = Edit::SetQuarantine {
            name: name(task),
            quarantine: on.then(|| "look".into()),
        };
        self.s.edit(edit).await.unwrap();
        self.tasks.get_mut(&id).unwrap().quarantine = on;
    }

    async fn claim(&mut self, slots: u32) {
        let mut all = Vec::new();
        loop {
            let free = slots - all.len() as u32;
            let claimed = self.s.claim(free).await;
            all.extend(claimed.start);
            assert!(all.len() <= slots as usize);
            if claimed
                .next_wake
                .is_none_or(|wake| wake.timestamp() - BASE > self.now)
            {
                break;
            }
        }
        for claim in all {
            let id = claim.run.task.unwrap();
            assert!(!self.tasks[&id].quarantine);
            self.living.push(claim);
        }
        self.nothing_is_overdue().await;
    }

    /// After a claim, what is due has a row or waits for a slot.
    async fn nothing_is_overdue(&self) {
        for (id, expected) in &self.tasks {
            let progress = self
                .s
                .store
                .task_by_id(*id)
                .await
                .unwrap()
                .unwrap()
                .progress;
            let due = progress
                .next_due
                .is_some_and(|due| due.timestamp() - BASE <= self.now);
            let held = progress.wake_at.is_none() || expected.quarantine;
            assert!(!due || held, "{progress:?}");
        }
    }

    async fn end(&mut self, run: usize, how: u8) {
        if self.living.is_empty() {
            return;
        }
        let claim = self.living.remove(run % self.living.len());
        let ended = match how {
            0 => Ended::Succeeded,
            1 => Ended::Failed(RunError {
                message: "no".into(),
                kind: ErrorKind::Failure,
                retryable: true,
                cause: None,
            }),
            2 => Ended::Cancelled,
            _ => Ended::TimedOut,
        };
        let mut completion = self.s.completion(&claim, ended.clone()).await;
        let key = (claim.run.id.0 % 4).to_string();
        let value = claim.run.id.0.to_be_bytes().to_vec();
        completion.state = [(key.clone(), Some(value.clone()))].into();
        let completed = self.s.store.complete(completion).await.unwrap();
        let id = claim.run.task.unwrap();
        let Some(expected) = self.tasks.get_mut(&id).filter(|_| !claim.run.dry_run) else {
            return assert!(completed.run.outcome().is_some());
        };
        // What an attempt hands over is kept however it ended: the engine hands over no more
        // of a failed one than the plugin asked to keep.
        expected.state.insert(key, value);
        if completed.run.outcome().is_some() {
            expected.settled(&ended, claim.run.fire_at.timestamp_millis());
        }
    }

    async fn ask(&mut self, task: &str, slots: u32, dry: bool) {
        let Some(id) = self.id(task).await else {
            return;
        };
        let mut ask = self.s.manual(task, slots).await;
        ask.dry_run = dry;
        let answer = self.s.store.ask(ask).await;
        assert_eq!(answer.is_err(), self.tasks[&id].quarantine);
        match answer {
            Ok(Answer::Start(claim)) => self.living.push(*claim),
            Ok(_) => assert!(!dry),
            Err(_) => {}
        }
        // What makes way for the new run was tried, and did not succeed.
        self.count_failures(id).await;
    }

    async fn cancel(&mut self, run: RunId) {
        if let Ok(true) = self.s.store.cancel_open(run, "enough".into()).await {
            let run = self.s.run(run).await;
            self.count_failures(run.task.unwrap()).await;
        }
    }

    /// Takes over the count where runs were cancelled in passing; that they are
    /// counted is the suite's to show.
    async fn count_failures(&mut self, id: TaskId) {
        let progress = self.s.store.task_by_id(id).await.unwrap().unwrap().progress;
        let expected = self.tasks.get_mut(&id).unwrap();
        assert!(progress.failures >= expected.failures);
        expected.failures = progress.failures;
    }

    async fn reap(&mut self) {
        for completed in self.s.store.reap().await.unwrap() {
            let id = completed.run.id;
            self.living.retain(|claim| claim.run.id != id);
        }
    }

    async fn check(&mut self) {
        let all = RunFilter {
            limit: usize::MAX,
            ..RunFilter::default()
        };
        let runs = self.s.store.runs(all).await.unwrap();
        let running = runs
            .iter()
            .filter(|run| matches!(run.state, RunState::Running { .. }));
        let running: BTreeSet<RunId> = running.map(|run| run.id).collect();
        let living: BTreeSet<RunId> = self.living.iter().map(|claim| claim.run.id).collect();
        assert_eq!(running, living);
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        for id in ids {
            self.check_task(id, &runs).await;
        }
    }

    async fn check_task(&mut self, id: TaskId, runs: &[mhost_model::run::Run]) {
        let progress = self.s.store.task_by_id(id).await.unwrap().unwrap().progress;
        let expected = self.tasks.get_mut(&id).unwrap();
        let next_due = progress.next_due.map(|due| due.timestamp() - BASE);
        assert_eq!(next_due.is_some(), expected.enabled);
        if let (Some(due), Some(mut next)) = (next_due, expected.next) {
            assert!(
                due >= next,
                "the next due time went back from {next} to {due}"
            );
            while next < due {
                expected.fires.insert(next);
                next += expected.every;
            }
            assert_eq!(next, due);
            expected.next = Some(next);
        }
        let timed = runs
            .iter()
            .filter(|run| run.task == Some(id) && run.trigger == Trigger::Timer);
        let fires: Vec<i64> = timed.map(|run| run.fire_at.timestamp() - BASE).collect();
        assert_eq!(
            fires.len(),
            expected.fires.len(),
            "a fire has two rows, or none"
        );
        assert_eq!(fires.into_iter().collect::<BTreeSet<_>>(), expected.fires);
        let last_success = progress.last_success.map(|at| at.timestamp_millis());
        assert_eq!(last_success, expected.last_success);
        assert!(progress.failures >= expected.failures);
        expected.failures = progress.failures;
        let keys = self.s.store.state_keys(id, None, 99).await.unwrap();
        assert_eq!(keys, expected.state.keys().cloned().collect::<Vec<_>>());
        for (key, value) in &expected.state {
            let stored = self.s.store.state(id, key.clone()).await.unwrap();
            assert_eq!(stored.as_ref(), Some(value));
        }
    }
}

impl Expected {
    /// What was due has its row; nothing is caught up, and the clock may stand before the newest
    /// fire.
    fn arm(&mut self, every: i64, now: i64) {
        let last = self.fires.last().map_or(now, |last| now.max(*last));
        while let Some(due) = self.next.filter(|due| *due <= last) {
            self.fires.insert(due);
            self.next = Some(due + self.every);
        }
        self.every = every;
        let from = self.fires.last().map_or(now, |last| now.max(*last));
        let next = (from.div_euclid(self.every) + 1) * self.every;
        self.next = self.enabled.then_some(next);
    }

    fn settled(&mut self, ended: &Ended, fire_at: i64) {
        if *ended == Ended::Succeeded {
            self.failures = 0;
            self.last_success = self.last_success.max(Some(fire_at));
        } else {
            self.failures += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_agree_with_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model {
                s: in_memory(),
                now: 0,
                tasks: BTreeMap::new(),
                living: Vec::new(),
            };
            for step in &steps {
                model.step(step).await;
                model.check().await;
            }
            assert_eq!(model.s.store.verify().await.unwrap(), Vec::<String>::new());
        });
    }
}
