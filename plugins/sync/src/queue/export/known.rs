//! What a target was sent: a mark for each key.

use std::collections::{BTreeMap, HashSet};

use mhost_sdk::{Context, Doing as _, Failure, Optional as _};

use super::super::config;
use super::super::item::Kind;
use super::super::store::Folder;
use super::Thing;

/// The file is no larger: about two million keys.
const MOST: u64 = 200 << 20;

/// See the module.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<(Kind, String), String>);

impl Known {
    pub fn read(context: &Context<'_>, folder: &Folder<'_>) -> Result<Self, Failure> {
        let path = folder.file("known");
        let doing = || format!("read what was exported, {path}");
        let Some(text) = context.files().read(&path, MOST).optional().doing(doing)? else {
            return Ok(Self::default());
        };
        let list: Vec<(Kind, String, String)> = serde_json::from_slice(&text).map_err(|error| {
            Failure::permanent(format!(
                "{path} is damaged ({error}): remove it to export everything anew"
            ))
        })?;
        let entries = list
            .into_iter()
            .map(|(kind, key, mark)| ((kind, key), mark));
        Ok(Self(entries.collect()))
    }

    pub fn write(&self, folder: &Folder<'_>) -> Result<(), Failure> {
        let path = folder.file("known");
        let list: Vec<_> = self
            .0
            .iter()
            .map(|((kind, key), mark)| (kind, key, mark))
            .collect();
        let text = serde_json::to_vec(&list)
            .map_err(|error| Failure::permanent(format!("cannot write {path}: {error}")))?;
        folder
            .write(&path, &text)
            .doing(|| format!("write what was exported, {path}"))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn has(&self, kind: Kind, key: &str, mark: &str) -> bool {
        let there = self.0.get(&(kind, key.to_owned()));
        there.is_some_and(|there| there == mark)
    }

    pub fn add(&mut self, kind: Kind, key: &str, mark: &str) {
        self.0.insert((kind, key.to_owned()), mark.to_owned());
    }

    pub fn remove(&mut self, kind: Kind, key: &str) {
        self.0.remove(&(kind, key.to_owned()));
    }

    /// What was sent, is of a kind that is exported, and is not wanted any more.
    pub fn gone(&self, wanted: &[&Thing], config: &config::Export) -> Vec<(Kind, String)> {
        let there: HashSet<(Kind, &str)> = wanted
            .iter()
            .map(|thing| (thing.kind, thing.key.as_str()))
            .collect();
        let exported = |kind: Kind| match kind {
            Kind::PutFile => !config.files.is_empty(),
            Kind::PutRecord => !config.records.is_empty(),
            Kind::PutObject => !config.objects.is_empty(),
            _ => false,
        };
        self.0
            .keys()
            .filter(|(kind, key)| exported(*kind) && !there.contains(&(*kind, key.as_str())))
            .cloned()
            .collect()
    }
}
