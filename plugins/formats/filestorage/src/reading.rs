//! The references of one record of a file, whatever its size.

use std::io::{Read, Seek};

use crate::error::{Damage, Flaw, Result};
use crate::layout::Oid;
use crate::pickle::{Scanner, Streamed, Unreadable};
use crate::scan::Record;
use crate::window::Window;

/// A longer record is read piece by piece.
pub const LONG: u64 = 1 << 20;

/// Calls `found` for each object that a record with data refers to. An error names the
/// object and the position.
pub fn references<R: Read + Seek>(
    window: &mut Window<R>,
    scanner: &mut Scanner,
    record: &Record,
    found: &mut dyn FnMut(Oid),
) -> Result<()> {
    let taken = pickles(window, scanner, record, found)?;
    taken.map(|_| ()).map_err(|why| unreadable(record, why))
}

/// The same, with an unreadable record as an answer, or how many bytes its pickles take.
pub fn pickles<R: Read + Seek>(
    window: &mut Window<R>,
    scanner: &mut Scanner,
    record: &Record,
    found: &mut dyn FnMut(Oid),
) -> Result<std::result::Result<u64, Unreadable>> {
    if record.length <= LONG {
        let data = window.slice(record.data(), record.length as usize)?;
        return Ok(scanner.slice(data, found));
    }
    let mut streamed = Streamed::new(window, record.data(), record.end());
    Ok(scanner.references(&mut streamed, found))
}

/// The error for a record that cannot be read.
pub fn unreadable(record: &Record, why: Unreadable) -> crate::Error {
    let damage = Damage::new(record.at, Flaw::Data(why));
    damage.tid(record.tid).oid(record.oid).into()
}
