//! `mhost run` and `mhost tick`.

use mhost_model::Name;
use mhost_model::run::Outcome;

use super::{Context, bar, output, runs};
use crate::calls::runs::RunView;
use crate::calls::start::{RunTask, Tick};
use crate::exit::{Kind, Outcomes};
use crate::session::{self, Session};

#[derive(clap::Args)]
pub struct RunArgs {
    /// The task
    name: Name,
    /// Let nothing change, and report what would
    #[arg(long)]
    dry_run: bool,
    /// Run beside a living run, whatever the overlap policy says
    #[arg(long)]
    force: bool,
    /// Do not wait for the end (beside a running service)
    #[arg(long)]
    no_wait: bool,
}

pub async fn run(args: RunArgs, context: &Context) -> Outcomes<u8> {
    let session = Session::open(&context.home, false).await?;
    let call = RunTask {
        name: args.name,
        dry_run: args.dry_run,
        force: args.force,
        // Without a service, nobody else would run it.
        wait: !args.no_wait || matches!(session, Session::Local(_)),
    };
    let view = bar::watch(&session, session::ask_long(&session, call)).await;
    session.close().await?;
    let view = view?;
    context.output.data(&view, runs::show)?;
    Ok(exit_code(&view, args.no_wait))
}

/// How the run ended, as an exit code.
pub fn exit_code(view: &RunView, no_wait: bool) -> u8 {
    use mhost_model::run::ErrorKind as E;
    match (view.outcome, view.error.as_ref().map(|error| error.kind)) {
        (Some(Outcome::Succeeded | Outcome::Coalesced), _) => 0,
        (None, _) if no_wait => 0,
        (Some(Outcome::Skipped), _) => Kind::Busy.code(),
        (_, Some(E::Denied | E::Limit | E::Timeout)) => Kind::Refused.code(),
        // The guest's own file calls know no denial: they fail with the system's word.
        (_, Some(E::Failure)) if was_denied(view) => Kind::Refused.code(),
        (_, Some(E::Busy)) => Kind::Busy.code(),
        (_, Some(E::Setup)) => Kind::Usage.code(),
        (_, Some(E::Failure)) if makes_no_sense(view) => Kind::Usage.code(),
        _ => Kind::Failed.code(),
    }
}

fn was_denied(view: &RunView) -> bool {
    view.receipt
        .as_ref()
        .is_some_and(|receipt| !receipt.denied.is_empty())
}

/// What was asked made no sense, so nothing was done.
fn makes_no_sense(view: &RunView) -> bool {
    let cause = view.error.as_ref().and_then(|error| error.cause.as_ref());
    matches!(cause, Some(mhost_model::Fault::Invalid(_)))
}

/// A line for each row; only how many, where very many due times were coalesced.
fn told(views: &[RunView]) -> String {
    const SHOWN: usize = 20;
    let coalesced = |view: &&RunView| view.outcome == Some(Outcome::Coalesced);
    let count = views.iter().filter(coalesced).count();
    if count <= SHOWN {
        return runs::list(views);
    }
    let rest = views.iter().filter(|view| !coalesced(view));
    let rest: Vec<RunView> = rest.cloned().collect();
    format!(
        "{}{count} more due times were coalesced: `mhost runs list --outcome coalesced`\n",
        match rest.is_empty() {
            true => String::new(),
            false => runs::list(&rest),
        }
    )
}

pub async fn tick(context: &Context) -> Outcomes<u8> {
    let session = Session::open(&context.home, false).await?;
    let views = bar::watch(&session, session::ask_long(&session, Tick {})).await;
    session.close().await?;
    let views = views?;
    context
        .output
        .data(&views, |views| match views.is_empty() {
            true => "Nothing was due.\n".into(),
            false => told(views),
        })?;
    let bad =
        |view: &&RunView| exit_code(view, false) != 0 && view.outcome != Some(Outcome::Skipped);
    let failed = views.iter().filter(bad).count();
    if failed > 0 {
        output::note(&format!(
            "{failed} of {} runs did not succeed: `mhost runs show ID`",
            views.len()
        ));
    }
    Ok(if failed > 0 { Kind::Failed.code() } else { 0 })
}
