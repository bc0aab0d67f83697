//! Checking the whole file: the pages' checksums, then every record, then every index
//! in both directions. What is found is told, a line each; nothing is mended here.

mod ledger;
mod notices;
mod observed;
mod tasks;

use std::path::PathBuf;

use mhost_model::channel::ChannelDef;
use mhost_model::notify::Notify;
use mhost_model::resource::{DatabaseDef, PoolDef, RemoteDef, RepositoryDef};
use redb::{Database, DatabaseError, ReadableTable, StorageError};

use super::edit::{CHANNEL, DATABASE, NOTIFY, POOL, REMOTE, REPOSITORY, SOURCE};
use super::read::{Snapshot, parse_name};
use super::record::{Counters, decode, get};
use super::tables::{DEFINITIONS, META, PLUGINS};
use super::trouble::{Res, Trouble};

/// So many findings tell enough.
const LIMIT: usize = 1000;

/// The findings so far.
#[derive(Default)]
pub struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, finding: impl Into<String>) {
        if self.0.len() < LIMIT {
            self.0.push(finding.into());
        }
    }

    fn unless(&mut self, sound: bool, finding: impl FnOnce() -> String) {
        if !sound {
            self.add(finding());
        }
    }

    /// The value, or a finding about what it should have been.
    fn readable<T>(&mut self, what: impl std::fmt::Display, value: Res<T>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(Trouble::Damaged(why) | Trouble::Database(why)) => {
                self.add(format!("{what}: {why}"));
                None
            }
            Err(Trouble::Told(error)) => {
                self.add(format!("{what}: {error}"));
                None
            }
        }
    }
}

/// Everything that is wrong with the file.
pub fn findings(database: &mut Database) -> Res<Vec<String>> {
    let mut findings = Findings::default();
    match database.check_integrity() {
        Ok(true) => {}
        Ok(false) => findings.add("the pages did not fit their checksums, and were mended"),
        // What the disk refuses, when it is full, says nothing of the pages.
        Err(DatabaseError::Storage(error @ (StorageError::Io(_) | StorageError::PreviousIo))) => {
            return Err(error.into());
        }
        Err(error) => {
            findings.add(format!("the pages are damaged: {error}"));
            return Ok(findings.0);
        }
    }
    let snapshot = Snapshot::of(database)?;
    let checks: [fn(&Snapshot, &mut Findings) -> Res<()>; 5] = [
        definitions,
        tasks::check,
        ledger::check,
        notices::check,
        observed::check,
    ];
    for check in checks {
        let checked = check(&snapshot, &mut findings);
        findings.readable("the check ended early", checked);
    }
    Ok(findings.0)
}

fn counters(snapshot: &Snapshot) -> Res<Counters> {
    let meta = snapshot.txn().open_table(META)?;
    Ok(get(&meta, "counters")?.unwrap_or_default())
}

fn definitions(snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
    let table = snapshot.txn().open_table(DEFINITIONS)?;
    for row in table.iter()? {
        let (key, value) = row?;
        let (kind, name) = key.value();
        let value = value.value();
        let read = match kind {
            DATABASE => decode::<DatabaseDef>(value).map(drop),
            REPOSITORY => decode::<RepositoryDef>(value).map(drop),
            REMOTE => decode::<RemoteDef>(value).map(drop),
            POOL => decode::<PoolDef>(value).map(drop),
            CHANNEL => decode::<ChannelDef>(value).map(drop),
            NOTIFY => decode::<Notify>(value).map(drop),
            SOURCE => decode::<PathBuf>(value).map(drop),
            other => Err(Trouble::Damaged(format!("`{other}` is no kind"))),
        };
        let read = read.and_then(|()| parse_name(name));
        findings.readable(format!("the {kind} `{name}`"), read);
    }
    plugins(snapshot, findings)
}

fn plugins(snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
    let table = snapshot.txn().open_table(PLUGINS)?;
    for row in table.iter()? {
        let (key, value) = row?;
        let (name, version) = key.value();
        let what = format!("the plugin {name}@{version}");
        let plugin = decode::<mhost_model::plugin::PluginRecord>(value.value());
        if let Some(plugin) = findings.readable(&what, plugin) {
            let manifest = plugin.manifest;
            let same = (manifest.name.as_str(), manifest.version.as_str()) == (name, version);
            findings.unless(same, || format!("{what} says that it is another"));
        }
    }
    Ok(())
}
