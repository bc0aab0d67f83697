//! A store under test, and the words that the suite is written in.

use std::collections::BTreeMap;
use std::sync::Arc;

use mhost_model::plan::Ended;
use mhost_model::plugin::Digest;
use mhost_model::run::{ErrorKind, LogLevel, LogLine, Report, Run, RunError, Trigger};
use mhost_model::schedule::Schedule;
use mhost_model::task::TaskSpec;
use mhost_model::{FixedClock, Instant, Name, RunId, Span, TaskId};

use mhost_store::{
    Ask, Asked, Claim, ClaimDue, Claimed, Completed, Completion, Edit, RunFilter, StoreResult,
    TaskStatus, TaskStore,
};

/// Where every test begins, seconds since 1970; a whole day.
pub const BASE: i64 = 20_000 * 86_400;

/// The instant so many seconds after [`BASE`].
pub fn at(seconds: i64) -> Instant {
    Instant::from_timestamp(BASE + seconds, 0).unwrap()
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

/// A task that fires every so many seconds; 0 is a manual one.
pub fn spec(every: u64) -> TaskSpec {
    let schedule = match every {
        0 => Schedule::Manual,
        every => Schedule::Every {
            every: Span::seconds(every),
            from: None,
        },
    };
    TaskSpec::new("pack".parse().unwrap(), "pack", schedule)
}

/// An empty store and its clock.
pub struct Subject {
    pub store: Arc<dyn TaskStore>,
    pub clock: FixedClock,
}

impl Subject {
    /// Sets the clock to so many seconds after [`BASE`].
    pub fn set(&self, seconds: i64) {
        self.clock.set(at(seconds));
    }

    pub async fn put(&self, task: &str, spec: TaskSpec) {
        self.store.edit(vec![put(task, spec)]).await.unwrap();
    }

    pub async fn put_with(&self, task: &str, every: u64, change: impl FnOnce(&mut TaskSpec)) {
        let mut spec = spec(every);
        change(&mut spec);
        self.put(task, spec).await;
    }

    pub async fn task(&self, task: &str) -> TaskStatus {
        self.store.task(&name(task)).await.unwrap().unwrap()
    }

    pub async fn id(&self, task: &str) -> TaskId {
        self.task(task).await.task.id
    }

    /// Claims with so many slots in the default pool.
    pub async fn claim(&self, slots: u32) -> Claimed {
        let slots = BTreeMap::from([(name("default"), slots)]);
        self.claim_from(slots, 1000).await
    }

    pub async fn claim_from(&self, slots: BTreeMap<Name, u32>, limit: usize) -> Claimed {
        let request = ClaimDue {
            node: self.store.node(),
            slots,
            lease: Span::seconds(60),
            limit,
        };
        self.store.claim_due(request).await.unwrap()
    }

    /// Claims the one run that must be claimable.
    pub async fn claim_one(&self) -> Claim {
        let mut claimed = self.claim(1).await;
        assert_eq!(claimed.start.len(), 1, "{claimed:?}");
        claimed.start.remove(0)
    }

    pub async fn end(&self, claim: &Claim, ended: Ended) -> Completed {
        self.store
            .complete(self.completion(claim, ended).await)
            .await
            .unwrap()
    }

    pub async fn completion(&self, claim: &Claim, ended: Ended) -> Completion {
        let now = self.store.now().await.unwrap();
        let report = Report {
            summary: "done".into(),
            ..Report::default()
        };
        Completion {
            key: claim.key(),
            report: (ended == Ended::Succeeded).then_some(report),
            ended,
            cancelled_because: None,
            started_at: now,
            finished_at: now,
            receipt: Some(Default::default()),
            state: BTreeMap::new(),
            observed: Vec::new(),
            log: Vec::new(),
            alerts: Vec::new(),
        }
    }

    /// A run by hand, as it would be asked for with so many free slots.
    pub async fn manual(&self, task: &str, slots: u32) -> Ask {
        let id = self.id(task).await;
        Ask {
            node: self.store.node(),
            what: Asked::Task(id),
            trigger: Trigger::Manual,
            dry_run: false,
            force: false,
            slots,
            lease: Span::seconds(60),
            mark: None,
        }
    }

    /// All rows of a task, oldest first, as `(seconds after BASE, outcome or state)`.
    pub async fn rows(&self, task: &str) -> Vec<(i64, String)> {
        let filter = RunFilter {
            task: Some(self.id(task).await),
            limit: usize::MAX,
            ..RunFilter::default()
        };
        let mut runs = self.store.runs(filter).await.unwrap();
        runs.reverse();
        runs.iter().map(row).collect()
    }

    pub async fn run(&self, id: RunId) -> Run {
        self.store.run(id).await.unwrap().unwrap()
    }

    pub async fn edit(&self, edit: Edit) -> StoreResult<()> {
        self.store.edit(vec![edit]).await
    }
}

pub(super) fn put(task: &str, spec: TaskSpec) -> Edit {
    Edit::PutTask {
        name: name(task),
        spec: Box::new(spec),
        pin: digest(1),
        enabled: true,
    }
}

pub(super) fn row(run: &Run) -> (i64, String) {
    use mhost_model::run::RunState;
    let state = match run.state {
        RunState::Running { .. } => "running",
        RunState::Queued => "queued",
        RunState::Waiting { .. } => "waiting",
        RunState::Settled { outcome } => outcome.as_str(),
    };
    (run.fire_at.timestamp() - BASE, state.to_owned())
}

pub(super) fn expected(rows: &[(i64, &str)]) -> Vec<(i64, String)> {
    rows.iter()
        .map(|(at, state)| (*at, (*state).to_owned()))
        .collect()
}

pub(super) fn failed(retryable: bool) -> Ended {
    Ended::Failed(RunError {
        message: "it did not work".into(),
        kind: ErrorKind::Failure,
        retryable,
        cause: None,
    })
}

pub(super) fn line(number: usize) -> LogLine {
    LogLine {
        at: at(0),
        level: LogLevel::Info,
        source: "host".into(),
        text: format!("line {number}"),
    }
}
