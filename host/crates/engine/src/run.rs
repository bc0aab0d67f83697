//! One run from the host's job to what came of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant as Moment;

use mhost_model::plan::Ended;
use mhost_model::run::{ErrorKind, LogLevel, RunError};

use crate::bindings::exports::mhost::plugin::plugin as contract;
use crate::budget::WriteBudget;
use crate::capabilities::alerts::Alerts;
use crate::capabilities::progress::Progress;
use crate::capabilities::state::Overlay;
use crate::capabilities::watch::Observed;
use crate::directories::Directories;
use crate::guest::{self, Cut, End};
use crate::log::Log;
use crate::meter::Meter;
use crate::permits::{Basis, Granter};
use crate::plugin::Plugin;
use crate::state::Shared;
use crate::{Context, Finished, Job, failure, report};

type Answer = Result<contract::Report, contract::Failure>;

pub(crate) async fn run(plugin: &Plugin, job: Job) -> Finished {
    let Some(slot) = plugin.core.slots.take(&job.cancel).await else {
        return never_began();
    };
    let begun = Moment::now();
    let grace = job.grace;
    let context = contract_context(&job.context);
    let shared = shared(plugin, job);
    let body: guest::Body<Answer> = Box::new(move |instance, store| {
        Box::pin(async move {
            let plugin = instance.mhost_plugin_plugin();
            plugin.call_run(store, &context).await
        })
    });
    let ended = guest::call(plugin, &shared, grace, body, slot).await;
    let (ended, report) = judge(&shared, ended);
    finish(&shared, begun, ended, report)
}

/// It was cancelled while it waited for room.
fn never_began() -> Finished {
    Finished {
        ended: Ended::Cancelled,
        report: None,
        receipt: Default::default(),
        state: Default::default(),
        alerts: Vec::new(),
        observed: Vec::new(),
    }
}

/// What the guest's end means for the run.
fn judge(
    shared: &Shared,
    guest: guest::Ended<Answer>,
) -> (Ended, Option<mhost_model::run::Report>) {
    match guest.end {
        End::Returned(Ok(done)) => (Ended::Succeeded, Some(report::from_guest(shared, done))),
        End::Returned(Err(failed)) => {
            let partial = failed.partial.clone();
            let partial = partial.map(|done| report::from_guest(shared, done));
            let ended = if shared.cancel.is_cancelled() {
                Ended::Cancelled
            } else if shared.time_is_up() {
                // A verb of the host told the guest so, and it gave up in good order.
                Ended::TimedOut
            } else {
                Ended::Failed(failure::returned(shared, failed, guest.refused))
            };
            (ended, partial)
        }
        End::Trapped(_) if shared.time_is_up() => (Ended::TimedOut, None),
        End::Trapped(error) => {
            let error = failure::trapped(shared, &error, guest.refused);
            (Ended::Failed(error), None)
        }
        End::Cut(Cut::Deadline) => (Ended::TimedOut, None),
        End::Cut(Cut::Cancelled) => (Ended::Cancelled, None),
        End::Lost => (Ended::Failed(lost()), None),
    }
}

fn lost() -> RunError {
    RunError {
        message: "mhost itself failed in the middle of this run; this is a bug of mhost: please report it with mhost's log".into(),
        kind: ErrorKind::Crash,
        retryable: true,
        cause: None,
    }
}

fn finish(
    shared: &Shared,
    begun: Moment,
    ended: Ended,
    report: Option<mhost_model::run::Report>,
) -> Finished {
    if let Ended::TimedOut = ended {
        let text = format!(
            "limits.time: the run was cut off after {}; raise the limit if it needs longer",
            shared.limits.time
        );
        shared.log.message(LogLevel::Error, "host", &text);
    }
    shared.progress.finish();
    shared.log.close();
    let state = match (&ended, shared.granter.dry_run()) {
        (Ended::Succeeded, false) => shared.overlay.take(),
        (_, false) => shared.overlay.take_kept(),
        (_, true) => Default::default(),
    };
    let alerts = shared.alerts.take(shared);
    let mut receipt = shared
        .meter
        .receipt(shared.granter.granted(), begun.elapsed());
    report::hide_in_receipt(shared, &mut receipt);
    Finished {
        ended,
        report,
        receipt,
        state,
        alerts,
        observed: shared.observed.take(),
    }
}

fn shared(plugin: &Plugin, job: Job) -> Arc<Shared> {
    let meter = Arc::new(Meter::default());
    let masks = Arc::default();
    let context = job.context;
    let log = Log::new(
        job.log,
        Arc::clone(&job.clock),
        &job.limits,
        Arc::clone(&masks),
        Arc::clone(&meter),
    );
    let basis = Basis {
        task: context.task,
        action: context.action,
        grants: job.grants,
        granted_by: job.granted_by,
        declared: job.declared,
    };
    let granter = Granter::new(basis, context.dry_run, job.fence, Arc::clone(&meter));
    Arc::new(Shared {
        granter,
        budget: WriteBudget::new(&job.limits, Arc::clone(&meter)),
        meter,
        masks,
        directories: Directories::new(&plugin.core.protected),
        databases: job.databases,
        repositories: job.repositories,
        remotes: job.remotes,
        secrets: job.secrets,
        tasks: job.tasks,
        messenger: job.messenger,
        clock: job.clock,
        network: Arc::clone(&plugin.core.network),
        cancel: job.cancel,
        deadline: guest::deadline(job.limits.time.0),
        config: context.config,
        limits: job.limits,
        log,
        overlay: Overlay::new(job.state),
        alerts: Alerts::default(),
        watched: job.watched,
        observed: Observed::default(),
        progress: Progress::new(job.progress),
        over: AtomicBool::new(false),
    })
}

fn contract_context(context: &Context) -> contract::Context {
    let millis = |at: mhost_model::Instant| u64::try_from(at.timestamp_millis()).unwrap_or(0);
    contract::Context {
        action: context.action.clone(),
        task: context.task.clone(),
        config: serde_json::Value::Object(context.config.clone()).to_string(),
        dry_run: context.dry_run,
        attempt: context.attempt,
        idempotency_key: context.idempotency_key.clone(),
        fence: context.fence.0,
        fire_time: millis(context.fire_at),
        previous_success: context.previous_success.map(millis),
    }
}
