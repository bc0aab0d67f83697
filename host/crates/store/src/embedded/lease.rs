//! Leases: extending them, and ending the claims of the dead. And when there is
//! something to do again.

use mhost_model::plan::Ended;
use mhost_model::{Instant, RunId, Span};
use redb::{ReadableTable, ReadableTableMetadata};

use super::record::{RunningRec, decode, encode, get, instant, millis};
use super::trouble::{Res, Trouble};
use super::tx::Tx;
use crate::{ClaimKey, Completed};

impl Tx<'_> {
    pub fn renew(&mut self, keys: &[ClaimKey], lease: Span) -> Res<Vec<bool>> {
        let until = millis(self.lease_end(lease));
        keys.iter().map(|key| self.renew_one(key, until)).collect()
    }

    fn renew_one(&mut self, key: &ClaimKey, until: i64) -> Res<bool> {
        let claim: Option<RunningRec> = get(&*self.tables.running, key.run.0)?;
        let Some(mut claim) = claim.filter(|claim| claim.fence == key.fence.0) else {
            return Ok(false);
        };
        claim.lease_until = until;
        let bytes = encode(&claim)?;
        self.tables.running.put(key.run.0, bytes.as_slice())?;
        Ok(true)
    }

    /// Ends the claims of former nodes, which are dead since only one process at a
    /// time holds the file, and those whose lease has ended.
    pub fn reap(&mut self) -> Res<Vec<Completed>> {
        let mut reaped = Vec::new();
        for id in self.dead()? {
            let row = self.row(id)?;
            let mut row = row.ok_or_else(|| Trouble::dangling("run", id))?;
            row.run.finished_at = Some(self.now);
            reaped.push(self.end_attempt(row, &Ended::Crashed, None)?);
        }
        let next_wake = self.next_wake()?;
        let completed = |run| Completed { run, next_wake };
        Ok(reaped.into_iter().map(completed).collect())
    }

    fn dead(&self) -> Res<Vec<RunId>> {
        let mut dead = Vec::new();
        for row in self.tables.running.iter()? {
            let (id, claim) = row?;
            if self.is_dead(&decode(claim.value())?) {
                dead.push(RunId(id.value()));
            }
        }
        Ok(dead)
    }

    fn is_dead(&self, claim: &RunningRec) -> bool {
        claim.node < self.node.0 || claim.lease_until <= self.now_ms()
    }

    /// When there is something to claim again.
    pub fn next_wake(&self) -> Res<Option<Instant>> {
        let stirred = self.memory.stirred && !self.tables.waiting.is_empty()?;
        if stirred || self.has_arrears()? {
            return Ok(Some(self.now));
        }
        let first = self.first_due()?.into_iter().chain(self.first_look()?);
        let at = first.map(|(at, _)| at).min();
        at.map(instant).transpose().map_err(Trouble::Damaged)
    }

    /// When there is something to claim or to reap again.
    pub fn wake_or_reap(&self) -> Res<Option<Instant>> {
        let mut wake = self.next_wake()?;
        for row in self.tables.running.iter()? {
            let claim: RunningRec = decode(row?.1.value())?;
            let at = match self.is_dead(&claim) {
                true => self.now,
                false => instant(claim.lease_until).map_err(Trouble::Damaged)?,
            };
            wake = Some(wake.map_or(at, |wake| wake.min(at)));
        }
        Ok(wake)
    }
}
