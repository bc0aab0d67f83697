//! Offsets that look random and never change: rule 9 and the spread of retries.

use mhost_model::policy::Policy;
use mhost_model::{Instant, Span, TaskId};

/// How much later than its due time a task starts: at most `policy.jitter`, always
/// the same for one task; whole seconds where the span has them.
pub fn offset(task: TaskId, policy: &Policy) -> Span {
    let Some(Span(most)) = policy.jitter else {
        return Span::seconds(0);
    };
    let share = |whole: u64| pick(hash(&[task.0]), whole.saturating_add(1));
    if most.as_secs() > 0 {
        Span::seconds(share(most.as_secs()))
    } else {
        Span(std::time::Duration::from_millis(share(u64::from(
            most.subsec_millis(),
        ))))
    }
}

/// When a fire may start.
pub fn start_at(task: TaskId, policy: &Policy, fire: Instant) -> Instant {
    fire.checked_add_signed(offset(task, policy).delta())
        .unwrap_or(fire)
}

/// One of `0..count`, evenly.
pub(crate) fn pick(hash: u64, count: u64) -> u64 {
    ((u128::from(hash) * u128::from(count)) >> 64) as u64
}

/// Mixes words into one; the same on every machine and in every version, which
/// std's hasher does not promise. The mixing step is splitmix64's (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) fn hash(words: &[u64]) -> u64 {
    words.iter().fold(0x6d68_6f73_7400_0001, |state, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(jitter: &str) -> Policy {
        Policy {
            jitter: Some(jitter.parse().unwrap()),
            ..Policy::default()
        }
    }

    /// The figures must never change: tasks would start at another time after an
    /// upgrade.
    #[test]
    fn rule_9_the_offset_of_a_task_is_for_ever() {
        let offsets: Vec<_> = (1..=5)
            .map(|id| offset(TaskId(id), &policy("10m")).to_string())
            .collect();
        assert_eq!(offsets, FIGURES);
    }

    const FIGURES: [&str; 5] = ["2m 14s", "7m 14s", "6m 26s", "8m 35s", "53s"];

    #[test]
    fn rule_9_offsets_spread_over_the_whole_span() {
        let offsets: Vec<_> = (0..10_000)
            .map(|id| offset(TaskId(id), &policy("10s")).0.as_secs())
            .collect();
        for second in 0..=10 {
            let count = offsets.iter().filter(|o| **o == second).count();
            assert!((700..1_150).contains(&count), "{second}: {count}");
        }
        assert!(offsets.iter().all(|o| *o <= 10));
    }

    #[test]
    fn rule_9_without_jitter_there_is_no_offset() {
        assert_eq!(offset(TaskId(7), &Policy::default()), Span::seconds(0));
        assert_eq!(offset(TaskId(7), &policy("0s")), Span::seconds(0));
        assert!(offset(TaskId(7), &policy("500ms")).0.as_millis() <= 500);
    }
}
