//! `mhost:plugin/watch`: what a task observes. It is gathered here and handed back with
//! the run's end, so that it commits with the outcome, whatever that is; a dry run's is
//! dropped by the store. What the host knows of windows and other tasks is asked through its port.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mhost_model::schedule::Schedule;
use mhost_model::watch::{Condition, Observation, Summary};
use mhost_model::{Fault, FaultResult, Instant, Span};
use wasmtime::component::Linker;

use super::{check_list, millis};
use crate::bindings::mhost::plugin::watch::{self as contract, Host};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, enter};

/// So many subjects can a run observe.
const SUBJECTS: usize = 20_000;
/// The longest name of one, bytes.
const LONGEST: usize = 512;
/// The largest memory of one, bytes.
const LARGEST: usize = 4096;

/// What a run observed so far.
#[derive(Default)]
pub(crate) struct Observed(Mutex<Vec<Observation>>);

impl Observed {
    /// Takes it out.
    pub(crate) fn take(&self) -> Vec<Observation> {
        std::mem::take(&mut *self.all())
    }

    fn all(&self) -> MutexGuard<'_, Vec<Observation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, observations: Vec<contract::Observation>) -> FaultResult<()> {
        let mut all = self.all();
        if all.len() + observations.len() > SUBJECTS {
            return Err(Fault::Limit(format!(
                "a run observes at most {SUBJECTS} subjects; watch the others by another task"
            )));
        }
        for one in observations {
            all.push(checked(one)?);
        }
        Ok(())
    }
}

fn checked(one: contract::Observation) -> FaultResult<Observation> {
    check_subject(&one.subject)?;
    if one.memory.len() > LARGEST {
        return Err(Fault::Limit(format!(
            "the memory of `{}` has {} bytes, and {LARGEST} are kept",
            one.subject,
            one.memory.len()
        )));
    }
    Ok(Observation {
        subject: one.subject,
        condition: match one.condition {
            contract::Condition::Up => Condition::Up,
            contract::Condition::Degraded => Condition::Degraded,
            contract::Condition::Down => Condition::Down,
            contract::Condition::Unknown => Condition::Unknown,
        },
        latency_us: one.latency_us,
        memory: one.memory,
    })
}

fn check_subject(subject: &str) -> FaultResult<()> {
    match subject.len() {
        1..=LONGEST => Ok(()),
        length => Err(Fault::Invalid(format!(
            "a subject's name has 1 to {LONGEST} bytes, not {length}"
        ))),
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn recall(&mut self, subjects: Vec<String>) -> Answer<Vec<Option<Vec<u8>>>> {
        check_list(subjects.iter().map(String::len).sum())?;
        if subjects.len() > SUBJECTS {
            let text = format!("a run recalls at most {SUBJECTS} subjects");
            return Err(Fault::Limit(text).into());
        }
        Ok(self.shared.watched.recall(&subjects)?)
    }

    async fn observe(&mut self, observations: Vec<contract::Observation>) -> Answer<()> {
        let bytes = observations.iter().map(|one| one.memory.len()).sum();
        check_list(bytes)?;
        Ok(self.shared.observed.add(observations)?)
    }

    async fn summaries(&mut self) -> Answer<Vec<contract::Summary>> {
        let summaries = self.shared.watched.summaries()?;
        Ok(summaries.into_iter().map(told).collect())
    }

    async fn in_window(
        &mut self,
        schedule: String,
        length_ms: u64,
        at: u64,
    ) -> Answer<Option<u64>> {
        let wrong = |why: String| Fault::Invalid(format!("`{schedule}` is no schedule: {why}"));
        let parsed: Schedule =
            serde_json::from_str(&schedule).map_err(|error| wrong(error.to_string()))?;
        let length = Span(std::time::Duration::from_millis(length_ms));
        let at = i64::try_from(at)
            .ok()
            .and_then(Instant::from_timestamp_millis);
        let at = at.ok_or_else(|| Fault::Invalid("the time is beyond the calendar".to_owned()))?;
        let end = self.shared.watched.in_window(&parsed, length, at)?;
        Ok(end.map(millis))
    }
}

fn told(summary: Summary) -> contract::Summary {
    let latencies = &summary.counts.latencies;
    contract::Summary {
        task: summary.task,
        subject: summary.subject,
        span: summary.span.as_str().to_owned(),
        up: summary.counts.up,
        degraded: summary.counts.degraded,
        down: summary.counts.down,
        p50: latencies.percentile(0.5),
        p90: latencies.percentile(0.9),
        p99: latencies.percentile(0.99),
        max: latencies.max(),
        seen: millis(summary.seen),
    }
}
