//! A permit: what it proves, and how its use gets onto the receipt.

use std::ops::Deref;
use std::sync::Arc;

use super::OriginUse;
use crate::meter::Meter;
use crate::network::{DialError, Dialed};
use crate::state::Shared;

/// The proof that `C` was granted to this run.
#[derive(Debug, Clone)]
pub struct Permit<C> {
    pub(super) what: C,
    /// Where the grant stands in the configuration.
    pub(super) place: String,
    pub(super) verb: String,
    pub(super) meter: Arc<Meter>,
}

impl<C> Deref for Permit<C> {
    type Target = C;
    fn deref(&self) -> &C {
        &self.what
    }
}

impl<C> Permit<C> {
    /// Puts the use on the receipt: when the verb succeeded, or, where already trying it
    /// reaches something outside, before it is tried.
    pub fn used(&self) {
        self.meter.used(&self.place, &self.verb, None);
    }

    /// Puts on the receipt that opening it was tried, which is no verb of the grant.
    pub fn tried(&self) {
        self.meter.used(&self.place, "open", None);
    }

    pub(crate) fn verb_word(&self) -> &str {
        &self.verb
    }

    /// The same, of a part of the grant: a table, an origin.
    pub fn used_part(&self, part: &str) {
        self.meter.used(&self.place, &self.verb, Some(part));
    }
}

impl Permit<OriginUse> {
    /// Connects, and puts on the receipt that this origin was tried and, unless nothing went
    /// out, that it was reached out to: one that refuses or is silent counts, too.
    pub(crate) async fn reaching(
        &self,
        shared: &Shared,
        dialing: impl Future<Output = Result<Dialed, DialError>>,
    ) -> Result<Dialed, DialError> {
        let origin = self.origin.to_string();
        self.used_part(&origin);
        let dialed = dialing.await;
        if dialed.as_ref().map_or_else(DialError::went_out, |_| true) {
            shared.meter.reached(origin);
        }
        dialed
    }
}
