//! Commands around a backup.

use mhost_sdk::{Context, Doing as _, Failure};

/// One that fails ends the run before anything was read.
pub fn before(context: &Context, names: &[String]) -> Result<(), Failure> {
    names
        .iter()
        .try_for_each(|name| run(context, name, "before the backup"))
}

/// All of them, whatever the first ones say; the first failure.
pub fn after(context: &Context, names: &[String]) -> Result<(), Failure> {
    let all = names
        .iter()
        .map(|name| run(context, name, "after the backup"));
    all.fold(Ok(()), Result::and)
}

fn run(context: &Context, name: &str, when: &str) -> Result<(), Failure> {
    let outcome = context.run_command(name);
    let outcome = outcome.doing(|| format!("run the command `{name}` {when}"))?;
    for line in outcome.stdout.lines() {
        context.info(format!("{name}: {line}"));
    }
    for line in outcome.stderr.lines() {
        context.warn(format!("{name}: {line}"));
    }
    if outcome.code == 0 {
        return Ok(());
    }
    let last = outcome.stderr.lines().last().unwrap_or("it said nothing");
    Err(Failure::permanent(format!(
        "the command `{name}` {when} ended with {}: {last}",
        outcome.code
    )))
}
