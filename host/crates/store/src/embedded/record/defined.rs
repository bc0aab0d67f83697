//! What people define: JSON, since the model's types read themselves from it.

use mhost_model::channel::ChannelDef;
use mhost_model::notify::Notify;
use mhost_model::plugin::PluginRecord;
use mhost_model::resource::{DatabaseDef, PoolDef, RemoteDef, RepositoryDef};
use mhost_model::task::Task;

use super::{Record, from_json, json, unknown};
use crate::embedded::trouble::{Res, Trouble};

macro_rules! defined {
    ($($type:ty, $what:literal;)+) => {$(
        impl Record for $type {
            const VERSION: u8 = 1;

            fn write(&self) -> Res<Vec<u8>> {
                let bytes = json(self)?;
                readable::<Self>($what, bytes)
            }

            fn read(version: u8, body: &[u8]) -> Result<Self, String> {
                match version {
                    1 => from_json($what, body),
                    other => unknown($what, other),
                }
            }
        }
    )+};
}

defined! {
    Task, "a task";
    PluginRecord, "a plugin";
    DatabaseDef, "a database's definition";
    RepositoryDef, "a repository's definition";
    RemoteDef, "a remote's definition";
    PoolDef, "a pool's definition";
    ChannelDef, "a channel's definition";
    Notify, "who is told";
}

/// Refuses what could be written but not read back, such as a configuration that is
/// nested beyond what the JSON reader follows: the store must stay readable.
fn readable<T: serde::de::DeserializeOwned>(what: &str, bytes: Vec<u8>) -> Res<Vec<u8>> {
    match from_json::<T>(what, &bytes) {
        Ok(_) => Ok(bytes),
        Err(why) => Err(Trouble::conflict(format!("{why}: make it simpler"))),
    }
}
