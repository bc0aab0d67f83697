//! Whether a record's data can be read, asked once; and whether all that they refer to was recovered too.

use std::io::{Read, Seek};

use crate::error::Result;
use crate::layout::Oid;
use crate::map::{Numbers, Surely};
use crate::pickle::{Scanner, Unreadable};
use crate::reading;
use crate::scan::Record;
use crate::window::Window;

/// Reads the data of records.
#[derive(Default)]
pub struct Reader {
    scanner: Scanner,
    /// Data that were read before are not read again.
    pub trust: bool,
    /// Objects that were recovered, and not deleted since.
    there: Numbers,
    surely: Surely,
    /// References of the transaction at hand to others.
    open: Numbers,
    /// Those that its end has not answered.
    missing: Numbers,
}

impl Reader {
    /// What zc.zlibstorage compressed is taken as it is.
    pub fn readable<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        record: &Record,
    ) -> Result<std::result::Result<(), Unreadable>> {
        if self.trust {
            return Ok(Ok(()));
        }
        match self.taken(window, record)? {
            Ok(_) | Err(Unreadable::Compressed) => Ok(Ok(())),
            Err(why) => Ok(Err(why)),
        }
    }

    /// How many bytes the data take.
    pub fn taken<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        record: &Record,
    ) -> Result<std::result::Result<u64, Unreadable>> {
        let (there, surely, open) = (&self.there, &self.surely, &mut self.open);
        let found = &mut |oid: Oid| {
            if !surely.contains(oid.0) && !there.contains(&oid.0) {
                open.insert(oid.0);
            }
        };
        reading::pickles(window, &mut self.scanner, record, found)
    }

    /// A record is among what is recovered.
    pub fn recovered(&mut self, record: &Record) {
        let oid = record.oid.0;
        if record.deletes() {
            self.surely.remove(oid);
            self.there.remove(&oid);
        } else if !self.surely.contains(oid) {
            self.surely.insert(oid);
            self.there.insert(oid);
        }
    }

    /// The transaction at hand ends.
    pub fn end(&mut self) {
        let (there, missing) = (&self.there, &mut self.missing);
        missing.extend(self.open.drain().filter(|oid| !there.contains(oid)));
    }

    /// Whether a reference may lead to nothing, which a closer look decides. Those to objects that were deleted later are
    /// not among them.
    pub fn suspects(&self) -> bool {
        self.missing.iter().any(|oid| !self.there.contains(oid))
    }
}
