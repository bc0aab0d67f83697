//! Telling people; see `wit/alerts.wit`.

use serde::Serialize;

pub use crate::bindings::mhost::plugin::alerts::{Attachment, Message, Severity};
use crate::{Error, Result};

/// Alerts that stand until they are taken back, and messages. Alerts are committed with
/// the run's outcome, whichever it is; a message is kept once it is sent.
pub trait Alerts {
    /// Says that something is wrong; to be said in every run in which it holds.
    fn raise(
        &self,
        key: &str,
        severity: Severity,
        message: &str,
        details: Option<&str>,
    ) -> Result<()>;

    /// Says that it is well again; nothing where it did not stand.
    fn resolve(&self, key: &str, message: &str) -> Result<()>;

    /// Says that what stands is not to be told again until it is raised or resolved, as
    /// nobody can judge it now.
    fn silence(&self, key: &str) -> Result<()>;

    /// Sends a message through a granted channel; one with the same id is sent once.
    fn send(&self, channel: &str, id: &str, message: &Message) -> Result<()>;
}

impl dyn Alerts + '_ {
    /// Raises with details kept as JSON.
    pub fn raise_json<T: Serialize>(
        &self,
        key: &str,
        severity: Severity,
        message: &str,
        details: &T,
    ) -> Result<()> {
        let details = serde_json::to_string(details).map_err(|error| {
            Error::Invalid(format!(
                "cannot write the details of the alert `{key}`: {error}"
            ))
        })?;
        self.raise(key, severity, message, Some(&details))
    }
}
