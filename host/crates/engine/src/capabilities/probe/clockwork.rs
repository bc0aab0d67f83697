//! What every probe keeps: its deadline, how long each phase took, and the certificate
//! that ended it.

use std::time::{Duration, Instant};

use mhost_model::{Fault, FaultResult};
use tokio::time::timeout_at;

use super::contract::{Phases, TlsFacts};
use super::nanos;

/// When a probe began, when it must be over, and what it did so far.
#[derive(Debug)]
pub(super) struct Clockwork {
    begun: Instant,
    until: Instant,
    limit: Duration,
    phases: Phases,
    refused: Option<TlsFacts>,
}

impl Clockwork {
    pub(super) fn new(until: Instant) -> Self {
        let begun = Instant::now();
        let phases = Phases {
            resolve: 0,
            connect: 0,
            handshake: 0,
            first_byte: 0,
            transfer: 0,
            total: 0,
        };
        Self {
            begun,
            until,
            limit: until.saturating_duration_since(begun),
            phases,
            refused: None,
        }
    }

    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Waits for one step, and no longer than there is time.
    pub(super) async fn step<T>(
        &self,
        about: &str,
        doing: &str,
        work: impl Future<Output = T>,
    ) -> FaultResult<T> {
        let done = timeout_at(self.until.into(), work).await;
        done.map_err(|_| self.late(about, doing))
    }

    /// That the time was up.
    pub(super) fn late(&self, about: &str, doing: &str) -> Fault {
        Fault::TimedOut(format!(
            "{about}: the time of {:?} was up while {doing}",
            rounded(self.limit)
        ))
    }

    pub(super) fn dialed(&mut self, resolve: Duration, connect: Duration) {
        self.phases.resolve += nanos(resolve);
        self.phases.connect += nanos(connect);
    }

    pub(super) fn shaken(&mut self, since: Instant) {
        self.phases.handshake += nanos(since.elapsed());
    }

    /// The peer showed a certificate that is not trusted, so nothing more is said to it.
    pub(super) fn refuse(&mut self, facts: TlsFacts) {
        self.refused = Some(facts);
    }

    pub(super) fn refused(self) -> Option<TlsFacts> {
        self.refused
    }

    pub(super) fn first_byte(&mut self, since: Instant) {
        self.phases.first_byte += nanos(since.elapsed());
    }

    pub(super) fn transferred(&mut self, since: Instant) {
        self.phases.transfer += nanos(since.elapsed());
    }

    pub(super) fn phases(&self) -> Phases {
        Phases {
            total: nanos(self.begun.elapsed()),
            ..self.phases
        }
    }
}

/// As it was asked for: the moments until it was looked at are not part of it.
fn rounded(limit: Duration) -> Duration {
    let millis = limit.as_micros().div_ceil(1000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
