//! `mhost:plugin/processes`: the signals and commands that the operator granted by
//! name. There is no shell and no free argument; a grant may say where the path of a
//! granted file goes.

mod command;
mod signal;
#[cfg(test)]
mod tests;

use mhost_model::grant::Access::ReadOnly;
use mhost_model::grant::ProcessGrant;
use mhost_model::{Fault, FaultResult};
use wasmtime::component::Linker;

use crate::beneath::{GuestPath, locate};
use crate::bindings::mhost::plugin::processes::{self as contract, Host, Outcome, Process};
use crate::permits::ProcessVerb;
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, Shared, enter};

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
        Ok(outcome(ended))
    }

    async fn run_on(&mut self, name: String, paths: Vec<String>) -> Answer<Outcome> {
        let permit = self.shared.granter.process(&name, ProcessVerb::Run)?;
        let ProcessGrant::Command(grant) = &permit.grant else {
            return Err(mismatch(&name).into());
        };
        let paths = paths.iter().map(|path| host_path(&self.shared, path));
        let words = placed(
            &name,
            &grant.command,
            &paths.collect::<FaultResult<Vec<_>>>()?,
        )?;
        let ended = command::run(&words, self.shared.deadline).await?;
        permit.used();
        Ok(outcome(ended))
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

/// Where a guest path lies on the host. The command opens it by itself, with the rights
/// of mhost, so only names that lead out of the grant by no means are handed on.
fn host_path(shared: &Shared, text: &str) -> FaultResult<String> {
    let path = GuestPath::parse(text)?;
    let place = locate(shared, text, ReadOnly, "hand on")?;
    let grant = shared.granter.grants().dirs.get(path.grant.as_str());
    let root = grant.map(|grant| grant.path.clone()).unwrap_or_default();
    place.leaf("hand on")?;
    place.used();
    let whole = root.join(path.rest());
    whole.into_os_string().into_string().map_err(|_| {
        Fault::Unsupported(format!(
            "cannot hand on `{text}`: the granted path is no text"
        ))
    })
}

/// The grant's words with the paths in their places.
fn placed(name: &str, words: &[String], paths: &[String]) -> FaultResult<Vec<String>> {
    for number in 1..=paths.len() {
        if !words.contains(&format!("{{{number}}}")) {
            return Err(Fault::Invalid(format!(
                "processes.{name} has no place for path {number}: write `{{{number}}}` as a word of its command"
            )));
        }
    }
    let put = |word: &String| {
        let number = word
            .strip_prefix('{')
            .and_then(|word| word.strip_suffix('}'));
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let path = number.and_then(|number| paths.get(number.checked_sub(1)?));
        path.unwrap_or(word).clone()
    };
    Ok(words.iter().map(put).collect())
}

fn outcome(ended: command::Ended) -> Outcome {
    let command::Ended {
        code,
        stdout,
        stderr,
    } = ended;
    Outcome {
        code,
        stdout,
        stderr,
    }
}

fn mismatch(name: &str) -> Fault {
    Fault::Failed(format!("processes.{name} is of another kind"))
}
