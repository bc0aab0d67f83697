//! What the loop knows of a run that is on.

use mhost_engine::Cancel;
use mhost_model::{Instant, Name};
use mhost_store::{Claim, ClaimKey};

use crate::execute::Stale;

pub struct Live {
    pub key: ClaimKey,
    pub pool: Name,
    pub fire_at: Instant,
    pub cancel: Cancel,
    pub stale: Stale,
}

impl Live {
    pub fn new(claim: &Claim, pool: Name) -> Self {
        Self {
            key: claim.key(),
            pool,
            fire_at: claim.run.fire_at,
            cancel: Cancel::default(),
            stale: Stale::default(),
        }
    }
}
