//! Records: what the values of the tables look like on the disk. Each is a version
//! byte and a body; the types here are the format's own, so that the model may
//! change without changing the disk.
//!
//! Rows that are written with every run are postcard; what people define, and what
//! plugins say in JSON, is JSON. A body of an older version is read by the record that knows it
//! ([`Record::read`]); what concerns several records is [`super::migrate`]'s.

mod codes;
mod defined;
mod era;
mod letter;
mod line;
mod observed;
mod progress;
mod run;
mod value;

use redb::ReadableTable;

use super::trouble::{Res, Trouble};
pub use codes::{instant, millis};
pub use era::{ArrearsRec, EraRec, ZoneRec};
pub use letter::{Enclosure, WatchRec};
pub use line::LogChunk;
pub use observed::Stretch;
pub use progress::{OpenRec, OpenState, ProgressRec};
pub use run::{Row, RunningRec};
pub use value::{Counters, Number, StateValue};

/// A value on the disk.
pub trait Record: Sized {
    /// What `write` writes.
    const VERSION: u8;
    fn write(&self) -> Res<Vec<u8>>;
    /// Reads a body of any version up to the present one; the text says why not.
    fn read(version: u8, body: &[u8]) -> Result<Self, String>;
}

/// The bytes of a record.
pub fn encode<R: Record>(record: &R) -> Res<Vec<u8>> {
    let mut bytes = vec![R::VERSION];
    bytes.extend(record.write()?);
    Ok(bytes)
}

/// The record of these bytes.
pub fn decode<R: Record>(bytes: &[u8]) -> Res<R> {
    let (version, body) = bytes
        .split_first()
        .ok_or_else(|| Trouble::Damaged("a record is empty".into()))?;
    R::read(*version, body).map_err(Trouble::Damaged)
}

/// The record under a key.
pub fn get<'k, R: Record, K: redb::Key + 'static>(
    table: &impl ReadableTable<K, &'static [u8]>,
    key: impl std::borrow::Borrow<K::SelfType<'k>>,
) -> Res<Option<R>> {
    table
        .get(key)?
        .map(|bytes| decode(bytes.value()))
        .transpose()
}

/// Why a body of a version that nobody wrote cannot be read.
fn unknown<T>(what: &str, version: u8) -> Result<T, String> {
    Err(format!("{what} has the unknown version {version}"))
}

fn postcard<T: serde::Serialize>(value: &T) -> Res<Vec<u8>> {
    postcard::to_stdvec(value)
        .map_err(|error| Trouble::Database(format!("cannot encode a record: {error}")))
}

fn from_postcard<T: serde::de::DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{what} has {} bytes too many", rest.len())),
        Err(error) => Err(format!("{what} cannot be read: {error}")),
    }
}

fn json<T: serde::Serialize>(value: &T) -> Res<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| Trouble::Database(format!("cannot encode a record: {error}")))
}

fn from_json<T: serde::de::DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("{what} cannot be read: {error}"))
}
