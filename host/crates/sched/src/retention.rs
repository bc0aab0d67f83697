//! Which rows of the ledger, and which logs, are kept: by age and by count for each task. A
//! pure function of the policy, the time and the rows, which come newest first.
//!
//! A run that is not over, the newest runs of a task, and its newest success are kept
//! whatever the policy says. Runs and fires that did not run are counted apart: a backlog
//! of coalesced fires must not push the runs out.

use std::collections::HashMap;

use mhost_model::run::{Outcome, Run};
use mhost_model::{Instant, Name, Span, TaskId};
use serde::{Deserialize, Serialize};

/// What is kept; a bound that is absent does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Rows that ended longer ago go.
    pub runs_max_age: Option<Span>,
    /// Of each task, so many rows stay.
    pub runs_max_count: Option<u64>,
    /// Logs of runs that ended longer ago go.
    pub logs_max_age: Option<Span>,
    /// Of each task, so many runs keep their log.
    pub logs_max_count: Option<u64>,
    /// Of each task, so many of the newest rows stay with their logs, however old.
    pub keep: u64,
}

const DAY: u64 = 24 * 60 * 60;

impl Default for Retention {
    fn default() -> Self {
        Self {
            runs_max_age: Some(Span::seconds(400 * DAY)),
            runs_max_count: Some(10_000),
            logs_max_age: Some(Span::seconds(90 * DAY)),
            logs_max_count: Some(1_000),
            keep: 10,
        }
    }
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Stays,
    /// The row stays, its log goes.
    LosesLog,
    Goes,
}

/// Judges rows, newest first.
#[derive(Debug)]
pub struct Judge {
    policy: Retention,
    now: Instant,
    seen: HashMap<Owner, Seen>,
}

/// Whose row it is; an `exec` has no task.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Owner {
    Task(TaskId),
    Exec(Name),
}

#[derive(Debug, Default)]
struct Seen {
    ran: u64,
    passed: u64,
    success: bool,
}

impl Judge {
    pub fn new(policy: Retention, now: Instant) -> Self {
        Self {
            policy,
            now,
            seen: HashMap::new(),
        }
    }

    pub fn judge(&mut self, run: &Run) -> Fate {
        let Some(outcome) = run.outcome() else {
            return Fate::Stays;
        };
        let owner = match run.task {
            Some(task) => Owner::Task(task),
            None => Owner::Exec(run.task_name.clone()),
        };
        let seen = self.seen.entry(owner).or_default();
        let count = match run.attempt {
            0 => &mut seen.passed,
            _ => &mut seen.ran,
        };
        let newer = *count;
        *count += 1;
        let succeeded = outcome == Outcome::Succeeded && !run.dry_run;
        let newest_success = succeeded && !seen.success;
        seen.success |= succeeded;
        if newer < self.policy.keep || newest_success {
            return Fate::Stays;
        }
        let age = self.now - run.finished_at.unwrap_or(run.fire_at);
        let beyond = |most_age: Option<Span>, most: Option<u64>| {
            most_age.is_some_and(|most| age > most.delta())
                || most.is_some_and(|most| newer >= most)
        };
        let Retention {
            runs_max_age,
            runs_max_count,
            logs_max_age,
            logs_max_count,
            ..
        } = self.policy;
        match (
            beyond(runs_max_age, runs_max_count),
            beyond(logs_max_age, logs_max_count),
        ) {
            (true, _) => Fate::Goes,
            (false, true) => Fate::LosesLog,
            (false, false) => Fate::Stays,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_model::run::{RunState, Trigger};
    use mhost_model::{Fence, RunId};

    fn at(day: i64) -> Instant {
        Instant::from_timestamp(day * DAY as i64, 0).unwrap()
    }

    fn row(day: i64, outcome: Outcome) -> Run {
        Run {
            id: RunId(day as u64),
            task: Some(TaskId(1)),
            task_name: "t".parse().unwrap(),
            plugin: "pack".parse().unwrap(),
            action: "pack".into(),
            digest: None,
            trigger: Trigger::Timer,
            dry_run: false,
            fire_at: at(day),
            fence: Fence(1),
            attempt: u32::from(!matches!(outcome, Outcome::Coalesced | Outcome::Skipped)),
            state: RunState::Settled { outcome },
            reason: None,
            started_at: None,
            finished_at: Some(at(day)),
            report: None,
            receipt: None,
            error: None,
        }
    }

    /// The fates of rows of days 99, 98, …, as `.` stays, `l` loses its log, `x` goes.
    fn fates(policy: Retention, outcomes: &[Outcome]) -> String {
        let mut judge = Judge::new(policy, at(100));
        let rows = (0..99).rev().map(|n| n + 1).zip(outcomes);
        rows.map(|(day, outcome)| match judge.judge(&row(day, *outcome)) {
            Fate::Stays => '.',
            Fate::LosesLog => 'l',
            Fate::Goes => 'x',
        })
        .collect()
    }

    const NOTHING: Retention = Retention {
        runs_max_age: None,
        runs_max_count: None,
        logs_max_age: None,
        logs_max_count: None,
        keep: 0,
    };

    #[test]
    fn by_age_and_by_count() {
        use Outcome::{Coalesced, Failed, Succeeded};
        let failed = [Failed; 8];
        let days = |days: u64| Some(Span::seconds(days * DAY));
        for (policy, expected) in [
            (NOTHING, "........"),
            (
                Retention {
                    runs_max_count: Some(3),
                    ..NOTHING
                },
                "...xxxxx",
            ),
            (
                Retention {
                    runs_max_age: days(5),
                    ..NOTHING
                },
                ".....xxx",
            ),
            (
                Retention {
                    logs_max_age: days(2),
                    ..NOTHING
                },
                "..llllll",
            ),
            (
                Retention {
                    logs_max_count: Some(1),
                    runs_max_age: days(4),
                    ..NOTHING
                },
                ".lllxxxx",
            ),
            (
                Retention {
                    runs_max_count: Some(0),
                    keep: 2,
                    ..NOTHING
                },
                "..xxxxxx",
            ),
        ] {
            assert_eq!(fates(policy, &failed), expected, "{policy:?}");
        }
        let one = Retention {
            runs_max_count: Some(1),
            ..NOTHING
        };
        // The newest success stays; fires that did not run are counted apart.
        let rows = [Failed, Failed, Succeeded, Succeeded, Coalesced, Coalesced];
        assert_eq!(fates(one, &rows), ".x.x.x");
    }

    #[test]
    fn what_is_not_over_stays() {
        let mut judge = Judge::new(
            Retention {
                runs_max_count: Some(0),
                ..NOTHING
            },
            at(100),
        );
        let mut open = row(1, Outcome::Failed);
        open.state = RunState::Queued;
        assert_eq!(judge.judge(&open), Fate::Stays);
        let mut dry = row(1, Outcome::Succeeded);
        dry.dry_run = true;
        assert_eq!(judge.judge(&dry), Fate::Goes);
    }
}
