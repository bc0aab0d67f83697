//! `import`: applies what arrived, in order.
//!
//! An item is applied at least once, and a second time changes nothing: for each key the
//! greatest sequence that was applied is kept in `IMPORT/.applied`, and an importer first
//! looks whether things are as the item wants them. So duplicates, reordered items and
//! runs that were cut off anywhere all end the same.

mod database;
mod files;
mod handler;
pub mod zope;

use std::collections::HashSet;

use mhost_sdk::queue;
use mhost_sdk::{Capped, Context, Doing as _, Error, Failure, Optional as _, Report, Result};
use serde::{Deserialize, Serialize};

use super::config::{self, Containers};
use super::item::{self, Header, Opened};
use super::keeper;
use super::localise::localise;
use super::store::{self, Folder, State, Way};

/// What applies items of some kinds.
pub trait Importer {
    /// Whether it takes an item.
    fn takes(&self, header: &Header) -> bool;

    /// Applies an item.
    fn apply(&self, item: &Item<'_>) -> Result<Outcome>;
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Changed,
    /// Everything was as the item wants it.
    Unchanged,
    /// Another task has it now; a later run hears what became of it.
    Handed,
}

impl Outcome {
    pub fn changed(changed: bool) -> Self {
        match changed {
            true => Self::Changed,
            false => Self::Unchanged,
        }
    }
}

/// An item that is to be applied.
pub struct Item<'a> {
    /// The item's file.
    pub path: &'a str,
    pub opened: &'a Opened,
    /// The key that it has at this end.
    pub key: &'a str,
    pub containers: Containers,
    /// A run before this one began with it, and did not end with it.
    pub begun: bool,
}

/// What was applied for a key last.
#[derive(Debug, Serialize, Deserialize)]
struct Applied {
    key: String,
    sequence: u64,
}

/// What became of the items.
#[derive(Debug, Default)]
struct Tally {
    applied: u64,
    unchanged: u64,
    superseded: u64,
    /// Those that another task has.
    handed: u64,
    waiting: u64,
    pruned: u64,
    errors: Capped<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    queue: String,
    item: String,
    reason: String,
}

/// The importers, the highest priority first.
struct Importers<'a>(Vec<(&'a config::Importer, Box<dyn Importer + 'a>)>);

impl<'a> Importers<'a> {
    /// What is not granted at all is found here, before an item is touched: where one place
    /// alone is denied, that is the error of the item that wants it.
    fn new(
        context: &'a Context<'a>,
        config: &'a config::Import,
    ) -> std::result::Result<Self, Failure> {
        let mut all = Vec::new();
        for one in &config.importers {
            let ways = (&one.files, &one.database, &one.zope, &one.queue);
            let importer: Box<dyn Importer + 'a> = match ways {
                (Some(root), None, None, None) => {
                    let there = context.files().stat(root);
                    there.doing(|| format!("import files to {root}"))?;
                    Box::new(files::Importer { context, root })
                }
                (None, Some(name), None, None) => {
                    if let Err(error @ Error::Denied(_)) = context.database(name) {
                        return Err(error.into());
                    }
                    Box::new(database::Importer { context, name })
                }
                (None, None, Some(end), None) => Box::new(zope::Importer::new(context, end)?),
                (None, None, None, Some(queue)) => {
                    Box::new(handler::Importer::new(context, queue, &one.kinds)?)
                }
                _ => {
                    return Err(Failure::permanent(
                        "an importer has one of `files`, `database`, `zope` and `queue`",
                    ));
                }
            };
            if one.queue.is_none() && !one.kinds.is_empty() {
                let text = "`kinds` of an importer goes with `queue` alone";
                return Err(Failure::permanent(text));
            }
            all.push((one, importer));
        }
        all.sort_by_key(|(one, _)| std::cmp::Reverse(one.priority));
        Ok(Self(all))
    }

    fn of(&self, header: &Header) -> Option<&dyn Importer> {
        let fits = |(one, importer): &&(&config::Importer, Box<dyn Importer + 'a>)| {
            header.key.starts_with(&one.prefix) && importer.takes(header)
        };
        self.0.iter().find(fits).map(|(_, importer)| &**importer)
    }
}

/// See the module.
pub fn import(
    context: &Context<'_>,
    config: config::Import,
) -> std::result::Result<Report, Failure> {
    let importers = Importers::new(context, &config)?;
    let names = match config.sources.is_empty() {
        true => keeper::names(context, &config.queues)?,
        false => config.sources.clone(),
    };
    let mut tally = Tally::default();
    for name in &names {
        let queue = store::queue(&config.queues, name)?;
        let folder = Folder::new(context.files(), &queue, Way::Import);
        if !config.sources.is_empty() {
            folder.demand().doing(|| format!("import from {queue}"))?;
        }
        let mut one = Queue {
            context,
            config: &config,
            importers: &importers,
            folder,
            name,
            tally: &mut tally,
        };
        one.run().doing(|| format!("import from {queue}"))?;
    }
    conclude(tally, context.dry_run())
}

fn conclude(tally: Tally, dry_run: bool) -> std::result::Result<Report, Failure> {
    let errors = tally.errors.len();
    let applied = if dry_run { "would be tried" } else { "applied" };
    let report = Report::new(format!(
        "{} items {applied}, {} had nothing to change, {errors} errors",
        tally.applied,
        tally.unchanged + tally.superseded
    ))
    .metric("items_applied", tally.applied)
    .metric("items_unchanged", tally.unchanged)
    .metric("items_superseded", tally.superseded)
    .metric("items_handed_on", tally.handed)
    .metric("items_waiting", tally.waiting)
    .metric("items_pruned", tally.pruned)
    .metric("items_failed", errors)
    .details(&serde_json::json!({ "errors": tally.errors }));
    if errors > 0 {
        let failure = Failure::permanent(format!(
            "{errors} items could not be applied; the reasons lie beside them in ERROR, and `retry` applies them again"
        ));
        return Err(failure.with_partial(report));
    }
    if tally.waiting > 0 {
        let failure = Failure::retryable(format!(
            "{} items wait for something that could not be reached",
            tally.waiting
        ));
        return Err(failure.with_partial(report));
    }
    Ok(report)
}

/// One queue's import.
struct Queue<'a> {
    context: &'a Context<'a>,
    config: &'a config::Import,
    importers: &'a Importers<'a>,
    folder: Folder<'a>,
    name: &'a str,
    tally: &'a mut Tally,
}

impl Queue<'_> {
    fn run(&mut self) -> Result<()> {
        if self
            .context
            .files()
            .stat_optional(&self.folder.folder(State::ToProcess))?
            .is_none()
        {
            return Ok(());
        }
        if self.context.dry_run() {
            let waiting = self.folder.items(State::ToProcess)?.len();
            self.tally.applied += waiting.min(self.config.batch) as u64;
            return Ok(());
        }
        let _lock = self
            .context
            .trees()
            .lock(&self.folder.folder(State::Processing))?;
        // A run that was cut off left these, or another task has them: they come first, as
        // they were first.
        let mut begun = HashSet::new();
        for entry in self.folder.items(State::Processing)? {
            self.folder
                .shift(&entry.name, State::Processing, State::ToProcess)?;
            begun.insert(entry.name);
        }
        let items = self.folder.items(State::ToProcess)?;
        for (n, entry) in items.iter().take(self.config.batch).enumerate() {
            if self.context.cancelled() {
                break;
            }
            self.folder
                .shift(&entry.name, State::ToProcess, State::Processing)?;
            // It is being tried again.
            self.forget_error(&entry.name)?;
            let path = self.folder.path(State::Processing, &entry.name);
            match self.apply(&path, begun.contains(&entry.name)) {
                Ok(true) => self
                    .folder
                    .shift(&entry.name, State::Processing, State::Done)?,
                Ok(false) => {}
                Err(error) if queue::waits(&error) => {
                    self.folder
                        .shift(&entry.name, State::Processing, State::ToProcess)?;
                    self.context.warn(format!("{}: {error}", entry.name));
                    self.tally.waiting += (items.len() - n) as u64;
                    break;
                }
                Err(error) => self.fail(&entry.name, &error)?,
            }
        }
        let day = 24 * 60 * 60 * 1000;
        let before = self
            .context
            .now()
            .saturating_sub(u64::from(self.config.keep_days) * day);
        self.tally.pruned += self.folder.prune(before)?;
        Ok(())
    }

    fn forget_error(&self, name: &str) -> Result<()> {
        let path = self.folder.path(State::Error, name);
        self.context.files().remove_file(&path).optional()?;
        self.folder.forget_reason(name)
    }

    fn fail(&mut self, name: &str, error: &Error) -> Result<()> {
        let reason = error.to_string();
        self.context.error(format!("{name}: {reason}"));
        self.folder.fail(name, State::Processing, &reason)?;
        self.tally.errors.push(Refused {
            queue: self.name.to_owned(),
            item: name.to_owned(),
            reason,
        });
        Ok(())
    }

    /// Whether the item is through; else another task has it.
    fn apply(&mut self, path: &str, begun: bool) -> Result<bool> {
        let files = self.context.files();
        let opened = item::open(files, path)?;
        item::check(files, path, &opened)?;
        let header = &opened.header;
        let ledger = self.ledger(header);
        let last: Option<Applied> = files
            .read(&ledger, 64 << 10)
            .optional()?
            .and_then(|text| serde_json::from_slice(&text).ok());
        if last.is_some_and(|last| last.sequence >= header.sequence) {
            self.tally.superseded += 1;
            return Ok(true);
        }
        let importer = self.importers.of(header).ok_or_else(|| {
            Error::Unsupported(format!(
                "no importer takes `{}` of `{}`; add one to `importers`",
                header.kind.name(),
                header.key
            ))
        })?;
        let key = localise(&self.config.localise, &header.kind.noun, &header.key);
        let outcome = importer.apply(&Item {
            path,
            opened: &opened,
            key: &key,
            containers: self.config.containers,
            begun,
        })?;
        match outcome {
            Outcome::Changed => self.tally.applied += 1,
            Outcome::Unchanged => self.tally.unchanged += 1,
            Outcome::Handed => {
                self.tally.handed += 1;
                return Ok(false);
            }
        }
        let applied = Applied {
            key: header.key.clone(),
            sequence: header.sequence,
        };
        let text = serde_json::to_vec(&applied)
            .map_err(|error| Error::Invalid(format!("cannot note what was applied: {error}")))?;
        self.folder.write(&ledger, &text)?;
        Ok(true)
    }

    /// Where it is noted what was applied for a key. A file and a record of one name are
    /// two things; a put and a delete are not.
    fn ledger(&self, header: &Header) -> String {
        let noun = header.kind.noun.name();
        let of = format!("{noun} {} {}", header.source, header.key);
        self.folder
            .file(&format!(".applied/{}", &item::digest(of.as_bytes())[..32]))
    }
}
