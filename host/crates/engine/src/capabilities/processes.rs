//! `mhost:plugin/processes`: the signals and commands that the operator granted by
//! name. There is no shell and no free argument.

mod command;
mod signal;
#[cfg(test)]
mod tests;

use mhost_model::Fault;
use mhost_model::grant::ProcessGrant;
use wasmtime::component::Linker;

use crate::bindings::mhost::plugin::processes::{self as contract, Host, Outcome, Process};
use crate::permits::ProcessVerb;
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, enter};

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn signal(&mut self, name: String) -> Answer<()> {
        let permit = self.shared.granter.process(&name, ProcessVerb::Signal)?;
        let ProcessGrant::Signal(grant) = &permit.grant else {
            return Err(mismatch(&name).into());
        };
        signal::send(grant)?;
        permit.used();
        Ok(())
    }

    async fn run(&mut self, name: String) -> Answer<Outcome> {
        let permit = self.shared.granter.process(&name, ProcessVerb::Run)?;
        let ProcessGrant::Command(grant) = &permit.grant else {
            return Err(mismatch(&name).into());
        };
        let cut_off = self.shared.deadline;
        let ended = command::run(&grant.command, cut_off).await?;
        permit.used();
        let command::Ended {
            code,
            stdout,
            stderr,
        } = ended;
        Ok(Outcome {
            code,
            stdout,
            stderr,
        })
    }

    async fn find(&mut self, name: String) -> Answer<Process> {
        let permit = self.shared.granter.process(&name, ProcessVerb::Find)?;
        let ProcessGrant::Signal(grant) = &permit.grant else {
            return Err(mismatch(&name).into());
        };
        let (pid, command) = signal::find(&grant.pid_file)?;
        permit.used();
        Ok(Process {
            pid: pid.cast_unsigned(),
            command,
        })
    }
}

fn mismatch(name: &str) -> Fault {
    Fault::Failed(format!("processes.{name} is of another kind"))
}
