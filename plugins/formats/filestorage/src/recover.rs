//! Getting out of a damaged file what is sound.
//!
//! Every transaction is examined ([`frame`], [`parts`]): one field that is wrong is set right where the
//! others say what it must be, and what holds unreadable data is lost. Behind a place that makes no sense, the next
//! whole transaction is looked for. The file is read once: a transaction is looked at whole, then written,
//! mostly from the memory in which it still lies; its data are looked into the first time only.
//!
//! Nothing is invented: a transaction is written as it was committed, or, with `partial`, less the
//! records that are lost, or not at all.

mod frame;
mod lost;
mod parts;
mod places;
mod reader;
mod report;

use std::io::{Read, Seek, Write};

use crate::error::{Damage, Error, Flaw, Result};
use crate::layout::{MAGIC, START, Tid, status};
use crate::scan;
use crate::watch::{Phase, Ticker, Watch};
use crate::window::Window;
use crate::writing::{Body, Writer, Written};

use frame::{Found, Frame};
use parts::Part;
use places::Places;
use reader::Reader;
pub use report::{Lost, Moved, Partial, Repair, Report, Tally};

/// What to do with a transaction of which only a part is sound.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Keep its good records.
    pub partial: bool,
}

/// What was written.
#[derive(Debug)]
pub struct Recovered {
    pub file: Written,
    pub report: Report,
    /// Whether there may be references to what is lost; else there are none but to objects that were deleted.
    pub suspects: bool,
}

/// What there is to recover; nothing is written.
pub fn survey<R: Read + Seek>(
    window: &mut Window<R>,
    options: Options,
    watch: &mut dyn Watch,
) -> Result<Report> {
    let mut work = Work::new(options, window.size());
    let mut ticker = Ticker::new(watch, Phase::Scan, window.size());
    work.all(window, &mut Nowhere, &mut ticker)?;
    ticker.done()?;
    Ok(work.report)
}

/// Writes all that is sound.
pub fn recover<R: Read + Seek, W: Write + Seek>(
    window: &mut Window<R>,
    options: Options,
    to: W,
    watch: &mut dyn Watch,
) -> Result<Recovered> {
    let mut sink = Sink {
        // Also of a file of Python 2, which today's ZODB refuses to look into.
        writer: Writer::new(to, MAGIC)?,
        places: Places::default(),
    };
    let mut work = Work::new(options, window.size());
    let mut ticker = Ticker::new(watch, Phase::Recover, window.size());
    work.all(window, &mut sink, &mut ticker)?;
    ticker.done()?;
    Ok(Recovered {
        file: sink.writer.finish()?,
        // A transaction that is left out was counted as there.
        suspects: work.report.stretches > 0 || work.reader.suspects(),
        report: work.report,
    })
}

/// Where recovered transactions go.
trait Take<R> {
    fn begin(&mut self, window: &mut Window<R>, frame: &Frame, tid: Tid, status: u8) -> Result<()>;
    fn record(&mut self, window: &mut Window<R>, part: &Part) -> Result<()>;
    fn end(&mut self) -> Result<()>;
}

/// They are only counted.
struct Nowhere;

impl<R: Read + Seek> Take<R> for Nowhere {
    fn begin(&mut self, _: &mut Window<R>, _: &Frame, _: Tid, _: u8) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, _: &mut Window<R>, _: &Part) -> Result<()> {
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

struct Sink<W> {
    writer: Writer<W>,
    /// What back pointers can lead to.
    places: Places,
}

impl<R: Read + Seek, W: Write + Seek> Take<R> for Sink<W> {
    fn begin(&mut self, window: &mut Window<R>, frame: &Frame, tid: Tid, status: u8) -> Result<()> {
        let head = crate::layout::Head {
            tid,
            status,
            ..frame.head
        };
        self.writer
            .begin(head, window, frame.at + crate::layout::TXN_HEAD as u64)
    }

    fn record(&mut self, window: &mut Window<R>, part: &Part) -> Result<()> {
        let record = &part.record;
        let previous = self.writer.current(record.oid);
        let target = match record.length {
            0 => self.places.get(record.back).unwrap_or(0),
            _ => 0,
        };
        let body = match (record.length, &part.data) {
            (0, Some(_)) if self.writer.earlier(target) => Body::Back(target),
            (0, None) => Body::Back(0),
            // What it repeats is lost as a record of its own, but its data are there.
            (0, Some(data)) => Body::Data(data),
            _ => Body::Data(record),
        };
        let place = self.writer.record(record.oid, previous, body, window)?;
        self.places.add(record.at, place);
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.writer.end()
    }
}

struct Work {
    options: Options,
    reader: Reader,
    report: Report,
    /// Where to go on, and the id of the last transaction that was recovered.
    at: u64,
    last: Tid,
}

impl Work {
    fn new(options: Options, bytes: u64) -> Self {
        Self {
            options,
            reader: Reader::default(),
            report: Report::new(bytes),
            at: START,
            last: Tid::default(),
        }
    }

    fn all<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        take: &mut dyn Take<R>,
        ticker: &mut Ticker<'_>,
    ) -> Result<()> {
        match scan::magic(window) {
            Err(Error::Damaged(damage)) => self.report.magic = Some(damage),
            outcome => {
                outcome?;
            }
        }
        while self.at < window.size() {
            ticker.at(self.at)?;
            match frame::find(window, self.at, self.last, &mut self.reader)? {
                Found::Framed(frame) => self.framed(window, &frame, take, ticker)?,
                Found::Nothing(damage) => self.hole(window, damage, take, ticker)?,
            }
        }
        Ok(())
    }

    /// A transaction whose beginning and end are known.
    fn framed<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        frame: &Frame,
        take: &mut dyn Take<R>,
        ticker: &mut Ticker<'_>,
    ) -> Result<()> {
        self.at = frame.next();
        let mut status = frame.head.status;
        match frame.head.status {
            status::UNDONE => {
                self.report.undone += 1;
                return Ok(());
            }
            status::CHECKPOINT if self.is_the_tail(window, frame, ticker)? => {
                let damage = Damage::new(frame.at, Flaw::Unfinished).tid(frame.head.tid);
                self.report.tail(window.size() - frame.at, damage);
                self.at = window.size();
                return Ok(());
            }
            status::DONE | status::PACKED => {}
            // Others follow, so that it was finished: the byte is damaged.
            _ => status = status::DONE,
        }
        let tally = self.tally(window, frame)?;
        if tally.bad == 0 {
            self.report.repaired(frame, status, &tally);
            return self.hand_over(window, frame, status, &tally, take);
        }
        self.lose(window, frame.at, frame.next(), tally.first_damage(frame))?;
        if self.options.partial && tally.good > 0 {
            self.report.partial(frame, &tally);
            return self.hand_over(window, frame, status::PACKED, &tally, take);
        }
        Ok(())
    }

    /// Looks at all records, and counts the good and the bad ones.
    fn tally<R: Read + Seek>(&mut self, window: &mut Window<R>, frame: &Frame) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut at = frame.records();
        while at < frame.end {
            match parts::next(window, frame, at, &mut self.reader)? {
                Ok(part) => {
                    at = part.end;
                    tally.good(&part);
                    self.reader.recovered(&part.record);
                }
                Err(bad) => {
                    at = bad.until;
                    tally.bad(bad.damage);
                }
            }
        }
        self.reader.end();
        Ok(tally)
    }

    fn hand_over<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        frame: &Frame,
        status: u8,
        tally: &Tally,
        take: &mut dyn Take<R>,
    ) -> Result<()> {
        let tid = self.in_order(frame);
        self.last = tid;
        self.report.transactions += 1;
        self.report.records += tally.good;
        self.reader.trust = tally.bad == 0;
        let taken = self.records(window, frame, tid, status, take);
        self.reader.trust = false;
        taken
    }

    fn records<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        frame: &Frame,
        tid: Tid,
        status: u8,
        take: &mut dyn Take<R>,
    ) -> Result<()> {
        take.begin(window, frame, tid, status)?;
        let mut at = frame.records();
        while at < frame.end {
            match parts::next(window, frame, at, &mut self.reader)? {
                Ok(part) => {
                    at = part.end;
                    take.record(window, &part)?;
                }
                Err(bad) => at = bad.until,
            }
        }
        take.end()
    }

    /// The transaction's id, moved where it does not come after the last one.
    fn in_order(&mut self, frame: &Frame) -> Tid {
        let tid = frame.head.tid;
        if tid > self.last {
            return tid;
        }
        let moved = Tid(self.last.0 + 1);
        self.report.moved(tid, moved);
        moved
    }

    fn is_the_tail<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        frame: &Frame,
        ticker: &mut Ticker<'_>,
    ) -> Result<bool> {
        Ok(crate::resync::next(window, frame.next(), ticker)?.is_none())
    }

    /// A place that makes no sense: what lies up to the next whole transaction is lost.
    fn hole<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        damage: Damage,
        take: &mut dyn Take<R>,
        ticker: &mut Ticker<'_>,
    ) -> Result<()> {
        let from = self.at;
        let next = crate::resync::next(window, from + 1, ticker)?;
        let to = next.map_or(window.size(), |txn| txn.at);
        if self.options.partial
            && let Some(frame) = frame::beginning(window, from, to, self.last, &mut self.reader)?
        {
            let tally = self.tally(window, &frame)?;
            self.report.partial(&frame, &tally);
            self.hand_over(window, &frame, status::PACKED, &tally, take)?;
        }
        self.at = to;
        if next.is_none() && damage.flaw == Flaw::Unfinished {
            self.report.tail(to - from, damage);
            return Ok(());
        }
        self.lose(window, from, to, damage)
    }

    /// Notes what is known of the transactions and objects in a stretch that is lost.
    fn lose<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        from: u64,
        to: u64,
        damage: Damage,
    ) -> Result<()> {
        let lost = lost::search(window, from, to, damage)?;
        self.report.lost(lost);
        Ok(())
    }
}
