//! The brake on deletions: a source that is empty, unmounted or half listed must never
//! empty the target.

use mhost_sdk::Failure;

use crate::config::Mirror;
use crate::listing::Listing;
use crate::plan::Plan;

/// So many deletions are nobody's catastrophe: the share is not looked at.
const FEW: u64 = 10;

/// Refuses a plan that removes more than was allowed.
pub fn check(
    config: &Mirror,
    source: &Listing,
    target: &Listing,
    plan: &Plan,
) -> Result<(), Failure> {
    let removals = plan.removals();
    let there = target.things.len() as u64;
    if removals == 0 {
        return Ok(());
    }
    if source.things.is_empty() {
        return Err(Failure::permanent(format!(
            "the source {} is empty, and {there} entries of {} would be removed: is it mounted? nothing was changed; \
             remove them by hand if that is meant",
            config.from, config.to
        )));
    }
    if !source.errors.is_empty() && !plan.delete.is_empty() {
        return Err(Failure::retryable(format!(
            "{} could not be listed completely ({}), so nothing is removed from {}: nothing was changed",
            config.from, source.errors[0], config.to
        )));
    }
    if let Some(most) = config.max_delete.filter(|most| removals > *most) {
        return Err(Failure::permanent(format!(
            "{removals} entries of {} would be removed, more than `max_delete` = {most}: nothing was changed; \
             look with a dry run, then raise it",
            config.to
        )));
    }
    let share = removals.saturating_mul(100) / there.max(1);
    if removals > FEW && share > u64::from(config.max_delete_percent) {
        return Err(Failure::permanent(format!(
            "{removals} of {there} entries of {} would be removed, more than `max_delete_percent` = {}: nothing was \
             changed; look with a dry run, then raise it",
            config.to, config.max_delete_percent
        )));
    }
    Ok(())
}
