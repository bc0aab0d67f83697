//! `transfer`: carries items to the other ends, and hears what became of them.
//!
//! An item that was sent is in PROCESSING until the other end has applied it: only then it
//! is DONE. One that the other end calls an error is an error here, with the same reason;
//! one that is nowhere at the other end is sent again.

pub mod directory;
mod remote;
mod service;

use std::collections::BTreeMap;

use mhost_sdk::{Capped, Context, Error, Failure, Report, Result};
use serde::Serialize;

use super::config;
use super::store::{self, Folder, State, Way};

/// What the other end says of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum There {
    /// It is there and waits.
    Waiting,
    Done,
    Error(String),
}

/// An item that is to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub name: String,
    pub size: u64,
    /// A guest path.
    pub path: String,
}

/// A way to an other end's queue.
pub trait Transport {
    /// What the other end says of these items; those that it does not know are left out.
    /// Then sends `items` to its `IMPORT/TO_PROCESS`, each whole or not at all: one
    /// answer for each.
    fn exchange(&self, asked: &[String], items: &[Outgoing]) -> Result<Exchange>;
}

/// What an exchange brought.
#[derive(Debug, Default)]
pub struct Exchange {
    pub there: BTreeMap<String, There>,
    /// For each item in order, up to the first that could not be sent.
    pub sent: Vec<Result<Sent>>,
}

/// What became of an item that was to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is at the other end, whole.
    There,
    /// The other end will never take it: why.
    Refused(String),
}

#[derive(Debug, Default, Serialize)]
struct Moved {
    target: String,
    sent: u64,
    acknowledged: u64,
    failed: u64,
    pruned: u64,
    waiting: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreachable: Option<String>,
}

/// See the module.
pub fn transfer(
    context: &Context<'_>,
    config: config::Transfer,
) -> std::result::Result<Report, Failure> {
    let mut all = Vec::new();
    let mut errors = Capped::default();
    let mut cause = None;
    for way in &config.targets {
        context.check_cancelled()?;
        let mut moved = Moved {
            target: way.name.clone(),
            ..Moved::default()
        };
        let queue = store::queue(&config.queues, &way.name)?;
        let transport = transport(context, way)?;
        let mut one = Target {
            context,
            config: &config,
            folder: Folder::new(context.files(), &queue, Way::Export),
            moved: &mut moved,
            errors: &mut errors,
        };
        // One that is down keeps no other from being served.
        match one.run(&*transport) {
            Ok(()) => {}
            Err(error @ Error::Denied(_)) => return Err(error.into()),
            Err(error) => {
                context.warn(format!("{}: {error}", way.name));
                moved.unreachable = Some(error.to_string());
                cause.get_or_insert(error);
            }
        }
        all.push(moved);
    }
    conclude(context.dry_run(), all, errors, cause)
}

fn conclude(
    dry_run: bool,
    all: Vec<Moved>,
    errors: Capped<String>,
    cause: Option<Error>,
) -> std::result::Result<Report, Failure> {
    let sum = |figure: fn(&Moved) -> u64| all.iter().map(figure).sum::<u64>();
    let failed = sum(|one| one.failed);
    let sent = if dry_run { "would be sent" } else { "sent" };
    let report = Report::new(format!(
        "{} items {sent}, {} acknowledged, {failed} refused",
        sum(|one| one.sent),
        sum(|one| one.acknowledged)
    ))
    .metric("items_sent", sum(|one| one.sent))
    .metric("items_acknowledged", sum(|one| one.acknowledged))
    .metric("items_failed", failed)
    .metric("items_waiting", sum(|one| one.waiting))
    .metric("items_pruned", sum(|one| one.pruned))
    .details(&serde_json::json!({ "targets": all, "errors": errors }));
    if let Some(cause) = cause {
        let down = all.iter().find(|one| one.unreachable.is_some());
        let name = down.map_or("", |one| one.target.as_str());
        let failure = Failure {
            message: format!("the target `{name}` could not be served: {cause}"),
            retryable: true,
            ..Failure::from(cause)
        };
        return Err(failure.with_partial(report));
    }
    if failed > 0 {
        let failure = Failure::permanent(format!(
            "{failed} items are errors at the other end; the reasons lie beside them in ERROR, and `retry` sends them again"
        ));
        return Err(failure.with_partial(report));
    }
    Ok(report)
}

fn transport<'a>(
    context: &'a Context<'a>,
    way: &'a config::Way,
) -> std::result::Result<Box<dyn Transport + 'a>, Failure> {
    Ok(match (&way.directory, &way.remote, &way.service) {
        (Some(path), None, None) => Box::new(directory::Directory::new(context, path)),
        (None, Some(on), None) => Box::new(remote::OnRemote::new(context, on)),
        (None, None, Some(over)) => Box::new(service::Service::new(context, over)?),
        _ => {
            return Err(Failure::permanent(format!(
                "the target `{}` needs one of `directory`, `remote` and `service`",
                way.name
            )));
        }
    })
}

/// One target's transfer.
struct Target<'a> {
    context: &'a Context<'a>,
    config: &'a config::Transfer,
    folder: Folder<'a>,
    moved: &'a mut Moved,
    errors: &'a mut Capped<String>,
}

impl Target<'_> {
    fn run(&mut self, transport: &dyn Transport) -> Result<()> {
        self.folder.demand()?;
        let _lock = match self.context.dry_run() {
            true => None,
            false => {
                let folder = self.folder.folder(State::Processing);
                Some(self.context.trees().lock(&folder)?)
            }
        };
        let flying = self.folder.items(State::Processing)?;
        let waiting = self.folder.items(State::ToProcess)?;
        self.moved.waiting = (flying.len() + waiting.len()) as u64;
        if self.context.dry_run() {
            self.moved.sent = waiting.len().min(self.config.batch) as u64;
            return Ok(());
        }
        let asked: Vec<String> = flying.iter().map(|entry| entry.name.clone()).collect();
        let items: Vec<Outgoing> = waiting
            .iter()
            .take(self.config.batch)
            .map(|entry| Outgoing {
                path: self.folder.path(State::ToProcess, &entry.name),
                name: entry.name.clone(),
                size: entry.size,
            })
            .collect();
        if !asked.is_empty() || !items.is_empty() {
            let exchange = transport.exchange(&asked, &items)?;
            for name in &asked {
                self.heard(name, exchange.there.get(name))?;
            }
            self.sent(&items, exchange.sent)?;
        }
        let day = 24 * 60 * 60 * 1000;
        let keep = u64::from(self.config.keep_days) * day;
        let before = self.context.now().saturating_sub(keep);
        self.moved.pruned += self.folder.prune(before)?;
        Ok(())
    }

    fn heard(&mut self, name: &str, there: Option<&There>) -> Result<()> {
        match there {
            Some(There::Waiting) => Ok(()),
            Some(There::Done) => {
                self.moved.acknowledged += 1;
                self.moved.waiting -= 1;
                self.folder.shift(name, State::Processing, State::Done)
            }
            Some(There::Error(reason)) => self.failed(name, State::Processing, reason),
            None => {
                self.context.warn(format!(
                    "{name}: the other end does not have it; it is sent again"
                ));
                self.folder.shift(name, State::Processing, State::ToProcess)
            }
        }
    }

    /// Of two items for one key the older must not be overtaken: after one that could
    /// not be sent nothing counts as sent.
    fn sent(&mut self, items: &[Outgoing], answers: Vec<Result<Sent>>) -> Result<()> {
        for (item, answer) in items.iter().zip(answers) {
            match answer? {
                Sent::There => {
                    self.moved.sent += 1;
                    self.folder
                        .shift(&item.name, State::ToProcess, State::Processing)?;
                }
                Sent::Refused(reason) => self.failed(&item.name, State::ToProcess, &reason)?,
            }
        }
        Ok(())
    }

    fn failed(&mut self, name: &str, from: State, reason: &str) -> Result<()> {
        self.moved.failed += 1;
        self.moved.waiting -= 1;
        self.errors.push(format!("{name}: {reason}"));
        self.folder.fail(name, from, reason)
    }
}

/// The folder of a state at the other end, below its queue.
fn import_folder(state: State) -> String {
    format!("{}/{}", Way::Import.name(), state.name())
}
