//! Rule 7: the power goes at every write and every sync of a scenario. Whatever part
//! of the unsynced writes got to the disk, the store opens, shows everything that was
//! answered and at most the one change that was under way, is sound, and goes on
//! without losing or repeating a fire.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mhost_conformance::{BASE, Subject, at, name, spec};
use mhost_model::plan::Ended;
use mhost_model::policy::Overlap;
use mhost_model::run::{LogLine, Outcome, Run, RunState, Trigger};
use mhost_model::schedule::{AfterOn, Schedule};
use mhost_model::{FixedClock, TaskId};
use mhost_store::{Edit, RedbStore, RunFilter, TaskStatus, TaskStore};
use redb::StorageBackend;

use crate::common::options;
use crate::tape::{Disk, Recorder};

/// All that can be read of a store.
#[derive(Debug, Clone, PartialEq)]
struct Facts {
    tasks: Vec<TaskStatus>,
    runs: Vec<Run>,
    logs: BTreeMap<u64, Vec<LogLine>>,
    state: BTreeMap<(u64, String), Vec<u8>>,
    pools: usize,
}

async fn facts(store: &dyn TaskStore) -> Facts {
    let tasks = store.tasks(None, usize::MAX).await.unwrap();
    let all = RunFilter {
        limit: usize::MAX,
        ..RunFilter::default()
    };
    let runs = store.runs(all).await.unwrap();
    let mut logs = BTreeMap::new();
    for run in &runs {
        logs.insert(run.id.0, store.log(run.id, 0, usize::MAX).await.unwrap());
    }
    let mut state = BTreeMap::new();
    for id in tasks.iter().map(|status| status.task.id) {
        for key in store.state_keys(id, None, usize::MAX).await.unwrap() {
            let value = store.state(id, key.clone()).await.unwrap().unwrap();
            state.insert((id.0, key), value);
        }
    }
    let pools = store.definitions().await.unwrap().pools.len();
    Facts {
        tasks,
        runs,
        logs,
        state,
        pools,
    }
}

fn open(backend: impl StorageBackend, clock: &FixedClock) -> Subject {
    let options = options(Path::new("crash"), clock, true);
    Subject {
        store: Arc::new(RedbStore::open_with_backend(options, backend).unwrap()),
        clock: clock.clone(),
    }
}

/// A scenario and what was known after each answer.
struct Story {
    tape: Recorder,
    s: Subject,
    /// So many operations had been noted when this was known.
    answered: Vec<(usize, Facts)>,
}

impl Story {
    async fn begin() -> Self {
        let tape = Recorder::new();
        let s = open(tape.clone(), &FixedClock::new(at(0)));
        let mut story = Self {
            tape,
            s,
            answered: Vec::new(),
        };
        story.mark().await;
        story
    }

    async fn mark(&mut self) {
        let facts = facts(&*self.s.store).await;
        self.answered.push((self.tape.len(), facts));
    }

    async fn edit(&mut self, edits: Vec<Edit>) {
        self.s.store.edit(edits).await.unwrap();
        self.mark().await;
    }

    async fn put(&mut self, task: &str, spec: mhost_model::task::TaskSpec) {
        self.s.put(task, spec).await;
        self.mark().await;
    }

    async fn claim(&mut self) -> Vec<mhost_store::Claim> {
        let claimed = self.s.claim(9).await;
        self.mark().await;
        claimed.start
    }

    async fn end(&mut self, claim: &mhost_store::Claim, ended: Ended) {
        let mut completion = self.s.completion(claim, ended).await;
        let run = claim.run.id.0.to_string();
        completion.state = [(run.clone(), Some(run.into_bytes()))].into();
        completion.log = vec![line("last words")];
        self.s.store.complete(completion).await.unwrap();
        self.mark().await;
    }
}

fn line(text: &str) -> LogLine {
    LogLine {
        at: at(0),
        level: mhost_model::run::LogLevel::Info,
        source: "guest".into(),
        text: text.to_owned(),
    }
}

fn failed() -> Ended {
    Ended::Failed(mhost_model::run::RunError {
        message: "it did not work".into(),
        kind: mhost_model::run::ErrorKind::Failure,
        retryable: true,
        cause: None,
    })
}

/// Arms, claims, completes, retries, edits, asks and ticks.
async fn story() -> Story {
    let mut story = Story::begin().await;
    define(&mut story).await;
    run(&mut story).await;
    change(&mut story).await;
    story
}

async fn define(story: &mut Story) {
    story.put("a", spec(60)).await;
    let mut b = spec(60);
    b.policy.retry.attempts = 2;
    b.policy.overlap = Overlap::QueueOne;
    story.put("b", b).await;
    let mut c = spec(0);
    c.schedule = Schedule::After {
        after: name("a"),
        on: AfterOn::Any,
    };
    story.put("c", c).await;
    let pool = mhost_model::resource::PoolDef { size: 9 };
    story.edit(vec![Edit::PutPool(name("p"), pool)]).await;
}

async fn run(story: &mut Story) {
    story.s.set(60);
    let first = story.claim().await;
    story
        .s
        .store
        .append_log(first[0].run.id, vec![line("hello")])
        .await
        .unwrap();
    story.mark().await;
    story.end(&first[0], Ended::Succeeded).await;
    story.end(&first[1], failed()).await;
    let dependent = story.claim().await;
    story
        .s
        .store
        .renew(vec![dependent[0].key()], mhost_model::Span::seconds(600))
        .await
        .unwrap();
    story.mark().await;
}

async fn change(story: &mut Story) {
    story.s.set(200);
    let more = story.claim().await;
    assert!(!more.is_empty());
    let mut renamed = spec(50);
    renamed.renamed_from = Some(name("a"));
    let pause = Edit::SetEnabled {
        name: name("c"),
        enabled: false,
    };
    let put = Edit::PutTask {
        name: name("d"),
        spec: Box::new(renamed),
        pin: mhost_conformance::digest(2),
        enabled: true,
    };
    story.edit(vec![put, pause]).await;
    for claim in &more {
        story.end(claim, Ended::Succeeded).await;
    }
    let ask = story.s.manual("d", 9).await;
    story.s.store.ask(ask).await.unwrap();
    story.mark().await;
    story.edit(vec![Edit::RemoveTask(name("c"))]).await;
    story.s.set(1000);
    story.s.store.reap().await.unwrap();
    story.mark().await;
    let last = story.claim().await;
    assert!(!last.is_empty());
    story.end(&last[0], Ended::Succeeded).await;
}

/// A small generator of its own, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn toss(&mut self) -> bool {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 63 == 1
    }
}

#[tokio::test]
async fn rule_7_power_loss_at_every_write() {
    let story = story().await;
    let mut disk = Disk::default();
    let ops = story.tape.ops();
    let mut synced = None;
    for cut in 1..=ops.len() {
        disk.apply(&ops[cut - 1]);
        let known = story.answered.iter().rposition(|(at, _)| *at <= cut);
        let Some(known) = known else {
            // The file is being made: see below.
            continue;
        };
        let may_be = &story.answered[known..(known + 2).min(story.answered.len())];
        let mut dice = Dice(cut as u64);
        let mut images = vec![
            disk.after_crash(|_| true),
            disk.after_crash(|_| dice.toss()),
        ];
        // What was synced changes less often.
        if synced != Some((disk.syncs, known)) {
            synced = Some((disk.syncs, known));
            images.push(disk.after_crash(|_| false));
        }
        for (kind, image) in images.into_iter().enumerate() {
            survives(
                image,
                may_be,
                &format!("cut {cut} of {}, kind {kind}", ops.len()),
            )
            .await;
        }
    }
}

async fn survives(image: impl StorageBackend, may_be: &[(usize, Facts)], what: &str) {
    let clock = FixedClock::new(at(1000));
    let s = open(image, &clock);
    let found = facts(&*s.store).await;
    assert!(
        may_be.iter().any(|(_, facts)| *facts == found),
        "{what}: {found:#?}"
    );
    s.store.reap().await.unwrap();
    s.set(1100);
    goes_on(&s, what).await;
    assert_eq!(
        s.store.verify().await.unwrap(),
        Vec::<String>::new(),
        "{what}"
    );
}

/// Claims and ends until nothing is left to do, and counts the fires.
async fn goes_on(s: &Subject, what: &str) {
    loop {
        let claimed = s.claim(9).await;
        for claim in &claimed.start {
            s.end(claim, Ended::Succeeded).await;
        }
        if claimed.start.is_empty() && claimed.next_wake.is_none_or(|wake| wake > at(1100)) {
            break;
        }
    }
    let found = facts(&*s.store).await;
    for status in &found.tasks {
        let id = status.task.id;
        // A paused task keeps what waits.
        let over = status.progress.open.is_empty() || !status.task.enabled;
        assert!(over, "{what}: {status:?}");
        let fires = fires(&found.runs, id);
        let mut once = fires.clone();
        once.dedup();
        assert_eq!(fires, once, "{what}: a fire of task {id} has two rows");
        if let (Schedule::Every { every, .. }, 1) =
            (&status.task.spec.schedule, status.task.schedule_version)
        {
            let every = every.0.as_secs() as i64;
            let all: Vec<i64> = (1..)
                .map(|n| n * every)
                .take_while(|at| *at <= 1100)
                .collect();
            assert_eq!(fires, all, "{what}: fires of task {id}");
        }
    }
    let lost = |run: &&Run| {
        matches!(
            run.state,
            RunState::Settled {
                outcome: Outcome::Lost
            }
        )
    };
    assert!(
        !found
            .runs
            .iter()
            .any(|run| lost(&run) && run.trigger == Trigger::Timer),
        "{what}"
    );
}

/// Fire times of a task's timer, seconds, in order.
fn fires(runs: &[Run], task: TaskId) -> Vec<i64> {
    let timed = runs
        .iter()
        .filter(|run| run.task == Some(task) && run.trigger == Trigger::Timer);
    let mut fires: Vec<i64> = timed.map(|run| run.fire_at.timestamp() - BASE).collect();
    fires.sort();
    fires
}

/// The power goes while the file is made: what is left can be opened, or is told to
/// be no store, but never stops a new one from being made where it is empty.
#[tokio::test]
async fn power_loss_while_the_file_is_made() {
    let tape = Recorder::new();
    drop(open(tape.clone(), &FixedClock::new(at(0))));
    let mut disk = Disk::default();
    let mut usable = 0;
    for op in tape.ops() {
        disk.apply(&op);
        let clock = FixedClock::new(at(0));
        let options = options(Path::new("crash"), &clock, true);
        match RedbStore::open_with_backend(options, disk.after_crash(|_| true)) {
            Ok(store) => {
                usable += 1;
                assert!(store.verify().await.unwrap().is_empty());
            }
            Err(error) => {
                let damaged = matches!(error, mhost_store::StoreError::Damaged { .. });
                assert!(damaged && usable == 0, "{error}");
            }
        }
    }
    assert!(usable > 0);
}
