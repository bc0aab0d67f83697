//! What one run is told, together with the host that it can reach.

use std::ops::Deref;

pub use crate::bindings::exports::mhost::plugin::plugin::Context as Told;
use crate::log::Level;
use crate::progress::{State, Unit};
use crate::{Failure, Host};

/// The run at hand. It dereferences to the [`Host`], so that `context.files()`
/// and its kin are at hand.
pub struct Context<'h> {
    told: Told,
    host: &'h dyn Host,
}

impl<'h> Context<'h> {
    pub fn new(told: Told, host: &'h dyn Host) -> Self {
        Self { told, host }
    }

    /// The action, one of the manifest's.
    pub fn action(&self) -> &str {
        &self.told.action
    }

    /// The task's name.
    pub fn task(&self) -> &str {
        &self.told.task
    }

    /// The configuration, a JSON object.
    pub fn config(&self) -> &str {
        &self.told.config
    }

    /// Whether nothing may change; the host lets no write through.
    pub fn dry_run(&self) -> bool {
        self.told.dry_run
    }

    /// 1 for the first try of this fire.
    pub fn attempt(&self) -> u32 {
        self.told.attempt
    }

    /// The same for every attempt of one fire.
    pub fn idempotency_key(&self) -> &str {
        &self.told.idempotency_key
    }

    /// Grows with every claim of the task.
    pub fn fence(&self) -> u64 {
        self.told.fence
    }

    /// The nominal due time, milliseconds.
    pub fn fire_time(&self) -> u64 {
        self.told.fire_time
    }

    /// The fire time of the newest run that succeeded, milliseconds.
    pub fn previous_success(&self) -> Option<u64> {
        self.told.previous_success
    }

    pub fn info(&self, message: impl AsRef<str>) {
        self.host.log(Level::Info, message.as_ref());
    }

    pub fn warn(&self, message: impl AsRef<str>) {
        self.host.log(Level::Warn, message.as_ref());
    }

    pub fn error(&self, message: impl AsRef<str>) {
        self.host.log(Level::Error, message.as_ref());
    }

    /// Says that `done` of `total` are through.
    pub fn report_progress(&self, phase: &str, done: u64, total: Option<u64>, unit: Unit) {
        self.host.progress(&State {
            phase: phase.to_owned(),
            done,
            total,
            unit,
        });
    }

    /// A failure where the run was asked to end: to be called between steps, when
    /// everything is whole.
    pub fn check_cancelled(&self) -> Result<(), Failure> {
        if !self.host.cancelled() {
            return Ok(());
        }
        Err(Failure::retryable(
            "the run was asked to end, and ended between two steps",
        ))
    }
}

impl<'h> Deref for Context<'h> {
    type Target = dyn Host + 'h;
    fn deref(&self) -> &Self::Target {
        self.host
    }
}
