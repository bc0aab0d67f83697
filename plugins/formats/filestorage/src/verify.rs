//! Checking a file: its structure, its pointers, whether every record can be read, and whether
//! what is referred to exists. After a place that is damaged the check goes on with the next
//! whole transaction.

use std::io::{Read, Seek};

use serde::{Deserialize, Serialize};

use crate::checksum::Sum;
use crate::error::{Damage, Error, Flaw, Result};
use crate::layout::{Oid, START, TXN_HEAD, Tid, status};
use crate::map::{Numbers, Positions, Surely};
use crate::pickle::Scanner;
use crate::scan::{self, Record, Scan, Txn};
use crate::watch::{Phase, Ticker, Watch};
use crate::window::Window;
use crate::{pack, reading, resync};

/// How far a check goes; each level has those before it in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Transactions and records follow each other as they must, up to the end of the file.
    Structure,
    /// Previous records and back pointers lead where they must.
    Pointers,
    /// The data of every record can be read.
    Records,
    /// What reachable objects refer to exists.
    References,
}

impl Level {
    pub const ALL: [Self; 4] = [
        Self::Structure,
        Self::Pointers,
        Self::Records,
        Self::References,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Pointers => "pointers",
            Self::Records => "records",
            Self::References => "references",
        }
    }
}

/// So many unreadable records are told apart into current and older ones.
const MOST_UNREAD: usize = 10_000;

/// With more objects gone the closer look is not put off by looking at what lived beside them.
const MOST_GONE: usize = 100;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    #[serde(flatten)]
    pub damage: Damage,
    pub meaning: &'static str,
}

/// What came of a check.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Bytes of the file.
    pub bytes: u64,
    pub transactions: u64,
    pub records: u64,
    /// The id of the last transaction.
    pub last: Tid,
    /// The first findings.
    pub findings: Vec<Finding>,
    /// All findings, level by level.
    pub counts: [u64; 4],
    /// Older revisions that cannot be read: nothing that is current is affected, and a pack removes them.
    pub stale: Vec<Finding>,
    pub stale_count: u64,
    /// The current record of each object.
    pub index: Positions,
    /// Of what was read, where it was asked for.
    pub checksum: Option<u64>,
}

impl Verdict {
    /// So many findings are kept.
    pub const MOST: usize = 1000;

    pub fn sound(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    /// The lowest level that fails.
    pub fn failing(&self) -> Option<Level> {
        Level::ALL
            .into_iter()
            .find(|level| self.counts[*level as usize] > 0)
    }

    fn note(&mut self, level: Level, damage: Damage) {
        self.counts[level as usize] += 1;
        if self.findings.len() < Self::MOST {
            let meaning = damage.flaw.meaning();
            self.findings.push(Finding {
                level,
                damage,
                meaning,
            });
        }
    }
}

/// Checks a file up to a level.
pub fn verify<R: Read + Seek>(
    window: &mut Window<R>,
    level: Level,
    watch: &mut dyn Watch,
) -> Result<Verdict> {
    Check::new(level, window.size()).run(window, watch)
}

/// The same, with the checksum of what was read where the structure is sound; see [`crate::checksum`].
pub fn with_checksum<R: Read + Seek>(
    window: &mut Window<R>,
    level: Level,
    watch: &mut dyn Watch,
) -> Result<Verdict> {
    let mut check = Check::new(level, window.size());
    check.sum = Some(Sum::default());
    check.run(window, watch)
}

/// The same of a file that was just written of records that were read then: they are not read again, and refer to nothing
/// that is not there, unless it was deleted after them.
pub fn written<R: Read + Seek>(window: &mut Window<R>, watch: &mut dyn Watch) -> Result<Verdict> {
    let mut check = Check::new(Level::References, window.size());
    check.sum = Some(Sum::default());
    check.known = true;
    check.run(window, watch)
}

impl Check {
    fn run<R: Read + Seek>(
        mut self,
        window: &mut Window<R>,
        watch: &mut dyn Watch,
    ) -> Result<Verdict> {
        let check = &mut self;
        match scan::magic(window) {
            Err(Error::Damaged(damage)) => check.verdict.note(Level::Structure, damage),
            outcome => {
                let magic = outcome?;
                if let Some(sum) = &mut check.sum {
                    sum.bytes(&magic);
                }
            }
        }
        let mut ticker = Ticker::new(watch, Phase::Verify, window.size());
        let mut from = Some(START);
        while let Some(at) = from {
            from = check.stretch(window, at, &mut ticker)?;
        }
        ticker.done()?;
        check.unreadable(window)?;
        if check.suspects(window)? {
            check.references(window, watch)?;
        }
        check.verdict.checksum = check.sum.as_ref().map(Sum::finish);
        Ok(self.verdict)
    }
}

struct Check {
    level: Level,
    verdict: Verdict,
    scanner: Scanner,
    /// What could not be read: from, to.
    holes: Vec<(u64, u64)>,
    fresh: Vec<(u64, u64)>,
    /// Objects that are gone.
    gone: Numbers,
    /// Objects that are in the index, and not gone.
    surely: Surely,
    /// References of the transaction at hand to what is not there yet.
    open: Numbers,
    /// Records that cannot be read, current or not.
    unread: Vec<Damage>,
    /// Those that its end has not answered.
    missing: Numbers,
    sum: Option<Sum>,
    /// Whether the records were read before.
    known: bool,
}

impl Check {
    fn new(level: Level, bytes: u64) -> Self {
        Self {
            level,
            verdict: Verdict {
                bytes,
                ..Verdict::default()
            },
            scanner: Scanner::default(),
            holes: Vec::new(),
            fresh: Vec::new(),
            gone: Numbers::default(),
            surely: Surely::default(),
            open: Numbers::default(),
            unread: Vec::new(),
            missing: Numbers::default(),
            sum: None,
            known: false,
        }
    }

    /// Goes on from `at` to the end, or to a damaged place: answers where to go on behind it.
    fn stretch<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        at: u64,
        ticker: &mut Ticker<'_>,
    ) -> Result<Option<u64>> {
        let mut scan = Scan::from(window, at, self.verdict.last);
        let damage = match self.transactions(&mut scan, ticker) {
            Ok(()) => return Ok(None),
            Err(Error::Damaged(damage)) => damage,
            Err(error) => return Err(error),
        };
        let begun = scan.at();
        self.verdict.note(Level::Structure, damage);
        self.fresh.clear();
        self.open.clear();
        let next = behind(window, begun, ticker)?;
        self.holes.push((begun, next.unwrap_or(window.size())));
        Ok(next)
    }

    fn transactions<R: Read + Seek>(
        &mut self,
        scan: &mut Scan<'_, R>,
        ticker: &mut Ticker<'_>,
    ) -> Result<()> {
        while let Some(txn) = scan.transaction()? {
            ticker.at(txn.at)?;
            if let Some(sum) = &mut self.sum {
                let texts = txn.at + TXN_HEAD as u64;
                let until = if txn.counts() {
                    txn.records()
                } else {
                    txn.end()
                };
                sum.head(txn.head);
                sum.part(scan.window, texts, until)?;
            }
            while let Some(record) = scan.record()? {
                if let Some(sum) = &mut self.sum {
                    sum.part(scan.window, record.at, record.end())?;
                }
                self.record(scan.window, &txn, &record)?;
            }
            if let Some(sum) = &mut self.sum {
                sum.part(scan.window, txn.end(), txn.next())?;
            }
            self.verdict.transactions += 1;
            self.verdict.last = txn.head.tid;
            for (oid, at) in self.fresh.drain(..) {
                self.verdict.index.insert(oid, at);
                if !self.gone.contains(&oid) {
                    self.surely.insert(oid);
                }
            }
            let (index, gone) = (&self.verdict.index, &self.gone);
            let open = self.open.drain();
            let missing = open.filter(|oid| gone.contains(oid) || !index.contains_key(oid));
            self.missing.extend(missing);
        }
        Ok(())
    }

    #[inline]
    fn record<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        txn: &Txn,
        record: &Record,
    ) -> Result<()> {
        self.verdict.records += 1;
        if self.level >= Level::Pointers {
            self.pointers(window, txn, record)?;
        }
        if self.level >= Level::Records && record.length > 0 && !self.known {
            self.data(window, record)?;
        }
        if record.deletes() {
            self.gone.insert(record.oid.0);
            self.surely.remove(record.oid.0);
        } else if !self.gone.is_empty() {
            self.gone.remove(&record.oid.0);
        }
        self.fresh.push((record.oid.0, record.at));
        Ok(())
    }

    fn pointers<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        txn: &Txn,
        record: &Record,
    ) -> Result<()> {
        let expected = self.verdict.index.get(&record.oid.0).copied().unwrap_or(0);
        // A pack leaves no history behind.
        let cut = record.previous == 0 && txn.head.status == status::PACKED;
        if record.previous != expected && !cut && !self.in_a_hole(record.previous) {
            let damage = Damage::new(record.at, Flaw::Previous(record.previous, expected));
            self.verdict
                .note(Level::Pointers, damage.tid(record.tid).oid(record.oid));
        }
        if record.length > 0 || record.back == 0 {
            return Ok(());
        }
        match scan::back(window, record) {
            Err(Error::Damaged(damage)) => {
                self.verdict.note(Level::Pointers, damage);
                Ok(())
            }
            outcome => outcome.map(|_| ()),
        }
    }

    fn in_a_hole(&self, position: u64) -> bool {
        self.holes
            .iter()
            .any(|(from, to)| (*from..*to).contains(&position))
    }

    #[inline]
    fn data<R: Read + Seek>(&mut self, window: &mut Window<R>, record: &Record) -> Result<()> {
        let (index, open, gone) = (&self.verdict.index, &mut self.open, &self.gone);
        let surely = &self.surely;
        let follow = self.level >= Level::References;
        let found = &mut |oid: Oid| {
            if follow
                && !surely.contains(oid.0)
                && (!index.contains_key(&oid.0) || gone.contains(&oid.0))
            {
                open.insert(oid.0);
            }
        };
        if let Err(why) = reading::pickles(window, &mut self.scanner, record, found)? {
            let damage = Damage::new(record.at, Flaw::Data(why))
                .tid(record.tid)
                .oid(record.oid);
            match self.unread.len() < MOST_UNREAD {
                true => self.unread.push(damage),
                false => self.verdict.note(Level::Records, damage),
            }
        }
        Ok(())
    }

    /// Which of the records that cannot be read are some object's current state.
    fn unreadable<R: Read + Seek>(&mut self, window: &mut Window<R>) -> Result<()> {
        for damage in std::mem::take(&mut self.unread) {
            let oid = damage.oid.unwrap_or(Oid::ROOT);
            if self.current(window, oid)? == Some(damage.position) {
                self.verdict.note(Level::Records, damage);
                continue;
            }
            self.verdict.stale_count += 1;
            if self.verdict.stale.len() < Verdict::MOST {
                self.verdict.stale.push(Finding {
                    level: Level::Records,
                    damage,
                    meaning: "an older revision of the object cannot be read; its current state is not affected, and a pack removes it",
                });
            }
        }
        Ok(())
    }

    /// Where the data of an object's current state lie.
    fn current<R: Read + Seek>(&self, window: &mut Window<R>, oid: Oid) -> Result<Option<u64>> {
        let Some(at) = self.verdict.index.get(&oid.0) else {
            return Ok(None);
        };
        let record = scan::seen(window, *at)?;
        match scan::resolve(window, record) {
            Err(Error::Damaged(_)) => Ok(None),
            outcome => outcome.map(|data| data.map(|data| data.at)),
        }
    }

    /// Whether there may be references to nothing, which a closer look decides.
    fn suspects<R: Read + Seek>(&mut self, window: &mut Window<R>) -> Result<bool> {
        if self.level < Level::References {
            return Ok(false);
        }
        let (index, gone) = (&self.verdict.index, &self.gone);
        let lost = |oid: &u64| gone.contains(oid) || !index.contains_key(oid);
        if self.missing.iter().any(lost) || gone.len() > MOST_GONE {
            return Ok(true);
        }
        // What refers to an object that is gone was written between its making and its end; what came
        // after is among the missing.
        let mut lives = Vec::new();
        for end in gone.iter().filter_map(|oid| index.get(oid)) {
            lives.push((born(window, *end)?, *end));
        }
        let lived = |at: &u64| lives.iter().any(|(born, end)| (*born..*end).contains(at));
        let mut current: Vec<u64> = index.values().copied().filter(lived).collect();
        current.sort_unstable();
        let mut refers = false;
        for at in current {
            let record = scan::seen(window, at)?;
            let Ok(Some(data)) = scan::resolve(window, record) else {
                continue;
            };
            let found = &mut |oid: Oid| refers |= gone.contains(&oid.0);
            // One that cannot be read was told of already.
            let _ = reading::pickles(window, &mut self.scanner, &data, found)?;
        }
        Ok(refers)
    }

    /// Of a file that is whole, which references of reachable objects lead to nothing.
    fn references<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        watch: &mut dyn Watch,
    ) -> Result<()> {
        if self.verdict.counts[..3].iter().any(|count| *count > 0) {
            // What is lost is said already, and not all objects can be read.
            return Ok(());
        }
        let dangling = pack::dangling(window, watch)?;
        for (from, at, to) in &dangling.first {
            let damage = Damage::new(*at, Flaw::Dangling(*to)).oid(*from);
            self.verdict.note(Level::References, damage);
        }
        self.verdict.counts[Level::References as usize] = dangling.count;
        Ok(())
    }
}

/// Where the transaction begins that has made the object whose record this is; the file's start where its
/// history was cut off.
fn born<R: Read + Seek>(window: &mut Window<R>, end: u64) -> Result<u64> {
    let mut record = scan::seen(window, end)?;
    while record.previous != 0 && record.previous < record.at {
        let earlier = scan::seen(window, record.previous)?;
        if earlier.oid != record.oid {
            return Ok(START);
        }
        record = earlier;
    }
    let cut = match scan::head(window, record.txn) {
        Ok(txn) => txn.head.status == status::PACKED,
        Err(Error::Damaged(_)) => true,
        Err(error) => return Err(error),
    };
    Ok(if cut { START } else { record.txn })
}

/// Where to go on behind a transaction that begins at `begun` and is damaged.
fn behind<R: Read + Seek>(
    window: &mut Window<R>,
    begun: u64,
    ticker: &mut Ticker<'_>,
) -> Result<Option<u64>> {
    if window.size() < START {
        return Ok(None);
    }
    let framed = match scan::head(window, begun) {
        Ok(txn) if window.long(txn.end())? == txn.head.length => Some(txn.next()),
        Ok(_) | Err(Error::Damaged(_)) => None,
        Err(error) => return Err(error),
    };
    match framed {
        // Nothing follows, or something that says by itself what is wrong with it.
        Some(next) => Ok((next < window.size()).then_some(next)),
        None => Ok(resync::next(window, begun + 1, ticker)?.map(|txn| txn.at)),
    }
}
