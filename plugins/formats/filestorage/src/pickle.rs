//! Which objects a record refers to.
//!
//! A record is two pickles with one memo: the class, then the state. A reference is
//! what `BINPERSID` takes: an object's id as bytes, or a tuple that begins with
//! one; a list stands for a weak reference or for one into another database, which do not keep
//! an object. To find the operands without loading anything, the pickle machine is run with values that
//! only tell ids, tuples and lists apart. Every opcode of the protocols 0 to 5 is known; one that is
//! not, or an operand of another form, is an error: such a record must never count as free of references.

mod input;
mod machine;
mod text;
mod value;

use serde::Serialize;
use thiserror::Error as ThisError;

pub use input::{Input, Slice, Streamed};

use crate::layout::Oid;
use machine::Machine;

/// Why a record's data cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ThisError)]
pub enum Unreadable {
    #[error("it ends inside a pickle")]
    End,
    #[error("it has the unknown opcode {0:#04x}")]
    Opcode(u8),
    #[error("it has pickle protocol {0}")]
    Protocol(u8),
    #[error("it takes a value from an empty stack")]
    Stack,
    #[error("it takes a value from the memo that is not there")]
    Memo,
    #[error("it has a length below zero, or beyond any file")]
    Length,
    #[error("it has a text that is not one")]
    Text,
    #[error("it refers to an object by something that is not an id")]
    Reference,
    #[error("it keeps more than four million values at once")]
    Large,
    #[error("it is compressed, as zc.zlibstorage does")]
    Compressed,
    #[error("data follow the two pickles")]
    More,
    #[error("the file could not be read")]
    File,
}

/// Runs the machine; kept from record to record, so that its memory is.
#[derive(Default)]
pub struct Scanner {
    machine: Machine,
}

impl Scanner {
    /// Calls `found` for each reference, in order and as often as it occurs. Answers how many
    /// bytes the two pickles take.
    pub fn references(
        &mut self,
        data: &mut impl Input,
        found: &mut dyn FnMut(Oid),
    ) -> Result<u64, Unreadable> {
        self.machine.reset();
        self.machine.pickle(data, found)?;
        self.machine.pickle(data, found)?;
        Ok(data.taken())
    }

    /// The same for a record in memory.
    pub fn slice(&mut self, data: &[u8], found: &mut dyn FnMut(Oid)) -> Result<u64, Unreadable> {
        compressed(data)?;
        self.references(&mut Slice::new(data), found)
    }
}

fn compressed(data: &[u8]) -> Result<(), Unreadable> {
    // `.z` and a zlib header; as a pickle it would end before it began.
    match data.starts_with(b".z") {
        true => Err(Unreadable::Compressed),
        false => Ok(()),
    }
}

/// The class of a record, as `module.name`, where it stands at the data's start as ZODB writes it.
pub fn class(data: &[u8]) -> Option<String> {
    text::class(data)
}

/// Whether a record is a blob's, whose content lies in a file of its own.
pub fn is_blob(data: &[u8]) -> bool {
    let head = &data[..data.len().min(64)];
    head.windows(9).any(|window| window == b"ZODB.blob")
        && class(data).as_deref() == Some("ZODB.blob.Blob")
}

#[cfg(test)]
mod tests;
