//! Getting out of a damaged file what is sound.
//!
//! Every transaction is examined ([`frame`], [`parts`]): one field that is wrong is set right where the
//! others say what it must be, and what holds unreadable data is lost. Behind a place that makes no sense, the next
//! whole transaction is looked for. The file is gone over twice: first to see, then to write, so
//! that a report can be had without writing, and back pointers are known when their targets are written. Data
//! are read the first time only; the second time goes by the headers wherever nothing was wrong.
//!
//! Nothing is invented: a transaction is written as it was committed, or, with `partial`, less the
//! records that are lost, or not at all.

mod frame;
mod lost;
mod parts;
mod reader;
mod report;

use std::io::{Read, Seek, Write};

use crate::error::{Damage, Error, Flaw, Result};
use crate::layout::{MAGIC, START, Tid, status};
use crate::map::{Numbers, Positions};
use crate::scan;
use crate::watch::{Phase, Ticker, Watch};
use crate::window::Window;
use crate::writing::{Body, Writer, Written};

use frame::{Found, Frame};
use parts::Part;
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
    /// Whether there may be references to what is lost; else there are none.
    pub suspects: bool,
}

/// What there is to recover; nothing is written.
pub fn survey<R: Read + Seek>(
    window: &mut Window<R>,
    options: Options,
    watch: &mut dyn Watch,
) -> Result<Report> {
    Ok(look(window, options, watch)?.report)
}

/// Writes all that is sound.
pub fn recover<R: Read + Seek, W: Write + Seek>(
    window: &mut Window<R>,
    options: Options,
    to: W,
    watch: &mut dyn Watch,
) -> Result<Recovered> {
    let Looked {
        report,
        targets,
        doubtful,
        suspects,
    } = look(window, options, watch)?;
    let mut sink = Sink {
        // Also of a file of Python 2, which today's ZODB refuses to look into.
        writer: Writer::new(to, MAGIC)?,
        moved: targets.into_iter().map(|at| (at, 0)).collect(),
    };
    let mut work = Work::new(options, window.size());
    work.doubtful = Some(doubtful);
    let mut ticker = Ticker::new(watch, Phase::Recover, window.size());
    work.all(window, &mut sink, &mut ticker)?;
    ticker.done()?;
    Ok(Recovered {
        file: sink.writer.finish()?,
        report,
        suspects,
    })
}

/// What the first time has shown.
struct Looked {
    report: Report,
    /// Which records back pointers lead to.
    targets: Numbers,
    /// Where transactions begin of which something is wrong.
    doubtful: Numbers,
    suspects: bool,
}

fn look<R: Read + Seek>(
    window: &mut Window<R>,
    options: Options,
    watch: &mut dyn Watch,
) -> Result<Looked> {
    let mut work = Work::new(options, window.size());
    let mut ticker = Ticker::new(watch, Phase::Scan, window.size());
    let mut targets = Numbers::default();
    work.all(window, &mut targets, &mut ticker)?;
    ticker.done()?;
    let lost = work.report.stretches > 0;
    Ok(Looked {
        report: work.report,
        targets,
        doubtful: work.noted,
        // A transaction that is left out was counted as there.
        suspects: lost || work.reader.suspects(),
    })
}

/// Where recovered transactions go.
trait Take<R> {
    fn begin(&mut self, window: &mut Window<R>, frame: &Frame, tid: Tid, status: u8) -> Result<()>;
    fn record(&mut self, window: &mut Window<R>, part: &Part) -> Result<()>;
    fn end(&mut self) -> Result<()>;
}

/// The first time only the targets of back pointers are collected.
impl<R: Read + Seek> Take<R> for Numbers {
    fn begin(&mut self, _: &mut Window<R>, _: &Frame, _: Tid, _: u8) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, _: &mut Window<R>, part: &Part) -> Result<()> {
        if part.record.length == 0 && part.record.back != 0 {
            self.insert(part.record.back);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

struct Sink<W> {
    writer: Writer<W>,
    /// Where the targets of back pointers come to lie.
    moved: Positions,
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
        let target = self.moved.get(&record.back).copied().unwrap_or(0);
        let body = match (record.length, &part.data) {
            (0, Some(_)) if self.writer.earlier(target) => Body::Back(target),
            (0, None) => Body::Back(0),
            // What it repeats is lost as a record of its own, but its data are there.
            (0, Some(data)) => Body::Data(data),
            _ => Body::Data(record),
        };
        let place = self.writer.record(record.oid, previous, body, window)?;
        if let Some(moved) = self.moved.get_mut(&record.at) {
            *moved = place;
        }
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
    /// The second time: where the first one has seen something wrong. Anything else is not read again.
    doubtful: Option<Numbers>,
    /// The first time: the same, as it is noted.
    noted: Numbers,
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
            doubtful: None,
            noted: Numbers::default(),
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
        let known = self.doubtful.as_ref();
        if known.is_some_and(|doubtful| !doubtful.contains(&frame.at)) {
            self.reader.trust = true;
            let written = self.hand_over(window, frame, status, 0, take);
            self.reader.trust = false;
            return written;
        }
        let tally = self.tally(window, frame, take)?;
        if tally.bad == 0 {
            if self.report.repaired(frame, status, &tally) {
                self.noted.insert(frame.at);
            }
            return self.hand_over(window, frame, status, tally.good, take);
        }
        self.noted.insert(frame.at);
        self.lose(window, frame.at, frame.next(), tally.first_damage(frame))?;
        if self.options.partial && tally.good > 0 {
            self.report.partial(frame, &tally);
            return self.hand_over(window, frame, status::PACKED, tally.good, take);
        }
        Ok(())
    }

    /// Counts the good and the bad records. The first time, all that there is to do with a record is done here.
    fn tally<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        frame: &Frame,
        take: &mut dyn Take<R>,
    ) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut at = frame.records();
        while at < frame.end {
            match parts::next(window, frame, at, &mut self.reader)? {
                Ok(part) => {
                    at = part.end;
                    tally.good(&part);
                    if self.doubtful.is_none() {
                        self.reader.recovered(&part.record);
                        take.record(window, &part)?;
                    }
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
        records: u64,
        take: &mut dyn Take<R>,
    ) -> Result<()> {
        let tid = self.in_order(frame);
        self.last = tid;
        self.report.transactions += 1;
        self.report.records += records;
        if self.doubtful.is_none() {
            return Ok(());
        }
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
            let tally = self.tally(window, &frame, take)?;
            self.report.partial(&frame, &tally);
            self.hand_over(window, &frame, status::PACKED, tally.good, take)?;
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
