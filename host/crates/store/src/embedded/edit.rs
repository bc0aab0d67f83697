//! Edits of the definitions. A batch is one change of a group: all of it or nothing.

mod task;

use std::collections::BTreeSet;

use mhost_model::Name;

use super::record::{Record, encode};
use super::trouble::{Res, Trouble};
use super::tx::Tx;
use crate::Edit;

/// The kinds of the table of definitions, as they stand in its keys.
pub const DATABASE: &str = "database";
pub const REPOSITORY: &str = "repository";
pub const REMOTE: &str = "remote";
pub const POOL: &str = "pool";
pub const CHANNEL: &str = "channel";
pub const NOTIFY: &str = "notify";
pub const SOURCE: &str = "source";
/// The name of what there is one of.
pub const ONLY: &str = "default";

impl Tx<'_> {
    pub fn edit(&mut self, edits: &[Edit]) -> Res<()> {
        let caught_up = |edit: &Edit| match edit {
            Edit::CatchUp(name) => Some(name.clone()),
            _ => None,
        };
        let catch_up: BTreeSet<Name> = edits.iter().filter_map(caught_up).collect();
        edits
            .iter()
            .try_for_each(|edit| self.edit_one(edit, &catch_up))?;
        // Slots, schedules and quarantines may have changed: look at all that waits.
        self.memory.stirred = true;
        self.memory.routes = None;
        Ok(())
    }

    fn edit_one(&mut self, edit: &Edit, catch_up: &BTreeSet<Name>) -> Res<()> {
        match edit {
            Edit::PutTask {
                name,
                spec,
                pin,
                enabled,
            } => self.put_task(name, spec, *pin, *enabled, catch_up.contains(name)),
            Edit::RemoveTask(name) => self.remove_task(name),
            Edit::SetEnabled { name, enabled } => {
                self.set_enabled(name, *enabled, catch_up.contains(name))
            }
            // Says something about the others of the batch.
            Edit::CatchUp(_) => Ok(()),
            Edit::SetQuarantine { name, quarantine } => self.set_quarantine(name, quarantine),
            Edit::SetPin { name, pin } => self.set_pin(name, *pin),
            Edit::PutDatabase(name, def) => self.define(DATABASE, name.as_str(), def),
            Edit::RemoveDatabase(name) => self.undefine(DATABASE, name.as_str()),
            Edit::PutRepository(name, def) => self.define(REPOSITORY, name.as_str(), def),
            Edit::RemoveRepository(name) => self.undefine(REPOSITORY, name.as_str()),
            Edit::PutRemote(name, def) => self.define(REMOTE, name.as_str(), def),
            Edit::RemoveRemote(name) => self.undefine(REMOTE, name.as_str()),
            Edit::PutPool(name, def) => self.define(POOL, name.as_str(), def),
            Edit::RemovePool(name) => self.undefine(POOL, name.as_str()),
            Edit::PutChannel(name, def) => self.define(CHANNEL, name.as_str(), &**def),
            Edit::RemoveChannel(name) => self.undefine(CHANNEL, name.as_str()),
            Edit::SetNotify(Some(notify)) => self.define(NOTIFY, ONLY, notify),
            Edit::SetSource(file) => self.define(SOURCE, ONLY, file),
            Edit::SetNotify(None) => {
                self.tables.definitions.remove((NOTIFY, ONLY))?;
                Ok(())
            }
            Edit::PutPlugin(plugin) => {
                let bytes = encode(&**plugin)?;
                let manifest = &plugin.manifest;
                let key = (manifest.name.as_str(), manifest.version.as_str());
                self.tables.plugins.put(key, bytes.as_slice())
            }
            Edit::RemovePlugin { name, version } => {
                let key = (name.as_str(), version.as_str());
                match self.tables.plugins.remove(key)? {
                    true => Ok(()),
                    false => Err(Trouble::not_found("plugin", format!("{name}@{version}"))),
                }
            }
        }
    }

    fn define(&mut self, kind: &'static str, name: &str, def: &impl Record) -> Res<()> {
        let bytes = encode(def)?;
        self.tables.definitions.put((kind, name), bytes.as_slice())
    }

    fn undefine(&mut self, kind: &'static str, name: &str) -> Res<()> {
        match self.tables.definitions.remove((kind, name))? {
            true => Ok(()),
            false => Err(Trouble::not_found(kind, name)),
        }
    }
}
