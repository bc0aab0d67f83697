//! FileStorage, the file (`Data.fs`) in which ZODB keeps objects: reading it, packing
//! it, checking it, and getting out of a damaged one what is sound.
//!
//! Everything works on `Read + Seek` and `Write + Seek` in bounded memory: what
//! grows with a file is the index (an object's id and position), not its contents. Locks, renames and
//! free space are the caller's; so is the clock.
//!
//! The format, big-endian throughout: the magic; then transactions, each a header (id, length, status,
//! lengths of three texts), the texts, data records, and the length again; each data record a header
//! (object, transaction, previous record, start of the transaction, length) and two
//! pickles, or, where the length is 0, the position of the record whose data it repeats.

pub mod blobs;
pub mod checksum;
pub mod error;
pub mod exercise;
pub mod extent;
pub mod index;
pub mod inspect;
pub mod layout;
pub mod map;
pub mod output;
pub mod pack;
pub mod pickle;
mod reading;
pub mod recover;
pub mod resync;
pub mod scan;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod time;
pub mod verify;
pub mod watch;
pub mod window;
mod writing;

pub use error::{Damage, Error, Flaw, Result};
pub use layout::{Oid, Tid};
pub use watch::{Phase, Quiet, Watch};
pub use window::Window;
pub use writing::Written;
