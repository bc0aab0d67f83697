//! What a file holds: transactions, and objects and classes by size and by age. Nothing is written.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek};

use serde::Serialize;

use crate::error::Result;
use crate::layout::{Oid, Tid};
use crate::map::Positions;
use crate::pickle;
use crate::scan::{self, Record, Scan};
use crate::watch::{Phase, Ticker, Watch};
use crate::window::Window;

/// So many classes are told apart; the rest counts as one.
const MOST_CLASSES: usize = 10_000;

/// So many of the largest objects are named.
const LARGEST: usize = 20;

/// A class's name mostly stands within so many bytes.
const CLASS_WITHIN: u64 = 512;

/// See the module.
#[derive(Debug, Default, Serialize)]
pub struct Inspection {
    pub bytes: u64,
    pub transactions: u64,
    pub records: u64,
    pub objects: u64,
    /// Transactions that a pack has gone over.
    pub packed: u64,
    pub first: Tid,
    pub last: Tid,
    /// Bytes of data of current records.
    pub current_bytes: u64,
    /// Most bytes of current records first.
    pub classes: Vec<Class>,
    /// By year and month.
    pub months: Vec<Month>,
    /// Largest current record first.
    pub largest: Vec<Large>,
}

/// The objects of one class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Class {
    pub class: String,
    pub objects: u64,
    /// Of their current records.
    pub bytes: u64,
    /// Records of all revisions, and their bytes.
    pub revisions: u64,
    pub revision_bytes: u64,
}

/// What was written in a month, and how much of that is current.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Month {
    /// `2024-01`.
    pub month: String,
    pub transactions: u64,
    pub bytes: u64,
    pub current_objects: u64,
    pub current_bytes: u64,
}

/// An object with its current record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Large {
    pub oid: Oid,
    pub class: String,
    pub bytes: u64,
    pub tid: Tid,
}

#[derive(Default)]
struct Work {
    out: Inspection,
    current: Positions,
    classes: HashMap<String, Class>,
    months: BTreeMap<String, Month>,
    largest: Vec<Large>,
}

/// Looks at a sound file.
pub fn inspect<R: Read + Seek>(
    window: &mut Window<R>,
    watch: &mut dyn Watch,
) -> Result<Inspection> {
    scan::magic(window)?;
    let mut work = Work::default();
    let mut ticker = Ticker::new(watch, Phase::Scan, window.size());
    work.transactions(window, &mut ticker)?;
    ticker.done()?;
    let mut ticker = Ticker::new(watch, Phase::Reach, window.size());
    work.current(window, &mut ticker)?;
    ticker.done()?;
    Ok(work.finish(window.size()))
}

impl Work {
    fn transactions<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        ticker: &mut Ticker<'_>,
    ) -> Result<()> {
        let mut scan = Scan::new(window);
        while let Some(txn) = scan.transaction()? {
            ticker.at(txn.at)?;
            if self.out.transactions == 0 {
                self.out.first = txn.head.tid;
            }
            self.out.last = txn.head.tid;
            self.out.transactions += 1;
            self.out.packed += u64::from(txn.head.status == crate::layout::status::PACKED);
            let month = self.month(txn.head.tid);
            month.transactions += 1;
            month.bytes += txn.next() - txn.at;
            while let Some(record) = scan.record()? {
                self.record(scan.window, &record)?;
            }
        }
        Ok(())
    }

    fn record<R: Read + Seek>(&mut self, window: &mut Window<R>, record: &Record) -> Result<()> {
        self.out.records += 1;
        if record.deletes() {
            self.current.remove(&record.oid.0);
            return Ok(());
        }
        self.current.insert(record.oid.0, record.at);
        if record.length > 0 {
            let class = self.class(window, record)?;
            class.revisions += 1;
            class.revision_bytes += record.length;
        }
        Ok(())
    }

    fn current<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        ticker: &mut Ticker<'_>,
    ) -> Result<()> {
        let mut order: Vec<u64> = self.current.values().copied().collect();
        order.sort_unstable();
        for at in order {
            ticker.at(at)?;
            let record = scan::seen(window, at)?;
            // The data lie elsewhere, but the state is of this transaction.
            let Some(data) = scan::resolve(window, record)? else {
                continue;
            };
            let bytes = data.length;
            self.out.objects += 1;
            self.out.current_bytes += bytes;
            let month = self.month(record.tid);
            month.current_objects += 1;
            month.current_bytes += bytes;
            let class = self.class(window, &data)?;
            class.objects += 1;
            class.bytes += bytes;
            let class = class.class.clone();
            self.large(Large {
                oid: record.oid,
                class,
                bytes,
                tid: record.tid,
            });
        }
        Ok(())
    }

    fn class<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        record: &Record,
    ) -> Result<&mut Class> {
        let head = record.length.min(CLASS_WITHIN) as usize;
        let name = pickle::class(window.slice(record.data(), head)?);
        let mut name = name.unwrap_or_else(|| "(no plain class)".to_owned());
        if self.classes.len() >= MOST_CLASSES && !self.classes.contains_key(&name) {
            name = "(further classes)".to_owned();
        }
        let class = self.classes.entry(name.clone()).or_default();
        if class.class.is_empty() {
            class.class = name;
        }
        Ok(class)
    }

    fn month(&mut self, tid: Tid) -> &mut Month {
        let when = tid.when().to_string();
        let name = when.get(..7).unwrap_or(&when).to_owned();
        let month = self.months.entry(name.clone()).or_default();
        month.month = name;
        month
    }

    fn large(&mut self, large: Large) {
        let least = self.largest.last().map_or(0, |least| least.bytes);
        if self.largest.len() >= LARGEST && large.bytes <= least {
            return;
        }
        let at = self
            .largest
            .partition_point(|other| other.bytes >= large.bytes);
        self.largest.insert(at, large);
        self.largest.truncate(LARGEST);
    }

    fn finish(self, bytes: u64) -> Inspection {
        let mut classes: Vec<Class> = self.classes.into_values().collect();
        classes.sort_by(|a, b| {
            let bytes = b.bytes.cmp(&a.bytes);
            bytes
                .then(b.revision_bytes.cmp(&a.revision_bytes))
                .then(a.class.cmp(&b.class))
        });
        Inspection {
            bytes,
            classes,
            months: self.months.into_values().collect(),
            largest: self.largest,
            ..self.out
        }
    }
}
