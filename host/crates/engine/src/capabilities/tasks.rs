//! `mhost:plugin/tasks`: who holds what a check looks at, and how far a granted task is.

use mhost_model::Fault;
use wasmtime::component::Linker;

use super::millis;
use crate::bindings::mhost::plugin::tasks::{self as contract, Hold, Host, TaskState};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, enter};

/// The longest target, bytes.
const LONGEST: usize = 1000;

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn holders(&mut self, target: String) -> Answer<Vec<Hold>> {
        let permit = self.shared.granter.holders();
        if target.is_empty() || target.len() > LONGEST {
            let text = format!("a target has 1 to {LONGEST} bytes, not {}", target.len());
            return Err(Fault::Invalid(text).into());
        }
        let found = self.shared.tasks.holders(&target)?;
        permit.used_part(&target);
        let hold = |hold: mhost_model::ports::around::Hold| Hold {
            task: hold.task.to_string(),
            run: hold.run.0,
            since: millis(hold.since),
        };
        Ok(found.into_iter().map(hold).collect())
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
