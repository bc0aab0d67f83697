//! Claiming what is due, and handing out what waited for a slot.
//!
//! Only tasks that the agenda names are looked at: first those that wait in a pool
//! with a free slot, oldest fire first, then those whose time has come. A task that
//! could not go on is put among the waiting, so no instant brings it back, but a
//! completion does.

mod look;

use std::collections::BTreeMap;
use std::ops::Bound;

use mhost_model::plugin::Digest;
use mhost_model::resource::PoolDef;
use mhost_model::run::{Run, RunState, Trigger};
use mhost_model::task::{Task, TaskSpec};
use mhost_model::{Fence, Instant, Name, RunId, TaskId};
use redb::ReadableTable;

use super::edit::POOL;
use super::held::Held;
use super::read::parse_name;
use super::record::{Row, RunningRec, decode, get, instant};
use super::trouble::Res;
use super::tx::{Claimant, Tx};
use crate::{Claim, ClaimDue, Claimed};

/// Why a run is cancelled under the overlap policy `cancel-previous`.
pub const SUPERSEDED: &str = "a newer run takes its place";

/// One call of `claim_due`.
struct Round {
    by: Claimant,
    /// Free slots of the pools that were asked about.
    slots: BTreeMap<Name, u32>,
    limit: usize,
    /// Tasks that were looked at because they were due.
    looked: usize,
    done: Claimed,
}

impl Round {
    fn full(&self) -> bool {
        let rows = self.done.start.len() + self.done.passed.len();
        rows.max(self.looked) >= self.limit
    }
}

impl Tx<'_> {
    pub fn claim_due(&mut self, request: &ClaimDue) -> Res<Claimed> {
        let mut round = Round {
            by: Claimant {
                node: request.node,
                lease: request.lease,
            },
            slots: request.slots.clone(),
            limit: request.limit.max(1),
            looked: 0,
            done: Claimed::default(),
        };
        if std::mem::take(&mut self.memory.fresh) {
            self.end_waits()?;
        }
        // What is asked for from here on may come too late for this look.
        self.memory.stirred = false;
        self.settle_some_arrears(super::era::BATCH)?;
        // Before anything starts: what starts late now has not started in time.
        let more = self.look_around(round.limit)?;
        self.claim_waiting(&mut round)?;
        self.claim_timed(&mut round)?;
        let mut done = round.done;
        done.more |= more;
        done.cancel.append(&mut self.memory.cancel);
        done.cancel.sort();
        done.cancel.dedup();
        self.memory.stirred |= done.more;
        done.next_wake = self.next_wake()?;
        Ok(done)
    }

    /// After an opening: what waited for a slot in a process that is gone has not waited since,
    /// so rule 3 judges it by how late it is.
    fn end_waits(&mut self) -> Res<()> {
        let waiting = self.tables.waiting.iter()?;
        let waiting = waiting.map(|row| Ok(row?.0.value().2));
        for id in waiting.collect::<Res<Vec<u64>>>()? {
            let mut held = self.take_indexed(TaskId(id))?;
            if self.end_wait(&mut held) {
                self.put_back(held)?;
            }
        }
        Ok(())
    }

    /// A fire that waited for a slot is due at its own time again; whether there was one.
    pub fn end_wait(&self, held: &mut Held) -> bool {
        let waits = held.task.enabled && held.progress.wake_at.is_none();
        let Some(due) = held.progress.next_due.filter(|_| waits) else {
            return false;
        };
        let (next, wake) = self.armed(held, due - 1);
        let same = next == Some(due);
        held.progress.wake_at = wake.filter(|_| same).or(Some(due));
        true
    }

    fn claim_waiting(&mut self, round: &mut Round) -> Res<()> {
        let mut pool = self.waiting_pool(None)?;
        while let Some(name) = pool {
            self.claim_from(&name, round)?;
            pool = self.waiting_pool(Some(&name))?;
        }
        Ok(())
    }

    /// The next pool, in the order of names, in which somebody waits.
    fn waiting_pool(&self, after: Option<&Name>) -> Res<Option<Name>> {
        let bound = match after {
            Some(name) => Bound::Excluded((name.as_str(), i64::MAX, u64::MAX)),
            None => Bound::Unbounded,
        };
        let range = (bound, Bound::Unbounded);
        let mut rows = self.tables.waiting.range::<(&str, i64, u64)>(range)?;
        let Some(row) = rows.next().transpose()? else {
            return Ok(None);
        };
        parse_name(row.0.value().0).map(Some)
    }

    fn claim_from(&mut self, pool: &Name, round: &mut Round) -> Res<()> {
        let mut last = (i64::MIN, 0);
        while self.free(round, pool)? > 0 {
            let Some(next) = self.waiting_after(pool, last)? else {
                return Ok(());
            };
            if round.full() {
                round.done.more = true;
                return Ok(());
            }
            self.look_at(TaskId(next.1), round)?;
            last = next;
        }
        Ok(())
    }

    fn waiting_after(&self, pool: &Name, (since, task): (i64, u64)) -> Res<Option<(i64, u64)>> {
        let pool = pool.as_str();
        let range = (
            Bound::Excluded((pool, since, task)),
            Bound::Included((pool, i64::MAX, u64::MAX)),
        );
        let mut rows = self.tables.waiting.range::<(&str, i64, u64)>(range)?;
        let row = rows.next().transpose()?;
        Ok(row.map(|(key, _)| {
            let (_, since, task) = key.value();
            (since, task)
        }))
    }

    fn claim_timed(&mut self, round: &mut Round) -> Res<()> {
        while let Some((at, task)) = self.first_due()? {
            if at > self.now_ms() {
                break;
            }
            if round.full() {
                round.done.more = true;
                break;
            }
            round.looked += 1;
            self.look_at(TaskId(task), round)?;
        }
        Ok(())
    }

    pub fn first_due(&self) -> Res<Option<(i64, u64)>> {
        Ok(self.tables.due.first()?.map(|(key, _)| key.value()))
    }

    /// Free slots of a pool: as the caller says, else its size less what is on.
    fn free(&self, round: &mut Round, pool: &Name) -> Res<u32> {
        if let Some(free) = round.slots.get(pool) {
            return Ok(*free);
        }
        let size: Option<PoolDef> = get(&*self.tables.definitions, (POOL, pool.as_str()))?;
        let mut free = size.map_or(1, |pool| pool.size);
        for row in self.tables.running.iter()? {
            let claim: RunningRec = decode(row?.1.value())?;
            free = free.saturating_sub(u32::from(claim.pool == pool.as_str()));
        }
        round.slots.insert(pool.clone(), free);
        Ok(free)
    }
}

/// The claim of a run of a task.
pub fn claim_of(held: &Held, row: Row) -> Claim {
    let last_success = held.progress.last_success;
    Claim {
        run: row.run,
        task: Some(held.task.clone().into()),
        previous_success: last_success.and_then(|at| instant(at).ok()),
    }
}

/// A run of a task before anything has become of it.
pub fn draft(task: &Task, trigger: Trigger, fire_at: Instant) -> Run {
    Run {
        task: Some(task.id),
        ..drafted(&task.name, &task.spec, task.pin, trigger, fire_at)
    }
}

/// The same for a spec that is no stored task's.
pub fn drafted(
    name: &Name,
    spec: &TaskSpec,
    digest: Digest,
    trigger: Trigger,
    fire_at: Instant,
) -> Run {
    Run {
        id: RunId(0),
        task: None,
        task_name: name.clone(),
        plugin: spec.plugin.clone(),
        action: spec.action.clone(),
        digest: Some(digest),
        trigger,
        dry_run: false,
        fire_at,
        fence: Fence(0),
        attempt: 0,
        state: RunState::Queued,
        reason: None,
        started_at: None,
        finished_at: None,
        report: None,
        receipt: None,
        error: None,
    }
}
