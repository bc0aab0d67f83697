//! What the loop knows of a run that is on.

use mhost_engine::Cancel;
use mhost_model::run::Trigger;
use mhost_model::{Instant, Name};
use mhost_store::{Claim, ClaimKey};

use crate::execute::Stale;

pub struct Live {
    pub key: ClaimKey,
    pub pool: Name,
    pub fire_at: Instant,
    trigger: Trigger,
    pub cancel: Cancel,
    pub stale: Stale,
}

impl Live {
    /// Ends an attempt whose claim is another's by now: nothing it does from here on
    /// counts, or reaches the outside.
    pub fn cut_off(&self) {
        self.stale.set();
        self.cancel.cancel();
    }

    pub fn new(claim: &Claim, pool: Name) -> Self {
        Self {
            key: claim.key(),
            pool,
            fire_at: claim.run.fire_at,
            trigger: claim.run.trigger,
            cancel: Cancel::default(),
            stale: Stale::default(),
        }
    }

    /// When it was due, and whether another run or a change set it off.
    pub fn due(&self) -> (Instant, bool) {
        let follows = matches!(self.trigger, Trigger::Dependency | Trigger::Change);
        (self.fire_at, follows)
    }
}
