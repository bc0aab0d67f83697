//! A row of the ledger, and the claim of a run that is on.

use mhost_model::receipt::Receipt;
use mhost_model::run::{Artifact, Report, Run, RunError, RunState};
use mhost_model::{Fence, Instant, NodeId, RunId, TaskId};
use serde::{Deserialize, Serialize};

use super::codes::{instant, maybe_instant, millis, outcome, outcome_code, trigger, trigger_code};
use super::{Record, from_json, from_postcard, json, postcard, unknown};
use crate::embedded::trouble::Res;

/// A run as it stands in the ledger. The id is the row's key, and node and lease of
/// a running one stand in its [`RunningRec`]: whoever reads a row adds them.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub run: Run,
    /// Milliseconds; grows with the ids, and is never before `fire_at`.
    pub recorded_at: i64,
}

#[derive(Serialize, Deserialize)]
struct RowV1 {
    task: Option<u64>,
    task_name: String,
    plugin: String,
    action: String,
    digest: Option<[u8; 32]>,
    trigger: u8,
    dry_run: bool,
    fire_at: i64,
    fence: u64,
    attempt: u32,
    state: StateV1,
    reason: Option<String>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    recorded_at: i64,
    report: Option<ReportV1>,
    /// JSON of [`Extra`].
    extra: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Running,
    Queued,
    Waiting { retry_at: i64 },
    Settled { outcome: u8 },
}

/// Figures are kept bit by bit: JSON has no NaN.
#[derive(Serialize, Deserialize)]
struct ReportV1 {
    summary: String,
    metrics: Vec<(String, f64)>,
    /// JSON, by itself: within another document it would be nested deeper than the
    /// reader may follow.
    details: Option<Vec<u8>>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Extra {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    artifacts: Vec<Artifact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RunError>,
}

impl Record for Row {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        let run = &self.run;
        postcard(&RowV1 {
            task: run.task.map(|task| task.0),
            task_name: run.task_name.to_string(),
            plugin: run.plugin.to_string(),
            action: run.action.clone(),
            digest: run.digest.map(|digest| digest.0),
            trigger: trigger_code(run.trigger),
            dry_run: run.dry_run,
            fire_at: millis(run.fire_at),
            fence: run.fence.0,
            attempt: run.attempt,
            state: write_state(&run.state),
            reason: run.reason.clone(),
            started_at: run.started_at.map(millis),
            finished_at: run.finished_at.map(millis),
            recorded_at: self.recorded_at,
            report: run.report.as_ref().map(write_report).transpose()?,
            extra: write_extra(run)?,
        })
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => read_v1(from_postcard("a run", body)?),
            other => unknown("a run", other),
        }
    }
}

fn write_state(state: &RunState) -> StateV1 {
    match state {
        RunState::Running { .. } => StateV1::Running,
        RunState::Queued => StateV1::Queued,
        RunState::Waiting { retry_at } => StateV1::Waiting {
            retry_at: millis(*retry_at),
        },
        RunState::Settled { outcome } => StateV1::Settled {
            outcome: outcome_code(*outcome),
        },
    }
}

fn write_report(report: &Report) -> Res<ReportV1> {
    let metrics = report.metrics.iter();
    Ok(ReportV1 {
        summary: report.summary.clone(),
        metrics: metrics
            .map(|(name, value)| (name.clone(), *value))
            .collect(),
        details: report.details.as_ref().map(write_details).transpose()?,
    })
}

/// What a plugin reports must not keep its run from being settled, so details that
/// could not be read back give way to a word about them.
fn write_details(details: &serde_json::Value) -> Res<Vec<u8>> {
    let bytes = json(details)?;
    if serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() {
        return Ok(bytes);
    }
    json(&"the details were nested too deeply to be kept")
}

fn write_extra(run: &Run) -> Res<Option<Vec<u8>>> {
    let artifacts = run.report.as_ref().map(|report| report.artifacts.clone());
    let extra = Extra {
        artifacts: artifacts.unwrap_or_default(),
        receipt: run.receipt.clone(),
        error: run.error.clone(),
    };
    if extra == Extra::default() {
        return Ok(None);
    }
    json(&extra).map(Some)
}

fn read_v1(row: RowV1) -> Result<Row, String> {
    let extra: Extra = match &row.extra {
        Some(extra) => from_json("a run's receipt", extra)?,
        None => Extra::default(),
    };
    let name = |error: mhost_model::NameError| error.to_string();
    let report = row
        .report
        .map(|report| read_report(report, extra.artifacts));
    Ok(Row {
        run: Run {
            id: RunId(0),
            task: row.task.map(TaskId),
            task_name: row.task_name.parse().map_err(name)?,
            plugin: row.plugin.parse().map_err(name)?,
            action: row.action,
            digest: row.digest.map(mhost_model::plugin::Digest),
            trigger: trigger(row.trigger)?,
            dry_run: row.dry_run,
            fire_at: instant(row.fire_at)?,
            fence: Fence(row.fence),
            attempt: row.attempt,
            state: read_state(row.state)?,
            reason: row.reason,
            started_at: maybe_instant(row.started_at)?,
            finished_at: maybe_instant(row.finished_at)?,
            report: report.transpose()?,
            receipt: extra.receipt,
            error: extra.error,
        },
        recorded_at: row.recorded_at,
    })
}

fn read_state(state: StateV1) -> Result<RunState, String> {
    Ok(match state {
        StateV1::Running => RunState::Running {
            node: NodeId(0),
            lease_until: Instant::UNIX_EPOCH,
        },
        StateV1::Queued => RunState::Queued,
        StateV1::Waiting { retry_at } => RunState::Waiting {
            retry_at: instant(retry_at)?,
        },
        StateV1::Settled { outcome: code } => RunState::Settled {
            outcome: outcome(code)?,
        },
    })
}

fn read_report(report: ReportV1, artifacts: Vec<Artifact>) -> Result<Report, String> {
    let details = report.details.as_deref();
    Ok(Report {
        summary: report.summary,
        metrics: report.metrics.into_iter().collect(),
        artifacts,
        details: details
            .map(|details| from_json("a report's details", details))
            .transpose()?,
    })
}

/// The claim of a run that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningRec {
    pub node: u64,
    pub fence: u64,
    /// Milliseconds.
    pub lease_until: i64,
    /// The pool whose slot it takes, even if its task has moved to another.
    pub pool: String,
}

impl Record for RunningRec {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        postcard(self)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_postcard("a claim", body),
            other => unknown("a claim", other),
        }
    }
}

impl RunningRec {
    /// As the model says it.
    pub fn state(&self) -> Result<RunState, String> {
        Ok(RunState::Running {
            node: NodeId(self.node),
            lease_until: instant(self.lease_until)?,
        })
    }
}
