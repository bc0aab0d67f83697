//! What a target was sent: a mark for each key.

use std::collections::{BTreeMap, HashSet};

use mhost_sdk::{Context, Doing as _, Failure, Optional as _};

use super::super::item::{Kind, Noun};
use super::super::store::Folder;
use super::Thing;

/// The file is no larger: about two million keys.
const MOST: u64 = 200 << 20;

/// See the module.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<(Noun, String), String>);

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
            .map(|(kind, key, mark)| ((kind.noun, key), mark));
        Ok(Self(entries.collect()))
    }

    pub fn write(&self, folder: &Folder<'_>) -> Result<(), Failure> {
        let path = folder.file("known");
        let list: Vec<_> = self
            .0
            .iter()
            .map(|((noun, key), mark)| (Kind::put(noun.clone()), key, mark))
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

    pub fn has(&self, noun: &Noun, key: &str, mark: &str) -> bool {
        let there = self.0.get(&(noun.clone(), key.to_owned()));
        there.is_some_and(|there| there == mark)
    }

    pub fn add(&mut self, noun: Noun, key: &str, mark: &str) {
        self.0.insert((noun, key.to_owned()), mark.to_owned());
    }

    pub fn remove(&mut self, noun: Noun, key: &str) {
        self.0.remove(&(noun, key.to_owned()));
    }

    /// What was sent, is of a kind that is exported, and is not wanted any more.
    pub fn gone(&self, wanted: &[&Thing], nouns: &[Noun]) -> Vec<(Noun, String)> {
        let there: HashSet<(&Noun, &str)> = wanted
            .iter()
            .map(|thing| (&thing.noun, thing.key.as_str()))
            .collect();
        self.0
            .keys()
            .filter(|(noun, key)| nouns.contains(noun) && !there.contains(&(noun, key.as_str())))
            .cloned()
            .collect()
    }
}
