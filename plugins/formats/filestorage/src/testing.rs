//! Makes files record by record, for tests.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use std::collections::HashMap;
use std::io::Cursor;

use crate::layout::{Head, MAGIC, Oid, RecordHead, Tid, status};
use crate::pack::{self, Options, Tail};
use crate::{Quiet, Window};

/// The id of the `n`th transaction: one a second.
pub fn tid(n: u64) -> Tid {
    Tid::at(1_704_067_200 + i64::try_from(n.min(1 << 32)).unwrap(), 0).unwrap()
}

/// A record whose object refers to these.
pub fn refers(to: &[u64]) -> Vec<u8> {
    let mut data = b"\x80\x03cmodule\nName\nq\x00.\x80\x03}q\x01(".to_vec();
    for (n, oid) in to.iter().enumerate() {
        data.extend([b'K', n as u8, b'C', 8]);
        data.extend(oid.to_be_bytes());
        data.extend(b"h\x00\x86Q");
    }
    data.extend(b"X\x05\0\0\0titleX\x04\0\0\0textu.");
    data
}

/// What a record holds.
pub enum Body {
    Data(Vec<u8>),
    /// What the object's record of the transaction `n` holds.
    As(u64),
    Gone,
}

/// A file being made.
pub struct Make {
    pub file: Vec<u8>,
    pub index: HashMap<u64, u64>,
    /// Where the record of an object in a transaction lies.
    pub places: HashMap<(u64, u64), u64>,
    /// Where transactions begin, by number.
    pub starts: HashMap<u64, u64>,
}

impl Default for Make {
    fn default() -> Self {
        Self {
            file: MAGIC.to_vec(),
            index: HashMap::new(),
            places: HashMap::new(),
            starts: HashMap::new(),
        }
    }
}

impl Make {
    /// Without a transaction.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the transaction number `n`.
    pub fn txn(mut self, n: u64, records: Vec<(u64, Body)>) -> Self {
        let texts = [format!("user{n}"), format!("note {n}"), String::new()];
        let head = Head {
            tid: tid(n),
            length: 0,
            status: status::DONE,
            texts: texts.each_ref().map(|text| text.len() as u16),
        };
        let start = self.file.len();
        self.file.extend(head.bytes());
        texts
            .iter()
            .for_each(|text| self.file.extend(text.as_bytes()));
        let mut fresh = Vec::new();
        for (oid, body) in records {
            let at = self.file.len() as u64;
            let length = match &body {
                Body::Data(data) => data.len() as u64,
                _ => 0,
            };
            let record = RecordHead {
                oid: Oid(oid),
                tid: tid(n),
                previous: self.index.get(&oid).copied().unwrap_or(0),
                txn: start as u64,
                version: 0,
                length,
            };
            self.file.extend(record.bytes());
            match body {
                Body::Data(data) => self.file.extend(data),
                Body::As(of) => self.file.extend(self.places[&(of, oid)].to_be_bytes()),
                Body::Gone => self.file.extend([0; 8]),
            }
            fresh.push((oid, at));
            self.places.insert((n, oid), at);
        }
        self.index.extend(fresh);
        let length = ((self.file.len() - start) as u64).to_be_bytes();
        self.file[start + 8..start + 16].copy_from_slice(&length);
        self.file.extend(length);
        self.starts.insert(n, start as u64);
        self
    }

    /// The same with one record that has data.
    pub fn set(self, n: u64, oid: u64, to: &[u64]) -> Self {
        self.txn(n, vec![(oid, Body::Data(refers(to)))])
    }
}

/// A site: a root, forty objects that are changed again and again, garbage, an undo, a deletion.
pub fn site() -> Make {
    let mut make = Make::new().set(1, 0, &[1, 2, 3]);
    for n in 2..60 {
        let oid = 1 + n % 40;
        make = make.set(n, oid, &[oid % 40 + 1, (oid + 1) % 40 + 1, (n * 7) % 40]);
    }
    make = make.txn(
        60,
        vec![
            (100, Body::Data(refers(&[101]))),
            (101, Body::Data(refers(&[100]))),
        ],
    );
    make = make.txn(61, vec![(3, Body::As(42)), (100, Body::Gone)]);
    make.set(62, 0, &(1..40).collect::<Vec<_>>())
}

/// Replaces bytes at a position.
pub fn patched(file: &[u8], at: u64, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    file
}

/// A sound file, packed to its end.
pub fn packed(file: &[u8]) -> Vec<u8> {
    let options = Options {
        stop: Tid(u64::MAX),
        collect: true,
        blobs: false,
        tail: Tail::LeaveOut,
    };
    let mut source = Window::new(Cursor::new(file)).unwrap();
    let plan = pack::plan(&mut source, &options, &mut Quiet).unwrap();
    if plan.idle.is_some() {
        return file.to_vec();
    }
    let mut to = Cursor::new(Vec::new());
    match pack::copy(&mut source, plan, &mut to, &mut Quiet).unwrap() {
        Some(_) => to.into_inner(),
        None => file.to_vec(),
    }
}
