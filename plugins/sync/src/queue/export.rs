//! `export`: what changed since it was exported last becomes items, for each target at its
//! own pace.
//!
//! What a target was sent is in its queue's `EXPORT/known`. It is written after the items:
//! a run that is cut off exports them again, which changes nothing at the other end.

mod known;
mod objects;
mod records;
mod tree;

use mhost_sdk::files::Lock;
use mhost_sdk::{Capped, Context, Doing as _, Error, Failure, Optional as _, Report};
use serde::Serialize;

use super::config::{self, Destination};
use super::filter::{Facts, Filter};
use super::item::{self, Header, Kind, Noun};
use super::store::{self, Folder, STATES, State, Way};
use known::Known;

/// Something that this end has.
pub struct Thing {
    pub noun: Noun,
    pub key: String,
    pub size: u64,
    /// Milliseconds; 0 where it has no time.
    pub modified: u64,
    /// Changes whenever the content does.
    pub mark: String,
    pub payload: Payload,
    pub mode: Option<u32>,
    pub time: Option<(i64, u32)>,
}

impl Thing {
    /// One of no time and mode, with these bytes.
    fn of_bytes(noun: Noun, key: String, payload: Vec<u8>) -> Self {
        Self {
            noun,
            key,
            size: payload.len() as u64,
            modified: 0,
            mark: item::digest(&payload),
            payload: Payload::Bytes(payload),
            mode: None,
            time: None,
        }
    }
}

/// What an item carries.
pub enum Payload {
    /// A guest path.
    File(String),
    Bytes(Vec<u8>),
}

/// What became of one target.
#[derive(Debug, Default, Serialize)]
struct Sent {
    target: String,
    put: u64,
    deleted: u64,
    bytes: u64,
    filtered: u64,
    /// Files that changed while they were read; they come with the next run.
    restless: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

/// Something that is not exported, and why.
#[derive(Debug, Serialize)]
pub struct Skipped {
    pub path: String,
    pub why: &'static str,
}

/// See the module.
pub fn export(context: &Context<'_>, config: config::Export) -> Result<Report, Failure> {
    let targets = targets(context, &config)?;
    let mut things = Vec::new();
    let mut skipped = Capped::default();
    let nouns = nouns(&config)?;
    for files in &config.files {
        tree::collect(context, files, &mut things, &mut skipped)?;
    }
    for one in &config.records {
        records::collect(context, one, &mut things)?;
    }
    for one in &config.objects {
        objects::collect(context, one, &mut things)?;
    }
    distinct(&mut things)?;
    let mut sent = Vec::new();
    let mut cause: Option<Failure> = None;
    for (destination, filter, queue) in &targets {
        context.check_cancelled()?;
        let mut one = Target::new(context, &config, destination, filter.as_ref(), queue);
        // One that is braked keeps no other from being served.
        if let Err(failure) = one.run(&things, &nouns) {
            context.error(format!("{}: {}", destination.name, failure.message));
            one.sent.failed = Some(failure.message.clone());
            cause.get_or_insert(failure);
        }
        sent.push(one.sent);
    }
    let report = report(&sent, skipped);
    match cause {
        None => Ok(report),
        Some(failure) => Err(failure.with_partial(report)),
    }
}

/// Puts them in order; two of one key would be changes of each other in every run.
fn distinct(things: &mut [Thing]) -> Result<(), Failure> {
    things.sort_by(|a, b| (&a.noun, &a.key).cmp(&(&b.noun, &b.key)));
    let twice = things.windows(2).find(|pair| match pair {
        [one, other] => (&one.noun, &one.key) == (&other.noun, &other.key),
        _ => false,
    });
    match twice {
        Some([one, ..]) => Err(Failure::permanent(format!(
            "two sources have the {} `{}`: give one of them a `prefix`, or export it by a task and queues of its own",
            one.noun.name(),
            one.key
        ))),
        _ => Ok(()),
    }
}

/// What is exported: of these alone something can be gone.
fn nouns(config: &config::Export) -> Result<Vec<Noun>, Failure> {
    let mut nouns = Vec::new();
    for files in &config.files {
        nouns.push(tree::noun(files)?);
    }
    if !config.records.is_empty() {
        nouns.push(Noun::Record);
    }
    if !config.objects.is_empty() {
        nouns.push(Noun::Object);
    }
    Ok(nouns)
}

fn report(sent: &[Sent], skipped: Capped<Skipped>) -> Report {
    #[derive(Serialize)]
    struct Details<'a> {
        targets: &'a [Sent],
        skipped: Capped<Skipped>,
    }
    let left = match skipped.len() {
        0 => String::new(),
        count => format!("; {count} entries are none that can be exported"),
    };
    let sum = |figure: fn(&Sent) -> u64| sent.iter().map(figure).sum::<u64>();
    let (put, deleted) = (sum(|one| one.put), sum(|one| one.deleted));
    Report::new(format!(
        "{put} items and {deleted} deletions for {} targets{left}",
        sent.len()
    ))
    .metric("items_put", put)
    .metric("items_deleted", deleted)
    .metric("bytes_exported", sum(|one| one.bytes))
    .metric("items_filtered", sum(|one| one.filtered))
    .metric("items_restless", sum(|one| one.restless))
    .metric("entries_skipped", skipped.len())
    .details(&Details {
        targets: sent,
        skipped,
    })
}

type Chosen<'c> = (&'c Destination, Option<Filter>, String);

/// The targets with their filters read and their folders there: all of it before
/// anything is exported.
fn targets<'c>(
    context: &Context<'_>,
    config: &'c config::Export,
) -> Result<Vec<Chosen<'c>>, Failure> {
    config
        .targets
        .iter()
        .map(|destination| {
            let filter = destination.filter.as_deref().map(Filter::new).transpose()?;
            let queue = store::queue(&config.queues, &destination.name)?;
            Folder::new(context.files(), &queue, Way::Export)
                .make()
                .doing(|| format!("make the folders of the queue {queue}"))?;
            Ok((destination, filter, queue))
        })
        .collect()
}

/// One target's export.
struct Target<'a> {
    context: &'a Context<'a>,
    config: &'a config::Export,
    destination: &'a Destination,
    filter: Option<&'a Filter>,
    folder: Folder<'a>,
    known: Known,
    next: u64,
    sent: Sent,
}

impl<'a> Target<'a> {
    fn new(
        context: &'a Context<'a>,
        config: &'a config::Export,
        destination: &'a Destination,
        filter: Option<&'a Filter>,
        queue: &str,
    ) -> Self {
        let folder = Folder::new(context.files(), queue, Way::Export);
        let sent = Sent {
            target: destination.name.clone(),
            ..Sent::default()
        };
        Self {
            context,
            config,
            destination,
            filter,
            folder,
            known: Known::default(),
            next: 0,
            sent,
        }
    }

    fn run(&mut self, things: &[Thing], nouns: &[Noun]) -> Result<(), Failure> {
        let _lock = self.lock()?;
        self.known = Known::read(self.context, &self.folder)?;
        let mut wanted = Vec::new();
        for thing in things {
            match self.wants(thing)? {
                true => wanted.push(thing),
                false => self.sent.filtered += 1,
            }
        }
        let changed: Vec<_> = wanted
            .iter()
            .filter(|thing| !self.known.has(&thing.noun, &thing.key, &thing.mark))
            .collect();
        let gone = match self.config.delete {
            true => self.known.gone(&wanted, nouns),
            false => Vec::new(),
        };
        self.brake(&gone, wanted.len())?;
        if changed.is_empty() && gone.is_empty() {
            return Ok(());
        }
        self.reserve((changed.len() + gone.len()) as u64)?;
        let done = self.all(gone, &changed);
        if self.context.dry_run() {
            return done;
        }
        // What was exported is known, whatever came after it.
        let written = self.known.write(&self.folder);
        done.and(written)
    }

    /// Nobody else puts items into this queue meanwhile.
    fn lock(&self) -> Result<Option<Box<dyn Lock + 'a>>, Failure> {
        if self.context.dry_run() {
            return Ok(None);
        }
        let folder = self.folder.folder(State::ToProcess);
        let doing = || format!("have {folder} for this run alone");
        let lock = self.context.trees().lock(&folder).doing(doing)?;
        self.folder.sweep().doing(doing)?;
        Ok(Some(lock))
    }

    fn all(&mut self, gone: Vec<(Noun, String)>, changed: &[&&Thing]) -> Result<(), Failure> {
        for (noun, key) in gone {
            self.delete(noun, &key)?;
        }
        for thing in changed {
            self.context.check_cancelled()?;
            self.put(thing)?;
        }
        Ok(())
    }

    fn wants(&self, thing: &Thing) -> Result<bool, Failure> {
        self.filter.map_or(Ok(true), |filter| {
            filter.lets(&Facts {
                kind: &Kind::put(thing.noun.clone()).name(),
                key: &thing.key,
                size: thing.size,
                modified: thing.modified,
                source: &self.config.source,
                target: &self.destination.name,
            })
        })
    }

    /// An empty or unmounted source never means "delete all" at the other end.
    fn brake(&self, gone: &[(Noun, String)], left: usize) -> Result<(), Failure> {
        let there = self.known.len();
        let share = (gone.len() as u64).saturating_mul(100) / (there as u64).max(1);
        let most = u64::from(self.config.max_delete_percent);
        if gone.is_empty() || (left > 0 && (gone.len() <= 10 || share <= most)) {
            return Ok(());
        }
        Err(Failure::permanent(format!(
            "{} of {there} things that {} has would be deleted there: is the source mounted, or a filter wrong? \
             nothing was exported for it; raise `max_delete_percent` if that is meant",
            gone.len(),
            self.destination.name
        )))
    }

    /// Takes sequence numbers, durably, before any item has one. They begin at the time in
    /// milliseconds: so they go on growing where the queue was lost and made anew, and the
    /// other end does not take what is new for what it has applied already.
    fn reserve(&mut self, count: u64) -> Result<(), Failure> {
        let path = self.folder.file("sequence");
        let doing = || format!("take numbers for items in {path}");
        let files = self.context.files();
        let text = files.read(&path, 64).optional().doing(doing)?;
        let mut last = match text {
            None => 0,
            Some(text) => number(&text).ok_or_else(|| {
                Failure::permanent(format!(
                    "{path} is damaged: remove it, and the numbers go on from the present time"
                ))
            })?,
        };
        for state in STATES {
            let items = self.folder.items(state).doing(doing)?;
            let newest = items
                .iter()
                .filter_map(|entry| store::sequence(&entry.name));
            last = last.max(newest.max().unwrap_or(0));
        }
        last = last.max(self.context.now());
        self.next = last + 1;
        if !self.context.dry_run() {
            let text = (last + count).to_string();
            self.folder.write(&path, text.as_bytes()).doing(doing)?;
        }
        Ok(())
    }

    fn header(&mut self, kind: Kind, key: &str) -> Header {
        let sequence = self.next;
        self.next += 1;
        Header {
            source: self.config.source.clone(),
            sequence,
            kind,
            key: key.to_owned(),
            created: self.context.now(),
            size: 0,
            sha256: item::digest(b""),
            mode: None,
            modified: None,
        }
    }

    fn delete(&mut self, noun: Noun, key: &str) -> Result<(), Failure> {
        let header = self.header(Kind::delete(noun.clone()), key);
        self.place(&header, &Payload::Bytes(Vec::new()))?;
        self.known.remove(noun, key);
        self.sent.deleted += 1;
        Ok(())
    }

    fn put(&mut self, thing: &Thing) -> Result<(), Failure> {
        let mut header = self.header(Kind::put(thing.noun.clone()), &thing.key);
        (header.mode, header.modified) = (thing.mode, thing.time);
        match &thing.payload {
            Payload::Bytes(bytes) => {
                header.size = bytes.len() as u64;
                header.sha256 = item::digest(bytes);
            }
            Payload::File(path) => {
                let files = self.context.files();
                let algorithm = mhost_sdk::files::HashAlgorithm::Sha256;
                let digest = files.hash(path, algorithm, 0, None).optional();
                // Gone meanwhile: the next run sends its deletion.
                let Some(digest) = digest.doing(|| format!("read {path}"))? else {
                    return Ok(());
                };
                header.size = files.stat(path)?.size;
                header.sha256 = hex::encode(digest);
            }
        }
        if !self.place(&header, &thing.payload)? {
            self.sent.restless += 1;
            return Ok(());
        }
        self.known.add(thing.noun.clone(), &thing.key, &thing.mark);
        self.sent.put += 1;
        self.sent.bytes += header.size;
        Ok(())
    }

    /// Writes an item aside and gives it its place; false where its file changed meanwhile,
    /// which the next run exports.
    fn place(&self, header: &Header, payload: &Payload) -> Result<bool, Failure> {
        let name = header.file_name();
        let aside = self.folder.path(State::ToProcess, &format!(".new-{name}"));
        let path = self.folder.path(State::ToProcess, &name);
        let doing = || format!("write the item {path}");
        let files = self.context.files();
        if self.context.dry_run() {
            files.create(&aside, &[]).unless_dry_run().doing(doing)?;
            return Ok(true);
        }
        files.remove_file(&aside).optional().doing(doing)?;
        let written = match payload {
            Payload::Bytes(bytes) => item::write(files, &aside, header, bytes),
            Payload::File(from) => item::write_file(files, &aside, header, from),
        }
        .and_then(|()| files.sync(&aside))
        .and_then(|()| files.replace(&aside, &path));
        if written.is_err() {
            files.remove_file(&aside).optional().doing(doing)?;
        }
        match written {
            Err(Error::Damaged(_)) => {
                self.context.warn(format!(
                    "{}: it changed while it was read; the next run exports it",
                    header.key
                ));
                Ok(false)
            }
            written => written.map(|()| true).doing(doing),
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}
