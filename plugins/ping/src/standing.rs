//! How a target stands, from how it stood and what the newest check says. Pure: the
//! memory comes in and goes out.

use serde::{Deserialize, Serialize};

use crate::config::Flapping;
use crate::finding::{State, Validity};

/// What is kept of a target from check to check. The names are short: it is written for
/// every target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Where it stood; none before the first check.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Since when, milliseconds.
    #[serde(rename = "t")]
    pub since: u64,
    /// Whether it counted as down when the newest check was over.
    #[serde(rename = "d", skip_serializing_if = "std::ops::Not::not")]
    pub down: bool,
    #[serde(rename = "f", skip_serializing_if = "std::ops::Not::not")]
    pub flapping: bool,
    /// Bad checks in a row, and good ones; no further than they matter.
    #[serde(rename = "b", skip_serializing_if = "is_zero")]
    pub bad: u32,
    #[serde(rename = "g", skip_serializing_if = "is_zero")]
    pub good: u32,
    /// Checks in a row that were not simply good.
    #[serde(rename = "i", skip_serializing_if = "is_zero")]
    pub ill: u32,
    /// The newest checks, the newest one in the lowest bit, set where it was bad.
    #[serde(rename = "r", skip_serializing_if = "is_zero")]
    pub recent: u32,
    /// How many of them there are.
    #[serde(rename = "n")]
    pub seen: u32,
    /// The certificate that was seen last.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Validity>,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// What one check says of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Good,
    /// Good, with a reason to look at it.
    Warned,
    Bad,
}

/// How many checks change a state.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub failures_to_down: u32,
    pub successes_to_up: u32,
    pub flapping: Flapping,
}

/// So many bad checks in a row are no flapping any more.
const OUTAGE: u32 = 3;
/// So many checks are remembered one by one.
const REMEMBERED: u32 = 30;

impl Memory {
    /// Takes a check in; the state after it.
    pub fn take(&mut self, check: Check, policy: &Policy, now: u64) -> State {
        let bad = check == Check::Bad;
        self.recent = (self.recent << 1 | u32::from(bad)) & ((1 << REMEMBERED) - 1);
        self.seen = (self.seen + 1).min(REMEMBERED);
        let failed = policy.failures_to_down.max(OUTAGE);
        let most = failed.max(policy.successes_to_up);
        (self.bad, self.good) = match bad {
            true => ((self.bad + 1).min(most), 0),
            false => (0, (self.good + 1).min(most)),
        };
        self.ill = match check {
            Check::Good => 0,
            Check::Warned | Check::Bad => (self.ill + 1).min(most),
        };
        if bad && self.bad >= policy.failures_to_down {
            self.down = true;
        } else if !bad && self.good >= policy.successes_to_up {
            self.down = false;
        }
        self.flapping = self.flaps(policy.flapping);
        let state = match (self.flapping, self.down, check) {
            // What turned often before may still have an outage.
            (true, true, _) if self.bad >= failed => State::Down,
            (true, ..) => State::Flapping,
            (false, true, _) => State::Down,
            (false, false, Check::Good) => State::Up,
            (false, false, _) => State::Degraded,
        };
        self.enter(state, now);
        state
    }

    /// Stands so for a reason of its own; checks do not count.
    pub fn enter(&mut self, state: State, now: u64) {
        if self.state != Some(state) {
            self.state = Some(state);
            self.since = now;
        }
    }

    /// It begins with so many changes, and ends with half as many.
    fn flaps(&self, limits: Flapping) -> bool {
        if limits.changes == 0 {
            return false;
        }
        let checks = limits.checks.min(REMEMBERED).min(self.seen);
        let pairs = (1u32 << checks.saturating_sub(1)) - 1;
        let changes = ((self.recent ^ (self.recent >> 1)) & pairs).count_ones();
        match self.flapping {
            true => changes > limits.changes / 2,
            false => changes >= limits.changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(failures_to_down: u32, successes_to_up: u32, changes: u32) -> Policy {
        Policy {
            failures_to_down,
            successes_to_up,
            flapping: Flapping {
                checks: 20,
                changes,
            },
        }
    }

    /// States after each check: `.` good, `w` warned, `x` bad; the first letters of the states.
    fn states(checks: &str, policy: &Policy) -> String {
        let mut memory = Memory::default();
        let states = checks.chars().enumerate().map(|(at, check)| {
            let check = match check {
                '.' => Check::Good,
                'w' => Check::Warned,
                _ => Check::Bad,
            };
            match memory.take(check, policy, at as u64) {
                State::Up => 'u',
                State::Degraded => 'g',
                State::Down => 'D',
                State::Flapping => 'F',
                _ => '?',
            }
        });
        states.collect()
    }

    #[test]
    fn a_state_needs_so_many_checks() {
        for (checks, failures, successes, expected) in [
            (".x.", 1, 1, "uDu"),
            ("x", 1, 1, "D"),
            ("xx.", 3, 1, "ggu"),
            (".xxx.", 3, 1, "uggDu"),
            ("x..x", 1, 2, "DDuD"),
            ("x.x..", 1, 2, "DDDDu"),
            (".w.", 1, 1, "ugu"),
            ("xw", 1, 2, "DD"),
            ("xxx...", 2, 3, "gDDDDu"),
        ] {
            let found = states(checks, &policy(failures, successes, 0));
            assert_eq!(found, expected, "{checks} {failures}/{successes}");
        }
    }

    #[test]
    fn what_turns_often_is_flapping() {
        let found = states(".x.x.x.......................", &policy(1, 1, 4));
        // Four changes begin it, and as long as more than two are in sight it goes on.
        assert_eq!(&found[..6], "uDuDFF");
        assert!(found.ends_with("uuu"), "{found}");
        assert_eq!(found.matches('D').count(), 2);
        assert!(!states(".x.x.x.x.x", &policy(1, 1, 0)).contains('F'));
        // An outage is one, whatever flapped before it; afterwards it flaps as before.
        let found = states(".x.x.xxxxx.", &policy(1, 1, 4));
        assert_eq!(found, "uDuDFFFDDDF");
        let found = states(".x.x.xxxxx.", &policy(5, 1, 4));
        assert_eq!(found, "ugugFFFFFDF");
        assert!(!states("xxxxxxxxxxxxxxxxxxxx", &policy(1, 1, 2)).contains('F'));
    }

    #[test]
    fn the_time_of_a_state_is_that_of_its_first_check() {
        let mut memory = Memory::default();
        let policy = policy(1, 1, 0);
        for (check, at, since) in [
            (Check::Good, 5, 5),
            (Check::Good, 6, 5),
            (Check::Bad, 7, 7),
            (Check::Bad, 8, 7),
        ] {
            memory.take(check, &policy, at);
            assert_eq!(memory.since, since);
        }
    }

    #[test]
    fn a_steady_target_needs_no_writing() {
        let mut memory = Memory::default();
        let policy = policy(2, 3, 6);
        for at in 0..40 {
            memory.take(Check::Good, &policy, at);
        }
        let steady = memory.clone();
        memory.take(Check::Good, &policy, 99);
        assert_eq!(memory, steady);
        let text = serde_json::to_string(&memory).unwrap();
        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
    }
}
