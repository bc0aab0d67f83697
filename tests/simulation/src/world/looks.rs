//! A look at what is due: rules 2, 3, 4 and 9.

use std::collections::{BTreeMap, BTreeSet};

use mhost_model::policy::{Missed, Overlap};
use mhost_model::run::{Outcome, Run, RunState, Trigger};
use mhost_model::{Name, NodeId, RunId, Span, TaskId};
use mhost_store::{Claim, ClaimDue, Claimed, TaskStore};

use super::rows::was_missed;
use super::{Attempt, Checked, LEASE, Lease, OTHERS, World, at, hold, is_running};
use crate::calendar;
use crate::model::Task;

/// A look that does not come to rest after so many claims spins.
const CLAIMS: usize = 2_000;

/// One transaction settles so many fires.
const BATCH: usize = 1_000;

/// A task before the look.
struct Before {
    task: Task,
    due: Vec<i64>,
    /// Without those that are overtaken.
    open: Vec<Run>,
    /// Waiting for a retry that was meant for before the next fire, which is due.
    overtaken: Vec<Run>,
}

impl World {
    /// Claims until nothing more is due, and judges the whole.
    pub async fn look(&mut self) -> Checked {
        let node = self.any_node();
        let before = self.before();
        let newest = self.runs.keys().next_back().copied().unwrap_or(RunId(0));
        let mut cancel = BTreeSet::new();
        for claims in 0.. {
            hold!(
                2,
                claims < CLAIMS,
                "looks at what is due never come to rest"
            );
            let claimed = self.claim(node).await?;
            cancel.extend(claimed.cancel.iter().copied());
            let wake = claimed.next_wake;
            if !claimed.more && wake.is_none_or(|wake| wake > at(self.now)) {
                break;
            }
        }
        self.cancel_attempts(&cancel);
        self.nothing_is_overdue()?;
        let mut before = before.iter();
        let judged = before.try_for_each(|before| self.judge(before, newest, &cancel));
        if judged.is_err() {
            // A row that is missing altogether is not merely late.
            self.prove().await?;
        }
        judged?;
        self.nothing_idles()?;
        self.check_progress(2).await?;
        if self.dice.one_in(5) {
            self.quiet(node).await?;
        }
        Ok(())
    }

    pub fn any_node(&mut self) -> NodeId {
        match self.dice.below(3) {
            0 => self.store().node(),
            other => NodeId(OTHERS + other),
        }
    }

    fn before(&self) -> Vec<Before> {
        let tasks = self.tasks.values();
        let before = tasks.map(|task| {
            let open = self.open_of(task.id).into_iter().cloned();
            let (overtaken, open) = open.partition(|run| task.overtakes(run, self.now));
            Before {
                due: task.due(self.now),
                open,
                overtaken,
                task: task.clone(),
            }
        });
        before.collect()
    }

    /// Rule 8: retries end before the next fire.
    fn judge_overtaken(&self, before: &Before, free: u32) -> Checked {
        for run in &before.overtaken {
            let after = &self.runs[&run.id];
            hold!(
                8,
                after.attempt == run.attempt,
                "tried again although the next fire was due: {run:?} {after:?}"
            );
            // A task that waits for a full pool is not looked at.
            hold!(
                8,
                after.outcome().is_some() || free == 0,
                "it still waits for a retry: {after:?}"
            );
        }
        Ok(())
    }

    /// One claim: rule 4 as to what starts.
    async fn claim(&mut self, node: NodeId) -> Checked<Claimed> {
        let slots = self.slots();
        let request = ClaimDue {
            node,
            slots,
            lease: Span(std::time::Duration::from_millis(LEASE as u64)),
            limit: *self.dice.pick(&[1, 3, 100, 1000]),
        };
        let claimed = self.store().claim_due(request).await.unwrap();
        let names = claimed
            .start
            .iter()
            .map(|claim| claim.run.task_name.as_str());
        let names = names.collect::<Vec<_>>().join(" ");
        if !names.is_empty() || !claimed.cancel.is_empty() || !claimed.passed.is_empty() {
            let (passed, cancel) = (claimed.passed.len(), &claimed.cancel);
            self.note(format!(
                "claimed by {node:?}: starts {names}; {passed} passed; cancels {cancel:?}"
            ));
        }
        for claim in &claimed.start {
            self.started_beside_nobody(claim)?;
            self.start(claim, node, true)?;
        }
        self.observe().await?;
        Ok(claimed)
    }

    /// What the caller says of the pools; the store knows those that are left out.
    fn slots(&mut self) -> BTreeMap<Name, u32> {
        let names: Vec<String> = self.pools.keys().cloned().collect();
        let mut slots = BTreeMap::new();
        for name in names {
            if !self.dice.one_in(4) {
                slots.insert(name.parse().unwrap(), self.free(&name));
            }
        }
        slots
    }

    /// Rule 4: one run of a task at a time, unless it says otherwise.
    fn started_beside_nobody(&self, claim: &Claim) -> Checked {
        let id = claim.run.task.unwrap();
        let task = &self.tasks[&id];
        let mut on = self.leases.iter();
        let living = on.find(|(_, lease)| lease.task == Some(id));
        let beside = task.policy().overlap == Overlap::Allow;
        hold!(
            4,
            beside || living.is_none(),
            "run {} of `{}` started beside {living:?}",
            claim.run.id,
            task.name
        );
        hold!(4, !task.quarantined, "`{}` ran in quarantine", task.name);
        Ok(())
    }

    /// Takes note of an attempt that began. Rule 4: a pool takes so many and no more.
    pub fn start(&mut self, claim: &Claim, node: NodeId, in_pool: bool) -> Checked {
        let run = &claim.run;
        let task = run.task.and_then(|task| self.tasks.get(&task));
        let pool = task.map_or("default", |task| task.policy().pool.as_str());
        let pool = pool.to_owned();
        hold!(
            4,
            !in_pool || self.free(&pool) > 0,
            "run {} started in the full pool `{pool}`",
            run.id
        );
        let lease = Lease {
            task: run.task.filter(|_| !run.dry_run),
            node,
            until: self.now + LEASE,
            pool,
        };
        self.leases.insert(run.id, lease);
        let span = *self.dice.pick(&[3_000, 40_000, 150_000, 4_000_000]);
        self.attempts.push(Attempt {
            key: claim.key(),
            node,
            ends: self.now + self.dice.range(0, span),
            cancelled: false,
        });
        Ok(())
    }

    pub fn cancel_attempts(&mut self, cancel: &BTreeSet<RunId>) {
        let attempts = self.attempts.iter_mut();
        for attempt in attempts.filter(|attempt| cancel.contains(&attempt.key.run)) {
            attempt.cancelled = true;
        }
    }

    /// Rules 1, 3 and 4 for one task.
    fn judge(&mut self, before: &Before, newest: RunId, cancel: &BTreeSet<RunId>) -> Checked {
        let task = &before.task;
        let free = self.free(task.policy().pool.as_str());
        self.judge_overtaken(before, free)?;
        let rows = self.runs.range(RunId(newest.0 + 1)..).map(|(_, run)| run);
        let rows = rows.filter(|run| run.task == Some(task.id) && run.trigger == Trigger::Timer);
        let rows = rows.filter(|run| !self.passed.contains(&run.id));
        let mut rows: Vec<Run> = rows.cloned().collect();
        rows.sort_by_key(|run| run.fire_at);
        let (name, due) = (&task.name, &before.due);
        hold!(
            9,
            rows.len() <= due.len(),
            "`{name}` fired before its time: {:?} of {due:?}",
            rows.last()
        );
        let passed = self.passed(before, &rows);
        // A task that waits for a full pool is not looked at.
        hold!(
            3,
            rows.len() >= passed || (task.held && free == 0),
            "`{name}`: {passed} of {:?} were missed, but only {} have a row; held {}, {free} slots, {:?}",
            due.iter().map(|fire| at(*fire)).collect::<Vec<_>>(),
            rows.len(),
            task.held,
            before.open
        );
        for (place, run) in rows.iter().enumerate() {
            let missed = place < passed;
            hold!(
                3,
                was_missed(run) == missed,
                "`{name}` ({:?}, held {}): is this fire, one of {}, missed? {run:?}",
                task.policy().missed,
                task.held,
                due.len()
            );
            let outcome = match task.policy().missed {
                Missed::Skip => Outcome::Skipped,
                _ => Outcome::Coalesced,
            };
            hold!(
                3,
                !missed || run.outcome() == Some(outcome),
                "`{name}`: a missed fire ended so: {run:?}"
            );
        }
        self.tally.missed += passed.min(rows.len());
        let left = due.len() - rows.len();
        hold!(
            4,
            left == 0 || free == 0,
            "`{name}`: {left} fires wait although its pool has {free} free slots"
        );
        // In quarantine nobody looks at it: it waits as it did.
        let looked = self.tasks.get_mut(&task.id);
        if let Some(task) = looked.filter(|task| !task.quarantined) {
            if !due.is_empty() {
                (task.held, task.doubt) = (left > 0, false);
            }
            task.reconsider(self.now);
        }
        self.judge_overlap(before, rows.get(passed..).unwrap_or_default(), left, cancel)
    }

    /// Rule 3: how many of the oldest due times were missed. Where that is in doubt, as
    /// many as the rows say, if that is one of the answers.
    fn passed(&self, before: &Before, rows: &[Run]) -> usize {
        let (task, due) = (&before.task, &before.due);
        let passed = |held| due.len() - task.run(due, self.now, held);
        let missed = rows.iter().filter(|run| was_missed(run)).count();
        match passed(false) {
            // Of more fires than one transaction settles, the first ones end what was held.
            other if (task.doubt || due.len() > BATCH) && other == missed => other,
            _ => passed(task.held),
        }
    }

    /// Rule 4 for the fires that were not missed.
    fn judge_overlap(
        &self,
        before: &Before,
        rows: &[Run],
        left: usize,
        cancel: &BTreeSet<RunId>,
    ) -> Checked {
        let Some((first, rest)) = rows.split_first() else {
            return Ok(());
        };
        let task = &before.task;
        let (name, overlap) = (&task.name, task.policy().overlap);
        let living = !before.open.is_empty();
        let all = || format!("`{name}` ({overlap:?}, living {:?}): {rows:?}", before.open);
        match (overlap, task.places()) {
            (Overlap::Allow, _) => {
                hold!(4, rows.iter().all(is_running), "not all run: {}", all());
            }
            (Overlap::CancelPrevious, _) => {
                let older = rows.len() - usize::from(left == 0);
                let skipped = rows[..older].iter().all(is_skipped);
                let newest = rows[older..].iter().all(|run| run.outcome().is_none());
                hold!(4, skipped && newest, "not the newest alone: {}", all());
                let cancelled =
                    |run: &Run| cancel.contains(&run.id) || self.runs[&run.id].outcome().is_some();
                let gone = left > 0 || before.open.iter().all(cancelled);
                hold!(4, gone, "the previous ones go on: {}", all());
            }
            (_, Some(places)) if living => {
                let queued = |run: &&Run| run.state == RunState::Queued;
                let waited = before.open.iter().filter(queued).count();
                let skipped = rows.iter().filter(|run| is_skipped(run)).count();
                let behind = rows.len() - skipped;
                let none_runs = !rows.iter().any(is_running);
                hold!(4, none_runs, "a fire runs beside: {}", all());
                hold!(4, behind <= places, "too many wait: {}", all());
                let full = behind + waited >= places;
                hold!(4, skipped == 0 || full, "skipped for nothing: {}", all());
            }
            _ => {
                let waits = |run: &Run| run.state == RunState::Queued;
                let in_turn = is_running(first) && rest.iter().all(waits);
                hold!(4, in_turn, "not one after another: {}", all());
            }
        }
        Ok(())
    }

    /// Rule 1: once nothing more is to be done, what was overdue has its rows.
    fn nothing_is_overdue(&mut self) -> Checked {
        self.overdue.retain(|_, overdue| !overdue.is_empty());
        let without = &self.overdue;
        hold!(
            1,
            without.is_empty(),
            "overdue fires have no row: {without:?}"
        );
        Ok(())
    }

    /// Rule 4: no slot is free while somebody could take it.
    fn nothing_idles(&self) -> Checked {
        for task in self.tasks.values().filter(|task| !task.quarantined) {
            if self.free(task.policy().pool.as_str()) == 0 {
                continue;
            }
            let mut open = self.open_of(task.id);
            let may =
                |run: &&Run| is_running(run) || task.enabled || run.trigger == Trigger::Manual;
            open.retain(may);
            let ready = |run: &&&Run| match run.state {
                RunState::Queued => true,
                RunState::Waiting { retry_at } => retry_at <= at(self.now),
                _ => false,
            };
            let idle = match task.policy().overlap {
                Overlap::Allow => open.iter().find(ready),
                _ if open.iter().any(|run| is_running(run)) => None,
                _ => open.first().filter(ready),
            };
            hold!(
                4,
                idle.is_none(),
                "`{}` could run, and its pool has room: {idle:?}",
                task.name
            );
        }
        Ok(())
    }

    /// Rule 2: the same question again, from anybody, changes nothing.
    async fn quiet(&mut self, node: NodeId) -> Checked {
        let node = match node.0 {
            own if own < OTHERS => NodeId(OTHERS + 1),
            _ => self.store().node(),
        };
        let claimed = self.claim(node).await?;
        let nothing = claimed.start.is_empty() && claimed.passed.is_empty();
        hold!(2, nothing, "the second look found something: {claimed:?}");
        Ok(())
    }

    /// Rules 2, 5, 6 and 9: each task's next due time is the one that follows from its
    /// schedule and its newest fire, and its offset is for ever.
    pub async fn check_progress(&mut self, rule: u8) -> Checked {
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        for id in ids {
            let status = self.store().task_by_id(id).await.unwrap();
            let Some(status) = status else {
                hold!(1, false, "task {id} is gone");
                continue;
            };
            let progress = status.progress;
            let found = progress.next_due.map(|due| due.timestamp_millis());
            let task = self.tasks.get_mut(&id).unwrap();
            let reach = calendar::reach(task.last.unwrap_or(0).max(self.now));
            let same = match (found, task.next) {
                (Some(found), None) => found > reach,
                (found, next) => found == next,
            };
            let back = found < task.next && task.last > Some(self.now);
            let rule = match rule {
                2 if back => 6,
                3 if task.zoned() => 5,
                rule => rule,
            };
            hold!(
                rule,
                same,
                "`{}` ({:?}) is next due at {:?}, not {:?}; its newest fire is {:?}",
                task.name,
                task.spec.schedule,
                progress.next_due,
                task.next.map(at),
                task.last.map(at)
            );
            if let (Some(due), Some(wake)) = (progress.next_due, progress.wake_at) {
                let (offset, jitter) = ((wake - due).num_milliseconds(), task.policy().jitter);
                let known = *self.offsets.entry((id, jitter)).or_insert(offset);
                let most = jitter.map_or(0, |most| most.0.as_millis() as i64);
                hold!(
                    9,
                    offset == known && (0..=most).contains(&offset),
                    "`{}` starts {offset} ms after its due time, not {known}",
                    task.name
                );
                task.offset = Some(offset);
            }
        }
        Ok(())
    }
}

fn is_skipped(run: &Run) -> bool {
    run.outcome() == Some(Outcome::Skipped)
}
