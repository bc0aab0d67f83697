//! What a task's policy says against itself.

use mhost_model::policy::Policy;

use super::{Finding, Show};
use crate::config::mistake::Refusal;
use crate::config::path::KeyPath;

/// Paths are below the task.
pub(super) fn judge(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut warn = |keys: &[&str], message: String, help: &str| {
        let refusal = Refusal::new(message, help);
        findings.push(Finding::warning(KeyPath::keys(keys), Show::Value, refusal));
    };
    let retry = policy.retry;
    if retry.attempts > 1 && retry.backoff > retry.max_backoff {
        warn(
            &["policy", "retry", "backoff"],
            format!(
                "no attempt waits longer than `max_backoff`, {}",
                retry.max_backoff
            ),
            "raise `max_backoff`, or write a shorter `backoff`",
        );
    }
    let expect = policy.expect.unwrap_or_default();
    if let (Some(least), Some(most)) = (expect.at_least, expect.finish_within)
        && least > most
    {
        warn(
            &["policy", "expect", "at_least"],
            format!("every run is too fast or too long: `finish_within` is {most}"),
            "write an `at_least` below it",
        );
    }
    findings
}
