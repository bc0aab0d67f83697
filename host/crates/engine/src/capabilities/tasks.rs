//! `mhost:plugin/tasks`: who holds what a check looks at, and how far a granted task is.

use mhost_model::ports::around;
use mhost_model::{Fault, FaultResult};
use wasmtime::component::Linker;

use super::millis;
use crate::bindings::mhost::plugin::tasks::{self as contract, Hold, Host, TaskState};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, enter};

/// The longest target, bytes.
const LONGEST: usize = 1000;
/// The most targets of one question.
const MOST: usize = 50_000;

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn holders(&mut self, target: String) -> Answer<Vec<Hold>> {
        let permit = self.shared.granter.holders();
        let targets = [target];
        let found = self.ask(&targets)?;
        permit.used_part(&targets[0]);
        Ok(found.into_iter().flatten().collect())
    }

    async fn holders_of(&mut self, targets: Vec<String>) -> Answer<Vec<Vec<Hold>>> {
        let permit = self.shared.granter.holders();
        let found = self.ask(&targets)?;
        permit.used();
        Ok(found)
    }

    async fn status(&mut self, task: String) -> Answer<TaskState> {
        let permit = self.shared.granter.task(&task)?;
        let state = self.shared.tasks.status(&permit.name)?;
        permit.used();
        Ok(TaskState {
            enabled: state.enabled,
            running: state.running,
            last_success: state.last_success.map(millis),
            last_outcome: state.last_outcome.map(|outcome| outcome.to_string()),
            failures: state.failures,
            next_due: state.next_due.map(millis),
            success_due: state.success_due.map(millis),
        })
    }
}

impl Call<'_> {
    /// Who holds each of them.
    fn ask(&self, targets: &[String]) -> FaultResult<Vec<Vec<Hold>>> {
        if targets.len() > MOST {
            let text = format!("at most {MOST} targets at once, not {}", targets.len());
            return Err(Fault::Limit(text));
        }
        let wrong = |target: &&String| target.is_empty() || target.len() > LONGEST;
        if let Some(target) = targets.iter().find(wrong) {
            let text = format!("a target has 1 to {LONGEST} bytes, not {}", target.len());
            return Err(Fault::Invalid(text));
        }
        let hold = |hold: around::Hold| Hold {
            task: hold.task.to_string(),
            run: hold.run.0,
            since: millis(hold.since),
        };
        let found = self.shared.tasks.holders(targets)?.into_iter();
        let found = found.map(|holds| holds.into_iter().map(hold).collect());
        Ok(found.collect())
    }
}
