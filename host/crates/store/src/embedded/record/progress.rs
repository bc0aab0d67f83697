//! How far a task is. A lease stands only in the table of running runs, so that
//! renewing it touches nothing else.

use mhost_model::run::Outcome;
use mhost_model::run::Trigger;
use serde::{Deserialize, Serialize};

use super::codes::{outcome, outcome_code, trigger, trigger_code};
use super::{Record, from_postcard, postcard, unknown};
use crate::embedded::trouble::Res;

/// [`mhost_model::plan::Progress`] and what the store adds; times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProgressRec {
    pub next_due: Option<i64>,
    pub wake_at: Option<i64>,
    pub last_fire: Option<i64>,
    pub last_success: Option<i64>,
    pub last_outcome: Option<Outcome>,
    pub failures: u32,
    pub fence: u64,
    /// What was to be done by then has been looked at, and could not be: it waits for
    /// a completion. None as soon as anything else changes.
    pub examined: Option<i64>,
    /// Where the open era begins: every due time after it and before `next_due` has a row.
    /// None while there is no due time to come, by pause or for good.
    pub since: Option<i64>,
    pub open: Vec<OpenRec>,
}

/// A run that is not settled.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRec {
    pub id: u64,
    pub fire_at: i64,
    pub attempt: u32,
    pub fence: u64,
    pub trigger: Trigger,
    pub state: OpenState,
}

/// [`mhost_model::run::RunState`] without the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenState {
    Running,
    Queued,
    Waiting { retry_at: i64 },
}

#[derive(Serialize, Deserialize)]
struct ProgressV1 {
    next_due: Option<i64>,
    wake_at: Option<i64>,
    last_fire: Option<i64>,
    last_success: Option<i64>,
    last_outcome: Option<u8>,
    failures: u32,
    fence: u64,
    examined: Option<i64>,
    open: Vec<OpenV1>,
}

/// V1 and where the open era begins.
#[derive(Serialize, Deserialize)]
struct ProgressV2 {
    v1: ProgressV1,
    since: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct OpenV1 {
    id: u64,
    fire_at: i64,
    attempt: u32,
    fence: u64,
    trigger: u8,
    state: OpenState,
}

impl Record for ProgressRec {
    const VERSION: u8 = 2;

    fn write(&self) -> Res<Vec<u8>> {
        let open = self.open.iter().map(|run| OpenV1 {
            id: run.id,
            fire_at: run.fire_at,
            attempt: run.attempt,
            fence: run.fence,
            trigger: trigger_code(run.trigger),
            state: run.state,
        });
        let v1 = ProgressV1 {
            next_due: self.next_due,
            wake_at: self.wake_at,
            last_fire: self.last_fire,
            last_success: self.last_success,
            last_outcome: self.last_outcome.map(outcome_code),
            failures: self.failures,
            fence: self.fence,
            examined: self.examined,
            open: open.collect(),
        };
        let since = self.since;
        postcard(&ProgressV2 { v1, since })
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        const WHAT: &str = "a task's progress";
        let ProgressV2 { v1, since } = match version {
            // Nobody wrote down since when: the proof begins with what comes next.
            1 => {
                let v1: ProgressV1 = from_postcard(WHAT, body)?;
                let since = v1.next_due.map(|due| due - 1);
                ProgressV2 { v1, since }
            }
            2 => from_postcard(WHAT, body)?,
            other => return unknown(WHAT, other),
        };
        let open = v1.open.into_iter().map(|run| {
            Ok(OpenRec {
                id: run.id,
                fire_at: run.fire_at,
                attempt: run.attempt,
                fence: run.fence,
                trigger: trigger(run.trigger)?,
                state: run.state,
            })
        });
        Ok(Self {
            next_due: v1.next_due,
            wake_at: v1.wake_at,
            last_fire: v1.last_fire,
            last_success: v1.last_success,
            last_outcome: v1.last_outcome.map(outcome).transpose()?,
            failures: v1.failures,
            fence: v1.fence,
            examined: v1.examined,
            since,
            open: open.collect::<Result<_, String>>()?,
        })
    }
}
