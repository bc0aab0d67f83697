//! Processes: they renew their leases, stop for too long, die, and begin anew.

use mhost_model::{RunId, Span};
use mhost_store::{ClaimKey, TaskStore};

use super::{Checked, LEASE, OTHERS, World, at, hold, open};

impl World {
    /// Rule 7: a claim that stands is extended, another one is not.
    pub async fn renew(&mut self) -> Checked {
        let node = self.any_node();
        let keys = self.attempts.iter().filter(|attempt| attempt.node == node);
        let keys: Vec<ClaimKey> = keys.map(|attempt| attempt.key).collect();
        let lease = Span(std::time::Duration::from_millis(LEASE as u64));
        let stands = self.store().renew(keys.clone(), lease).await.unwrap();
        self.note(format!("{node:?} renews {} leases", keys.len()));
        for (key, stands) in keys.iter().zip(stands) {
            let fence = self.runs[&key.run].fence;
            let lease = self.leases.get_mut(&key.run);
            let expected = lease.is_some() && fence == key.fence;
            hold!(
                7,
                stands == expected,
                "the claim of run {} with fence {} was renewed: {stands}",
                key.run,
                key.fence.0
            );
            if let Some(lease) = lease.filter(|_| stands) {
                lease.until = self.now + LEASE;
            }
        }
        self.observe().await?;
        Ok(())
    }

    /// A process is suspended, or cut off: most of its runs are never heard of again,
    /// some come back when their claim is another's.
    pub fn abandon(&mut self) -> Checked {
        let node = self.any_node();
        let (mut kept, mut late) = (Vec::new(), 0);
        for mut attempt in std::mem::take(&mut self.attempts) {
            if attempt.node != node {
                kept.push(attempt);
            } else if self.dice.one_in(2) {
                attempt.ends = self.now + 3 * LEASE;
                kept.push(attempt);
                late += 1;
            }
        }
        self.attempts = kept;
        self.note(format!("{node:?} stops; {late} of its runs come back late"));
        Ok(())
    }

    /// The process that holds the store is killed, and another one begins: everything
    /// that was answered is there, and its own claims are those of the dead.
    pub async fn crash(&mut self) -> Checked {
        let own = self.store().node();
        let before = self.store().tasks(None, usize::MAX).await.unwrap();
        let image = self.disk.image();
        drop(self.store.take());
        self.disk = image;
        self.store = Some(open(&self.disk, &self.clock, self.flaw));
        self.tally.crashes += 1;
        // Nobody waits any more; how late a fire is now decides.
        for task in self.tasks.values_mut() {
            (task.held, task.doubt) = (false, false);
        }
        self.note("the store's process is killed, and begins anew");
        let node = self.store().node();
        // One that changed nothing leaves no trace, and no claim.
        let lived = self.attempts.iter().any(|attempt| attempt.node == own);
        hold!(
            7,
            node > own || node == own && !lived,
            "{node:?} follows {own:?}"
        );
        hold!(7, node.0 < OTHERS, "{node:?} is another machine's");
        let after = self.store().tasks(None, usize::MAX).await.unwrap();
        hold!(7, before == after, "tasks changed: {before:?} {after:?}");
        let changes = self.observe().await?;
        hold!(7, changes.is_empty(), "rows changed: {changes:?}");
        if self.dice.one_in(4) {
            self.audit().await?;
        }
        if self.dice.one_in(2) {
            self.attempts.retain(|attempt| attempt.node != own);
        }
        Ok(())
    }

    /// Rule 2: whatever was asked for before is asked for again by another process at
    /// the same instant, several times over.
    pub async fn repeat(&mut self) -> Checked {
        for _ in 0..3 {
            self.look().await?;
        }
        let newest = self.runs.keys().next_back().copied();
        self.look().await?;
        let again = self.runs.keys().next_back().copied();
        let newest = newest.unwrap_or(RunId(0));
        hold!(
            2,
            again.unwrap_or(RunId(0)) == newest,
            "the same instant, {}, had more to give: {:?}",
            at(self.now),
            self.runs.range(newest..).nth(1)
        );
        Ok(())
    }
}
