//! Why a run failed, for a person: the panic's message first, then file and line in
//! the plugin, then its last words.

use mhost_model::Fault;
use mhost_model::run::{ErrorKind, RunError};
use thiserror::Error;
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::bindings::exports::mhost::plugin::plugin as contract;
use crate::guest::TooManyCalls;
use crate::report::text;
use crate::state::Shared;

mod places;

/// The run could not begin.
#[derive(Debug, Error)]
#[error("{}", .0.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"))]
pub(crate) struct CannotBegin(pub Vec<Fault>);

/// A failure that the guest returned.
pub(crate) fn returned(
    shared: &Shared,
    failure: contract::Failure,
    refused: Option<String>,
) -> RunError {
    let cause = failure.cause.map(|cause| shared.masked(cause.into()));
    let refused = refused.or_else(|| shared.budget.refused());
    let kind = match &cause {
        None if refused.is_some() => ErrorKind::Limit,
        Some(Fault::Denied(_)) => ErrorKind::Denied,
        Some(Fault::Limit(_)) => ErrorKind::Limit,
        Some(Fault::Busy(_)) => ErrorKind::Busy,
        // A request that makes no sense comes of a configuration that makes none.
        Some(Fault::Invalid(_)) => ErrorKind::Setup,
        _ => ErrorKind::Failure,
    };
    let mut message = text(shared, &failure.message);
    if message.trim().is_empty() {
        message = "the plugin failed and did not say why".into();
    }
    if let Some(refused) = refused {
        message = format!("{message}\n{refused}");
    }
    RunError {
        message,
        kind,
        retryable: failure.retryable,
        cause,
    }
}

/// A trap, an exit, or a beginning that failed.
pub(crate) fn trapped(
    shared: &Shared,
    error: &wasmtime::Error,
    refused: Option<String>,
) -> RunError {
    if let Some(begin) = error.downcast_ref::<CannotBegin>() {
        return cannot_begin(shared, begin);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        let message = "all instances that the engine may have are in use; try again later".into();
        return ended(ErrorKind::Busy, message, true);
    }
    let last_words = shared.log.last_words();
    let panic = places::panic_message(&last_words);
    let panic = panic.map(|panic| format!("the plugin panicked: {panic}"));
    let refused = refused.or_else(|| shared.budget.refused());
    let (kind, mut message) = match (limit(error, refused), panic) {
        (Some(limit), Some(panic)) => (ErrorKind::Limit, format!("{panic}\n{limit}")),
        (Some(limit), None) => (ErrorKind::Limit, limit),
        (None, Some(panic)) => (ErrorKind::Trap, panic),
        (None, None) => (ErrorKind::Trap, in_words(error)),
    };
    let lines = error.downcast_ref::<WasmBacktrace>().map(places::of_plugin);
    for line in lines.into_iter().flatten() {
        message.push_str("\n  at ");
        message.push_str(&line);
    }
    let last_words = places::newest_lines(&last_words);
    if !last_words.is_empty() {
        message.push_str("\nits last words:\n");
        message.push_str(&last_words);
    }
    shared.masks.hide_in(&mut message);
    ended(kind, message, false)
}

fn ended(kind: ErrorKind, message: String, retryable: bool) -> RunError {
    RunError {
        message,
        kind,
        retryable,
        cause: None,
    }
}

fn cannot_begin(shared: &Shared, begin: &CannotBegin) -> RunError {
    let faults = begin.0.iter().map(|fault| shared.masked(fault.clone()));
    let lines: Vec<String> = faults.map(|fault| fault.to_string()).collect();
    RunError {
        message: lines.join("\n"),
        kind: ErrorKind::Setup,
        retryable: false,
        cause: begin.0.first().cloned(),
    }
}

/// The limit behind a trap, if it was one.
fn limit(error: &wasmtime::Error, refused: Option<String>) -> Option<String> {
    if let Some(calls) = error.downcast_ref::<TooManyCalls>() {
        return Some(format!("{calls}; raise the limit if it needs more"));
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Some("limits.handles: the plugin holds as many handles as it may; it must close some, or raise the limit".into());
    }
    let text = format!("{error:#}");
    if text.contains("fuel allocated for hostcalls") {
        return Some("one call into the host carried more than 64 MiB of data; the plugin must pass it in pieces".into());
    }
    if text.contains("requested len") && text.contains("exceeds limit") {
        return Some("the plugin asked for more random bytes in one call than the host gives (1 MiB); it must ask for less at a time".into());
    }
    refused
}

/// A trap in plain words.
fn in_words(error: &wasmtime::Error) -> String {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return format!("the plugin ended itself (exit code {code}) instead of returning a report");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            "the plugin's stack is exhausted: it calls itself too deeply".into()
        }
        Some(Trap::UnreachableCodeReached) => {
            "the plugin aborted (an instruction that must not be reached was)".into()
        }
        Some(Trap::MemoryOutOfBounds) => {
            "the plugin reached outside of its memory, as too deep a recursion does".into()
        }
        Some(Trap::IntegerDivisionByZero) => "the plugin divided by zero".into(),
        Some(trap) => format!("the plugin trapped: {trap}"),
        None => format!("the plugin was ended by the host: {}", error.root_cause()),
    }
}
