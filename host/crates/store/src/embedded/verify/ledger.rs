//! Runs, their indexes, claims and logs.

use mhost_model::run::{Run, RunState};
use mhost_model::{RunId, TaskId};
use redb::{ReadOnlyTable, ReadableTable};

use super::super::read::{Ledger, Snapshot};
use super::super::record::{
    Counters, LogChunk, OpenState, ProgressRec, Row, RunningRec, decode, get, millis,
};
use super::super::tables::{FIRES, LOGS, PROGRESS, RUNNING, RUNS, RUNS_BY_NAME, RUNS_BY_TASK};
use super::super::trouble::Res;
use super::super::tx::fire_kind;
use super::{Findings, counters};

struct Runs {
    rows: ReadOnlyTable<u64, &'static [u8]>,
    progress: ReadOnlyTable<u64, &'static [u8]>,
    running: ReadOnlyTable<u64, &'static [u8]>,
    by_task: ReadOnlyTable<(u64, u64), ()>,
    by_name: ReadOnlyTable<(&'static str, u64), ()>,
    fires: ReadOnlyTable<(u64, i64, u8), u64>,
    ledger: Ledger,
}

/// Every run against its indexes, then every index against its runs, then the logs.
pub fn check(snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
    let txn = snapshot.txn();
    let runs = Runs {
        rows: txn.open_table(RUNS)?,
        progress: txn.open_table(PROGRESS)?,
        running: txn.open_table(RUNNING)?,
        by_task: txn.open_table(RUNS_BY_TASK)?,
        by_name: txn.open_table(RUNS_BY_NAME)?,
        fires: txn.open_table(FIRES)?,
        ledger: Ledger::of(snapshot)?,
    };
    let newest = counters(snapshot)?;
    let mut recorded_at = i64::MIN;
    for row in runs.rows.iter()? {
        let id = row?.0.value();
        let row = runs.ledger.row(RunId(id)).transpose();
        let Some(row) = row.and_then(|row| findings.readable(format!("run {id}"), row)) else {
            continue;
        };
        let ordered = recorded_at <= row.recorded_at;
        findings.unless(ordered, || {
            format!("run {id} was recorded before the one before it")
        });
        recorded_at = row.recorded_at;
        runs.one(&row, newest, findings)?;
    }
    runs.indexes(findings)?;
    runs.claims(findings)?;
    logs(snapshot, &runs, findings)
}

impl Runs {
    fn one(&self, row: &Row, newest: Counters, findings: &mut Findings) -> Res<()> {
        let run = &row.run;
        let id = run.id;
        let given = id.0 <= newest.run && row.recorded_at <= newest.recorded_at;
        findings.unless(given, || format!("run {id} is newer than the newest"));
        let named = self.by_name.get((run.task_name.as_str(), id.0))?.is_some();
        findings.unless(named, || {
            format!("run {id} is not found by its task's name")
        });
        let Some(task) = run.task else {
            return Ok(());
        };
        let listed = self.by_task.get((task.0, id.0))?.is_some();
        findings.unless(listed, || format!("run {id} is not found by its task"));
        let fire = self
            .fires
            .get((task.0, millis(run.fire_at), fire_kind(run.trigger)))?;
        let fired = fire.is_some_and(|fired| fired.value() == id.0);
        findings.unless(fired, || format!("run {id} is not found by its fire time"));
        self.open(task, run, findings)
    }

    /// A run that is not settled is one that its task knows.
    fn open(&self, task: TaskId, run: &Run, findings: &mut Findings) -> Res<()> {
        if run.dry_run || run.outcome().is_some() {
            return Ok(());
        }
        let progress: Option<ProgressRec> = get(&self.progress, task.0)?;
        let id = run.id;
        let sound = match progress {
            Some(progress) => progress.open.iter().any(|open| open.id == id.0),
            None => matches!(run.state, RunState::Running { .. }),
        };
        findings.unless(sound, || {
            format!("run {id} is not over, but nothing will end it")
        });
        Ok(())
    }

    fn indexes(&self, findings: &mut Findings) -> Res<()> {
        for row in self.by_task.iter()? {
            let (task, id) = row?.0.value();
            let same = self
                .run(id)
                .is_some_and(|run| run.task == Some(TaskId(task)));
            findings.unless(same, || {
                format!("task {task} lists run {id}, which is not its")
            });
        }
        for row in self.by_name.iter()? {
            let (key, _) = row?;
            let (name, id) = key.value();
            let same = self
                .run(id)
                .is_some_and(|run| run.task_name.as_str() == name);
            findings.unless(same, || {
                format!("`{name}` lists run {id}, which is not its")
            });
        }
        for row in self.fires.iter()? {
            let (key, id) = row?;
            let ((task, at, kind), id) = (key.value(), id.value());
            let same = self.run(id).is_some_and(|run| {
                let fire = (millis(run.fire_at), fire_kind(run.trigger));
                run.task == Some(TaskId(task)) && fire == (at, kind)
            });
            findings.unless(same, || {
                format!("a fire of task {task} leads to run {id}, which is not its")
            });
        }
        Ok(())
    }

    fn claims(&self, findings: &mut Findings) -> Res<()> {
        for row in self.running.iter()? {
            let (id, bytes) = row?;
            let id = id.value();
            let claim = decode::<RunningRec>(bytes.value());
            let Some(claim) = findings.readable(format!("the claim of run {id}"), claim) else {
                continue;
            };
            let same = self.run(id).is_some_and(|run| {
                matches!(run.state, RunState::Running { .. }) && run.fence.0 == claim.fence
            });
            findings.unless(same, || format!("run {id} is claimed, but not on"));
        }
        Ok(())
    }

    /// What can be read of a run; what cannot was found before.
    fn run(&self, id: u64) -> Option<Run> {
        Some(self.ledger.row(RunId(id)).ok()??.run)
    }
}

/// Lines are numbered without a gap, from 0.
fn logs(snapshot: &Snapshot, runs: &Runs, findings: &mut Findings) -> Res<()> {
    let mut expected = (0, 0);
    for row in snapshot.txn().open_table(LOGS)?.iter()? {
        let (key, bytes) = row?;
        let (run, first) = key.value();
        if run != expected.0 {
            expected = (run, 0);
            let there = runs.rows.get(run)?.is_some();
            findings.unless(there, || {
                format!("there is a log of run {run}, which is gone")
            });
        }
        let gapless = first == expected.1;
        findings.unless(gapless, || {
            format!("the log of run {run} has a gap before line {first}")
        });
        let chunk = decode::<LogChunk>(bytes.value());
        if let Some(LogChunk(lines)) = findings.readable(format!("the log of run {run}"), chunk) {
            expected.1 = first + lines.len() as u64;
        }
    }
    Ok(())
}

/// As the task's progress says it; none once it is settled.
pub fn open_state(run: &Run) -> Option<OpenState> {
    match run.state {
        RunState::Running { .. } => Some(OpenState::Running),
        RunState::Queued => Some(OpenState::Queued),
        RunState::Waiting { retry_at } => Some(OpenState::Waiting {
            retry_at: millis(retry_at),
        }),
        RunState::Settled { .. } => None,
    }
}
