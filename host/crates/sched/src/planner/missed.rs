//! Rule 3: which of the fires that are due run, and which end as skipped or
//! coalesced, each with its reason.

use chrono::TimeDelta;
use mhost_model::plan::{Passed, Progress};
use mhost_model::policy::Missed;
use mhost_model::run::Outcome;
use mhost_model::task::Task;
use mhost_model::{Instant, Span};

use crate::Compiled;
use crate::jitter;

/// Fires settled in one call: after a year without power a task with a fire each
/// second has 31 million of them. Every one gets its row, so many at a time:
/// `next_due` stays at the first without a row, and `wake_at` is `now`.
pub(super) const BATCH: usize = 1_000;

/// The newest fire counts as missed only when it is later than this: `mhost tick`
/// comes from a crontab, and a busy machine is late too.
pub(super) const GRACE: TimeDelta = TimeDelta::seconds(300);

/// What is due, sorted out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Arrears {
    /// Oldest first.
    pub(super) pass: Vec<Passed>,
    /// Oldest first, all newer than those in `pass`.
    pub(super) run: Vec<Instant>,
    /// The due time after all of these.
    pub(super) next: Option<Instant>,
    /// Whether `next` is due too, and left for the next call.
    pub(super) more: bool,
}

/// Sorts out the fires that may start at `now`.
pub(super) fn arrears(
    task: &Task,
    schedule: &Compiled,
    progress: &Progress,
    now: Instant,
) -> Arrears {
    let Some(first) = progress.next_due.filter(|_| task.enabled) else {
        return Arrears::default();
    };
    let judge = Judge::new(task, progress, now);
    let (mut due, next) = judge.collect(first, |at| schedule.next_after(at, task.created_at));
    let more = next.is_some_and(|next| judge.is_due(next));
    let next = if more && due.len() > BATCH {
        Some(due[BATCH])
    } else {
        next
    };
    if more {
        due.truncate(BATCH);
        let pass = due.iter().map(|fire| judge.passed(*fire, None)).collect();
        return Arrears {
            pass,
            run: Vec::new(),
            next,
            more,
        };
    }
    let run = judge.runs(&due);
    let newest = run.last().copied();
    let pass = due[..due.len() - run.len()].iter();
    Arrears {
        pass: pass.map(|fire| judge.passed(*fire, newest)).collect(),
        run,
        next,
        more,
    }
}

/// What would become of the fires that are due, for a preview.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Backlog {
    /// Oldest first.
    pub(crate) run: Vec<Instant>,
    pub(crate) coalesced: u64,
    pub(crate) skipped: u64,
    /// The first that is not due yet; it may wait for its jitter alone.
    pub(crate) next: Option<Instant>,
}

/// Goes through all batches of arrears.
pub(crate) fn backlog(
    task: &Task,
    schedule: &Compiled,
    progress: &Progress,
    now: Instant,
) -> Backlog {
    let mut progress = progress.clone();
    let mut backlog = Backlog::default();
    loop {
        let arrears = arrears(task, schedule, &progress, now);
        let skipped = arrears.pass.iter();
        let skipped = skipped.filter(|passed| passed.outcome == Outcome::Skipped);
        let skipped = skipped.count() as u64;
        backlog.skipped += skipped;
        backlog.coalesced += arrears.pass.len() as u64 - skipped;
        backlog.run.extend(arrears.run);
        backlog.next = arrears.next;
        progress.next_due = arrears.next;
        if !arrears.more {
            return backlog;
        }
    }
}

/// What the judgement depends on.
struct Judge {
    missed: Missed,
    window: Span,
    /// The newest fire that may have started by now, jitter included.
    until: Instant,
    /// The oldest fire that the catch-up window lets run.
    oldest: Instant,
    /// The fire waited for the pool, so it was not missed however late it is.
    held: bool,
}

impl Judge {
    fn new(task: &Task, progress: &Progress, now: Instant) -> Self {
        let policy = &task.spec.policy;
        let back = |span: Span| now.checked_sub_signed(span.delta());
        Self {
            missed: policy.missed,
            window: policy.catch_up_window,
            until: back(jitter::offset(task.id, policy)).unwrap_or(now),
            oldest: back(policy.catch_up_window).unwrap_or(Instant::MIN_UTC),
            held: progress.wake_at.is_none(),
        }
    }

    fn is_due(&self, fire: Instant) -> bool {
        fire <= self.until
    }

    /// How many of the newest fires could run.
    fn most(&self) -> usize {
        match self.missed {
            Missed::All(count) => (count as usize).max(1),
            Missed::Latest | Missed::Skip => 1,
        }
    }

    /// Due fires in order and what comes next: enough to know of the first
    /// [`BATCH`] whether they are among the newest that could run.
    fn collect(
        &self,
        first: Instant,
        next_after: impl Fn(Instant) -> Option<Instant>,
    ) -> (Vec<Instant>, Option<Instant>) {
        let enough = BATCH.saturating_add(self.most());
        let mut due = Vec::new();
        let mut next = Some(first);
        while let Some(fire) = next.filter(|fire| self.is_due(*fire)) {
            let too_old = due.len() == BATCH && fire < self.oldest;
            if too_old || due.len() == enough {
                break;
            }
            due.push(fire);
            next = next_after(fire);
        }
        (due, next)
    }

    /// The fires of a complete list that run: a tail of it.
    fn runs(&self, due: &[Instant]) -> Vec<Instant> {
        let Some(newest) = due.last() else {
            return Vec::new();
        };
        let on_time = self.held || self.until - *newest <= GRACE;
        let most = match self.missed {
            _ if on_time => self.most(),
            Missed::Skip => 0,
            Missed::Latest => 1,
            Missed::All(count) => count as usize,
        };
        let tail = &due[due.len().saturating_sub(most)..];
        let fits = |fire: &Instant| *fire >= self.oldest || (on_time && fire == newest);
        tail.iter().copied().filter(fits).collect()
    }

    /// The row of a fire that does not run, given the newest one that does.
    fn passed(&self, fire_at: Instant, newest: Option<Instant>) -> Passed {
        let late = Span((self.until - fire_at).to_std().unwrap_or_default());
        let (outcome, reason) = match (self.missed, newest) {
            (Missed::Skip, Some(newest)) => (
                Outcome::Skipped,
                format!(
                    "missed by {late}, and the newer fire of {} is next: `missed = \"skip\"`",
                    rfc3339(newest)
                ),
            ),
            (Missed::Skip, None) => (
                Outcome::Skipped,
                format!("missed by {late}: `missed = \"skip\"`"),
            ),
            _ if fire_at < self.oldest => (
                Outcome::Coalesced,
                format!(
                    "missed by {late}: older than the catch-up window of {}",
                    self.window
                ),
            ),
            (Missed::All(count), _) => (
                Outcome::Coalesced,
                format!("missed by {late}: only the newest {count} run"),
            ),
            (Missed::Latest, Some(newest)) => (
                Outcome::Coalesced,
                format!("coalesced into the newer fire of {}", rfc3339(newest)),
            ),
            (Missed::Latest, None) => {
                (Outcome::Coalesced, "coalesced into a newer fire".to_owned())
            }
        };
        Passed {
            fire_at,
            outcome,
            reason,
        }
    }
}

fn rfc3339(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
