//! The ledger, row by row: how a row may come, change and stay.

use std::collections::BTreeMap;

use mhost_model::run::{Outcome, Run, RunState, Trigger};
use mhost_model::schedule::{AfterOn, Schedule};
use mhost_model::{RunId, TaskId};
use mhost_store::{RunFilter, TaskStore};

use super::{Checked, World, at, hold, is_running};

/// Rows are read so many at a time.
const PAGE: usize = 64;

/// A row that is new or was changed.
#[derive(Debug)]
pub struct Change {
    pub before: Option<Run>,
    pub after: Run,
}

impl World {
    /// Reads what has changed since the last look at the ledger, and checks each change.
    pub async fn observe(&mut self) -> Checked<Vec<Change>> {
        let mut changes = Vec::new();
        let fences = self.fences.clone();
        for after in self.fresh().await {
            let before = self.runs.get(&after.id).cloned();
            if before.as_ref() == Some(&after) {
                continue;
            }
            self.admit(before.as_ref(), &after, &fences)?;
            match after.outcome() {
                Some(_) => self.open.remove(&after.id),
                None => self.open.insert(after.id),
            };
            if !is_running(&after) {
                self.leases.remove(&after.id);
            }
            self.runs.insert(after.id, after.clone());
            changes.push(Change { before, after });
        }
        self.set_off(&changes)?;
        Ok(changes)
    }

    /// Rows that were not over, then new ones; both oldest first.
    async fn fresh(&self) -> Vec<Run> {
        let newest = self.runs.keys().next_back().copied().unwrap_or(RunId(0));
        let mut fresh = BTreeMap::new();
        let mut before = None;
        loop {
            let filter = RunFilter {
                before,
                limit: PAGE,
                ..RunFilter::default()
            };
            let page = self.store().runs(filter).await.unwrap();
            before = page.last().map(|run| run.id);
            let last = page.len() < PAGE || before.is_none_or(|last| last <= newest);
            fresh.extend(page.into_iter().map(|run| (run.id, run)));
            if last {
                break;
            }
        }
        let read = fresh.keys().next().copied().unwrap_or(RunId(u64::MAX));
        for id in self.open.range(..read) {
            let run = self.store().run(*id).await.unwrap();
            fresh.insert(*id, run.unwrap());
        }
        // What one transaction wrote is in no order but that of the due times.
        let mut fresh: Vec<Run> = fresh.into_values().collect();
        fresh.sort_by_key(|run| (run.id > newest, run.fire_at, run.id));
        fresh
    }

    fn admit(
        &mut self,
        before: Option<&Run>,
        after: &Run,
        fences: &BTreeMap<TaskId, u64>,
    ) -> Checked {
        let id = after.id;
        match before {
            None if after.trigger == Trigger::Timer => self.admit_fire(after)?,
            None => {}
            Some(before) => {
                hold!(
                    1,
                    before.outcome().is_none(),
                    "run {id} was over, and has changed from {before:?} to {after:?}"
                );
                let same = (before.task, before.fire_at, before.trigger)
                    == (after.task, after.fire_at, after.trigger);
                hold!(1, same, "run {id} became another fire: {after:?}");
            }
        }
        if is_running(after) && before.is_none_or(|before| before.attempt != after.attempt) {
            self.admit_start(before, after, fences)?;
        }
        if let Some(outcome) = after.outcome() {
            let needs_reason = matches!(
                outcome,
                Outcome::Skipped | Outcome::Coalesced | Outcome::Lost
            );
            let told = after.reason.as_ref().is_some_and(|why| !why.is_empty());
            hold!(
                1,
                told || !needs_reason,
                "{outcome} without a reason: {after:?}"
            );
        }
        Ok(())
    }

    /// Rules 1 and 6: rows come in the order of the due times, without a gap.
    fn admit_fire(&mut self, run: &Run) -> Checked {
        let fire = run.fire_at.timestamp_millis();
        if self.admit_overdue(run, fire)? {
            return Ok(());
        }
        let task = run.task.and_then(|task| self.tasks.get_mut(&task));
        let Some(task) = task else {
            hold!(1, false, "a fire of no task: {run:?}");
            return Ok(());
        };
        let rule = if task.last >= Some(fire) { 6 } else { 1 };
        hold!(
            rule,
            task.next == Some(fire),
            "`{}` ({:?}) has a row for {}, but its next due time is {:?}",
            task.name,
            task.spec.schedule,
            run.fire_at,
            task.next.map(at)
        );
        task.fired(fire);
        Ok(())
    }

    /// Whether it is the row of a fire that was overdue when its schedule changed or ended.
    fn admit_overdue(&mut self, run: &Run, fire: i64) -> Checked<bool> {
        let overdue = run.task.and_then(|task| self.overdue.get_mut(&task));
        let Some(overdue) = overdue.filter(|overdue| overdue.front() == Some(&fire)) else {
            return Ok(false);
        };
        overdue.pop_front();
        self.passed.insert(run.id);
        let skipped = run.outcome() == Some(Outcome::Skipped);
        hold!(1, skipped, "an overdue fire is not skipped: {run:?}");
        Ok(true)
    }

    /// Rules 2 and 7: no attempt begins twice, and each has a newer fence.
    fn admit_start(
        &mut self,
        before: Option<&Run>,
        after: &Run,
        fences: &BTreeMap<TaskId, u64>,
    ) -> Checked {
        let expected = before.map_or(1, |before| before.attempt + 1);
        hold!(
            2,
            after.attempt == expected && self.begun.insert((after.id, after.attempt)),
            "attempt {} of {after:?} began after {before:?}",
            after.attempt
        );
        self.tally.starts += 1;
        self.tally.retries += usize::from(after.attempt > 1);
        if let Some(task) = after.task {
            let newest = fences.get(&task).copied().unwrap_or(0);
            let (fence, id) = (after.fence.0, after.id);
            hold!(
                7,
                fence > newest && self.fenced.insert((task, fence)),
                "fence {fence} of run {id} is not new: the newest was {newest}"
            );
            let known = self.fences.entry(task).or_default();
            *known = fence.max(*known);
        }
        Ok(())
    }

    /// The form `after`: an end that was tried asks for one run of each task that
    /// waits for it, in the same transaction.
    fn set_off(&mut self, changes: &[Change]) -> Checked {
        let mut expected: BTreeMap<TaskId, usize> = BTreeMap::new();
        for change in changes.iter().filter(|change| is_end(&change.after)) {
            let name = change.after.task.and_then(|task| self.tasks.get(&task));
            let Some(name) = name.map(|task| task.name.clone()) else {
                continue;
            };
            for task in self.tasks.values().filter(|task| task.enabled) {
                if waits_for(&task.spec.schedule, &name, change.after.outcome()) {
                    *expected.entry(task.id).or_default() += 1;
                }
            }
        }
        let mut found: BTreeMap<TaskId, usize> = BTreeMap::new();
        let new = changes.iter().filter(|change| change.before.is_none());
        for run in new.map(|change| &change.after) {
            if run.trigger == Trigger::Dependency {
                *found.entry(run.task.unwrap()).or_default() += 1;
            }
        }
        self.tally.set_off += found.values().sum::<usize>();
        hold!(
            1,
            found == expected,
            "dependents were set off as {found:?}, not {expected:?}, by {changes:?}"
        );
        Ok(())
    }

    /// The whole ledger and the whole file.
    pub async fn audit(&mut self) -> Checked {
        self.observe().await?;
        let all = RunFilter {
            limit: usize::MAX,
            ..RunFilter::default()
        };
        for run in self.store().runs(all).await.unwrap() {
            let known = self.runs.get(&run.id);
            hold!(
                1,
                known == Some(&run),
                "a row became another behind our back: {known:?} is {run:?}"
            );
        }
        self.prove().await?;
        let findings = self.store().verify().await.unwrap();
        hold!(1, findings.is_empty(), "the store is damaged: {findings:?}");
        Ok(())
    }
}

/// Whether this is the end of a run that was tried.
fn is_end(run: &Run) -> bool {
    run.outcome().is_some() && run.attempt > 0 && !run.dry_run
}

fn waits_for(schedule: &Schedule, name: &str, outcome: Option<Outcome>) -> bool {
    let Schedule::After { after, on } = schedule else {
        return false;
    };
    let good = outcome == Some(Outcome::Succeeded);
    let cancelled = outcome == Some(Outcome::Cancelled);
    let fits = match on {
        AfterOn::Succeeded => good,
        AfterOn::Failed => !good && !cancelled,
        AfterOn::Any => true,
    };
    after.as_str() == name && fits
}

/// Whether a row says that its fire was missed, and not merely in the way.
pub fn was_missed(run: &Run) -> bool {
    let missed = |reason: &String| reason.starts_with("missed by");
    match run.state {
        RunState::Settled {
            outcome: Outcome::Coalesced,
        } => true,
        RunState::Settled {
            outcome: Outcome::Skipped,
        } => run.reason.as_ref().is_some_and(missed),
        _ => false,
    }
}
