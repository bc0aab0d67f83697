//! Queues of the plugin `sync`, for plugins that add kinds of items (feature `queue`).
//!
//! A plugin adds a kind in two halves. What makes such items puts files into a directory that
//! `sync export` reads with `kind = "mail"`; they travel as `put-mail` and `delete-mail`. What
//! applies them has a queue of its own, into which `sync import` puts them (`importers = [{
//! queue = "/handlers/mail", kinds = ["mail"] }]`), and works it off with [`work_off`]. What
//! becomes of an item there is what `sync` tells the other end.
//!
//! [`item`] is the file of one item, [`folder`] the folders that it moves through.

pub mod folder;
pub mod item;

use crate::report::Capped;
use crate::{Context, Doing as _, Error, Failure, Optional as _, Report, Result};
use folder::{Folder, State, Way};
use item::Opened;

/// An item that is to be applied; it was found whole.
pub struct Item<'a> {
    /// The item's file.
    pub path: &'a str,
    pub opened: &'a Opened,
}

impl Item<'_> {
    /// The payload of an item that is small enough to be held.
    pub fn payload(&self, context: &Context<'_>, most: u64) -> Result<Vec<u8>> {
        item::payload(context.files(), self.path, self.opened, most)
    }
}

/// What became of the items of a queue.
#[derive(Debug, Default)]
pub struct Worked {
    pub applied: u64,
    /// Those that had nothing to change.
    pub unchanged: u64,
    /// Those that are left for a later run.
    pub waiting: u64,
    /// The items that could not be applied, each with the reason.
    pub errors: Capped<String>,
}

impl Worked {
    /// The report, or the failure where items could not be applied.
    pub fn conclude(self) -> std::result::Result<Report, Failure> {
        let errors = self.errors.len();
        let report = Report::new(format!(
            "{} items applied, {} had nothing to change, {errors} errors",
            self.applied, self.unchanged
        ))
        .metric("items_applied", self.applied)
        .metric("items_unchanged", self.unchanged)
        .metric("items_waiting", self.waiting)
        .metric("items_failed", errors)
        .details(&serde_json::json!({ "errors": self.errors }));
        if errors > 0 {
            let text = format!(
                "{errors} items could not be applied; the reasons lie beside them in ERROR"
            );
            return Err(Failure::permanent(text).with_partial(report));
        }
        Ok(report)
    }
}

/// Applies the items that wait in a queue (a guest path), in order: `apply` answers whether
/// something had to change, and must be able to be called twice for the same item. `busy`,
/// `timed-out` and `limit` leave the item and those after it for a later run; any other
/// error makes it an error, with the reason beside it.
pub fn work_off(
    context: &Context<'_>,
    queue: &str,
    mut apply: impl FnMut(&Item<'_>) -> Result<bool>,
) -> std::result::Result<Worked, Failure> {
    let folder = Folder::new(context.files(), queue, Way::Import);
    let mut worked = Worked::default();
    let doing = || format!("work off the queue {queue}");
    if context.dry_run() {
        worked.waiting = folder.items(State::ToProcess).doing(doing)?.len() as u64;
        return Ok(worked);
    }
    // A run that was cut off left these: they come first, as they were first.
    for entry in folder.items(State::Processing).doing(doing)? {
        folder
            .shift(&entry.name, State::Processing, State::ToProcess)
            .doing(doing)?;
    }
    let items = folder.items(State::ToProcess).doing(doing)?;
    for (n, entry) in items.iter().enumerate() {
        context.check_cancelled()?;
        folder
            .shift(&entry.name, State::ToProcess, State::Processing)
            .doing(doing)?;
        let old = folder.path(State::Error, &entry.name);
        context.files().remove_file(&old).optional().doing(doing)?;
        folder.forget_reason(&entry.name).doing(doing)?;
        let path = folder.path(State::Processing, &entry.name);
        let applied = item::open(context.files(), &path).and_then(|opened| {
            item::check(context.files(), &path, &opened)?;
            apply(&Item {
                path: &path,
                opened: &opened,
            })
        });
        match applied {
            Ok(changed) => {
                folder
                    .shift(&entry.name, State::Processing, State::Done)
                    .doing(doing)?;
                match changed {
                    true => worked.applied += 1,
                    false => worked.unchanged += 1,
                }
            }
            Err(error @ Error::Denied(_)) => return Err(error.into()),
            Err(error) if waits(&error) => {
                folder
                    .shift(&entry.name, State::Processing, State::ToProcess)
                    .doing(doing)?;
                context.warn(format!("{}: {error}", entry.name));
                worked.waiting += (items.len() - n) as u64;
                break;
            }
            Err(error) => {
                let reason = error.to_string();
                context.error(format!("{}: {reason}", entry.name));
                folder
                    .fail(&entry.name, State::Processing, &reason)
                    .doing(doing)?;
                worked.errors.push(format!("{}: {reason}", entry.name));
            }
        }
    }
    Ok(worked)
}

/// Whether the same item may be applied later without anybody's help.
pub fn waits(error: &Error) -> bool {
    matches!(error, Error::Busy(_) | Error::TimedOut(_) | Error::Limit(_))
}
