//! The first look: over the whole file once, from front to back.

use std::io::{Read, Seek};

use super::{Figures, Idle, Options, Plan, Revision, Surveyed, Tail, reach};
use crate::error::{Damage, Error, Result};
use crate::layout::{START, TRAILER, Tid, status};
use crate::map::{Numbers, Positions};
use crate::pickle::{self, Scanner};
use crate::scan::{self, Record, Scan, Txn};
use crate::watch::{Phase, Ticker, Watch};
use crate::window::Window;
use crate::{reading, resync};

/// Reads the file and decides what is kept.
pub fn plan<R: Read + Seek>(
    window: &mut Window<R>,
    options: &Options,
    watch: &mut dyn Watch,
) -> Result<Plan> {
    let surveyed = survey(window, options, watch)?;
    if surveyed.plan.idle.is_some() {
        return Ok(surveyed.plan);
    }
    reach::decide(window, options, surveyed, watch)
}

/// Which references of objects that are reachable now lead to nothing.
pub fn dangling<R: Read + Seek>(
    window: &mut Window<R>,
    watch: &mut dyn Watch,
) -> Result<reach::Dangling> {
    let options = Options {
        stop: Tid(u64::MAX),
        collect: true,
        blobs: false,
        tail: Tail::Refuse,
    };
    let surveyed = survey(window, &options, watch)?;
    reach::dangling_of(window, surveyed, watch)
}

struct Survey<'o> {
    options: &'o Options,
    out: Surveyed,
    scanner: Scanner,
    /// Blobs seen so far: a record without data of one is a blob's too.
    blobs: Numbers,
    any_unpacked: bool,
    after_split: Option<u8>,
    last_status: u8,
    any_record: bool,
}

fn survey<R: Read + Seek>(
    window: &mut Window<R>,
    options: &Options,
    watch: &mut dyn Watch,
) -> Result<Surveyed> {
    let mut survey = Survey::new(options, scan::magic(window)?);
    let mut ticker = Ticker::new(watch, Phase::Scan, window.size());
    let mut last = (START, Tid::default());
    loop {
        let mut scan = Scan::from(window, last.0, last.1);
        match survey.transactions(&mut scan, &mut ticker, &mut last) {
            Ok(()) => break,
            Err(Error::Damaged(damage)) => {
                tail(window, options, &damage, &mut ticker)?;
                survey.out.plan.figures.tail = window.size() - damage.position;
                window.cut(damage.position);
            }
            Err(error) => return Err(error),
        }
    }
    ticker.done()?;
    Ok(survey.finish(window.size()))
}

/// Whether a place that ends the walk is the file's unfinished end; else the damage is passed on.
fn tail<R: Read + Seek>(
    window: &mut Window<R>,
    options: &Options,
    damage: &Damage,
    ticker: &mut Ticker<'_>,
) -> Result<()> {
    let unfinished = damage.flaw.at_the_tail() && options.tail == Tail::LeaveOut;
    // ZODB would cut off half the file where a length in its middle is wrong.
    if unfinished && resync::next(window, damage.position + 1, ticker)?.is_none() {
        return Ok(());
    }
    Err(damage.clone().into())
}

impl<'o> Survey<'o> {
    fn new(options: &'o Options, magic: [u8; 4]) -> Self {
        let plan = Plan {
            figures: Figures::default(),
            idle: None,
            dangling: Vec::new(),
            blobs: Vec::new(),
            blobs_kept: Vec::new(),
            magic,
            split: 0,
            kept: Vec::new(),
            moved: Positions::default(),
        };
        Self {
            options,
            out: Surveyed {
                plan,
                current: Positions::default(),
                later: Numbers::default(),
                targets: Vec::new(),
                blobs: Vec::new(),
            },
            scanner: Scanner::default(),
            blobs: Numbers::default(),
            any_unpacked: false,
            after_split: None,
            last_status: 0,
            any_record: false,
        }
    }

    fn transactions<R: Read + Seek>(
        &mut self,
        scan: &mut Scan<'_, R>,
        ticker: &mut Ticker<'_>,
        last: &mut (u64, Tid),
    ) -> Result<()> {
        while let Some(txn) = scan.transaction()? {
            ticker.at(txn.at)?;
            let early = txn.head.tid <= self.options.stop;
            self.begin(&txn, early);
            while let Some(record) = scan.record()? {
                self.out.plan.figures.records += 1;
                self.any_record = true;
                match early {
                    true => self.early(scan.window, &record)?,
                    false => self.late(scan.window, &record)?,
                }
            }
            *last = (scan.at(), txn.head.tid);
        }
        Ok(())
    }

    fn begin(&mut self, txn: &Txn, early: bool) {
        let figures = &mut self.out.plan.figures;
        figures.transactions += 1;
        self.last_status = txn.head.status;
        if early {
            self.any_unpacked |= txn.head.status != status::PACKED;
            figures.most_written += txn.head.size() + TRAILER;
        } else if self.after_split.is_none() {
            self.after_split = Some(txn.head.status);
            self.out.plan.split = txn.at;
        }
    }

    #[inline]
    fn early<R: Read + Seek>(&mut self, window: &mut Window<R>, record: &Record) -> Result<()> {
        if record.deletes() {
            self.out.current.remove(&record.oid.0);
        } else {
            self.out.current.insert(record.oid.0, record.at);
        }
        if self.options.blobs {
            self.note_blob(window, record)?;
        }
        Ok(())
    }

    fn note_blob<R: Read + Seek>(&mut self, window: &mut Window<R>, record: &Record) -> Result<()> {
        let known = self.blobs.contains(&record.oid.0);
        let is_blob = match record.length {
            0 => known && !record.deletes(),
            length => {
                let head = length.min(256) as usize;
                pickle::is_blob(window.slice(record.data(), head)?)
            }
        };
        if is_blob {
            self.blobs.insert(record.oid.0);
            let revision = Revision {
                oid: record.oid,
                tid: record.tid,
            };
            self.out.blobs.push((revision, record.at));
        }
        Ok(())
    }

    fn late<R: Read + Seek>(&mut self, window: &mut Window<R>, record: &Record) -> Result<()> {
        let split = self.out.plan.split;
        if record.length > 0 {
            if self.options.collect {
                let later = &mut self.out.later;
                let found = &mut |oid: crate::Oid| {
                    later.insert(oid.0);
                };
                reading::references(window, &mut self.scanner, record, found)?;
            }
            return Ok(());
        }
        if record.back == 0 {
            return Ok(());
        }
        let target = scan::back(window, record)?;
        self.out.plan.moved.insert(target.at, 0);
        if target.at < split {
            self.out.targets.push((target.oid, target.at));
        }
        Ok(())
    }

    fn finish(mut self, end: u64) -> Surveyed {
        let plan = &mut self.out.plan;
        if self.after_split.is_none() {
            plan.split = end;
        }
        plan.figures.bytes = end;
        plan.figures.bytes_younger = end - plan.split;
        plan.figures.objects = self.out.current.len() as u64;
        let next = self.after_split.unwrap_or(self.last_status);
        plan.idle = match () {
            () if !self.any_record => Some(Idle::Empty),
            () if plan.split == START => Some(Idle::Young),
            () if !self.any_unpacked && next == status::PACKED => Some(Idle::Packed),
            () => None,
        };
        self.out
    }
}
