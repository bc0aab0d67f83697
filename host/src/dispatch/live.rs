//! What the loop knows of a run that is on.

use mhost_engine::Cancel;
use mhost_model::run::Trigger;
use mhost_model::schedule::Schedule;
use mhost_model::{Instant, Name};
use mhost_store::{Claim, ClaimKey};

use super::events::TickWaiter;
use crate::execute::Stale;

pub struct Live {
    pub key: ClaimKey,
    pub pool: Name,
    pub fire_at: Instant,
    trigger: Trigger,
    /// The task whose ends set off this one's runs.
    after: Option<Name>,
    pub cancel: Cancel,
    pub stale: Stale,
}

impl Live {
    /// Ends an attempt whose claim is another's by now: nothing it does from here on
    /// counts, or reaches the outside.
    pub fn cut_off(&self) {
        self.stale.set();
        self.cancel.cancel("its claim was taken over");
    }

    pub fn new(claim: &Claim, pool: Name) -> Self {
        Self {
            key: claim.key(),
            pool,
            fire_at: claim.run.fire_at,
            trigger: claim.run.trigger,
            after: claim
                .task
                .as_ref()
                .and_then(|task| match &task.spec.schedule {
                    Schedule::After { after, .. } => Some(after.clone()),
                    _ => None,
                }),
            cancel: Cancel::default(),
            stale: Stale::default(),
        }
    }

    /// Whether a tick waits for it: it was due when the tick was asked for, or was set off by
    /// the end of such a run. A service goes on with later ones for itself.
    pub fn belongs_to(&self, tick: &TickWaiter, service: bool) -> bool {
        match (self.trigger, &self.after) {
            (Trigger::Dependency, Some(after)) => {
                let end = tick.ended.get(after);
                end.is_some_and(|end| self.fire_at <= *end)
            }
            (Trigger::Change, _) if !service => true,
            _ => self.fire_at <= tick.asked_at,
        }
    }
}
