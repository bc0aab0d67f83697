//! Which objects are reachable at the pack time, and what is therefore kept.
//!
//! Current records are read once in the order of the file, not in that of the graph: the file is
//! read fast so, and slowly by jumping. What an object refers to is kept aside until it is known whether the
//! object counts; there is room for a bounded number of references, and an object beyond it is read
//! again once it turns out to count.

use std::io::{Read, Seek};

use super::{Options, Plan, Surveyed};
use crate::error::{Error, Result};
use crate::layout::{Oid, RECORD_HEAD};
use crate::map::{Numbers, Positions};
use crate::pickle::Scanner;
use crate::reading;
use crate::scan::{self, Record};
use crate::watch::{Phase, Ticker, Watch};
use crate::window::Window;

/// References kept aside: 32 MiB.
const ROOM: usize = 4 << 20;

/// Decides what is kept.
pub fn decide<R: Read + Seek>(
    window: &mut Window<R>,
    options: &Options,
    mut surveyed: Surveyed,
    watch: &mut dyn Watch,
) -> Result<Plan> {
    let targets = std::mem::take(&mut surveyed.targets);
    let mut kept: Numbers = Numbers::default();
    if options.collect {
        let mut search = Search::new(&surveyed.current, &mut surveyed.plan);
        search.roots(window, &surveyed.later, &targets)?;
        search.run(window, watch)?;
        kept.extend(search.reached.values());
        surveyed.plan.figures.most_written += search.bytes;
    } else {
        kept.extend(surveyed.current.values());
    }
    surveyed.plan.figures.objects_kept = kept.len() as u64;
    let current = kept.len();
    kept.extend(targets.iter().map(|(_, at)| *at));
    surveyed.plan.figures.older_kept = (kept.len() - current) as u64;
    let mut plan = conclude(surveyed, kept);
    if !options.collect {
        for at in &plan.kept {
            let length = data(window, *at)?.map_or(0, |record| record.length);
            plan.figures.most_written = plan.figures.most_written.saturating_add(length);
        }
    }
    Ok(plan)
}

/// References of reachable objects to nothing.
#[derive(Debug, Default)]
pub struct Dangling {
    pub count: u64,
    /// The first: from, where its record lies, to.
    pub first: Vec<(Oid, u64, Oid)>,
}

/// Of a surveyed file, all of whose transactions are early.
pub fn dangling_of<R: Read + Seek>(
    window: &mut Window<R>,
    mut surveyed: Surveyed,
    watch: &mut dyn Watch,
) -> Result<Dangling> {
    let mut search = Search::new(&surveyed.current, &mut surveyed.plan);
    if !search.reach(Oid::ROOT.0) {
        // A new database's file, or one that is no database's.
        return Ok(Dangling::default());
    }
    search.run(window, watch)?;
    let current = &surveyed.current;
    let found = surveyed.plan.dangling.iter();
    Ok(Dangling {
        count: surveyed.plan.figures.dangling,
        first: found
            .map(|(from, to)| (*from, current[&from.0], *to))
            .collect(),
    })
}

/// The order of the file, and the blobs that go.
fn conclude(surveyed: Surveyed, kept: Numbers) -> Plan {
    let Surveyed {
        mut plan, blobs, ..
    } = surveyed;
    plan.blobs = blobs
        .iter()
        .filter(|(_, at)| !kept.contains(at))
        .map(|(revision, _)| *revision)
        .collect();
    // A server may have written one revision twice; its file stays while one of them does.
    let staying: std::collections::BTreeSet<_> = blobs
        .iter()
        .filter(|(_, at)| kept.contains(at))
        .map(|(revision, _)| *revision)
        .collect();
    plan.blobs.retain(|revision| !staying.contains(revision));
    plan.blobs.sort_unstable();
    plan.blobs.dedup();
    plan.blobs_kept = staying.into_iter().collect();
    plan.kept = kept.into_iter().collect();
    plan.kept.sort_unstable();
    let heads = plan.kept.len() as u64 * (RECORD_HEAD as u64 + 8);
    plan.figures.most_written += plan.figures.bytes_younger + heads;
    plan
}

struct Search<'s> {
    current: &'s Positions,
    plan: &'s mut Plan,
    scanner: Scanner,
    /// Objects that count, with their positions.
    reached: Positions,
    /// Of those, the ones whose references were not followed yet.
    todo: Vec<u64>,
    /// Of objects that do not count yet: where among `aside` the number of references begins, the length
    /// of the data, and the references.
    starts: Positions,
    aside: Vec<u64>,
    found: Vec<u64>,
    /// The length of the data that were read last.
    length: u64,
    /// Bytes of data of objects that count.
    bytes: u64,
}

impl<'s> Search<'s> {
    fn new(current: &'s Positions, plan: &'s mut Plan) -> Self {
        Self {
            current,
            plan,
            scanner: Scanner::default(),
            reached: Positions::default(),
            todo: Vec::new(),
            starts: Positions::default(),
            aside: Vec::new(),
            found: Vec::new(),
            length: 0,
            bytes: 0,
        }
    }

    /// The root, what later records refer to, and what older revisions that are kept refer to.
    fn roots<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        later: &Numbers,
        targets: &[(Oid, u64)],
    ) -> Result<()> {
        if !self.reach(Oid::ROOT.0) && later.is_empty() && targets.is_empty() {
            return Err(Error::NoRoot);
        }
        for oid in later {
            // One that is not there yet was made after the pack time.
            self.reach(*oid);
        }
        for (oid, at) in targets {
            self.read(window, *at)?;
            self.bytes += self.length;
            self.mark_found(*oid);
        }
        Ok(())
    }

    fn run<R: Read + Seek>(&mut self, window: &mut Window<R>, watch: &mut dyn Watch) -> Result<()> {
        self.sweep(window, watch)?;
        while let Some(oid) = self.todo.pop() {
            match self.starts.get(&oid) {
                Some(start) => self.follow(oid, *start as usize),
                None => {
                    let at = self.reached[&oid];
                    self.read(window, at)?;
                    self.bytes += self.length;
                    self.mark_found(Oid(oid));
                }
            }
        }
        Ok(())
    }

    /// All current records, once.
    fn sweep<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        watch: &mut dyn Watch,
    ) -> Result<()> {
        let mut order: Vec<(u64, u64)> = self.current.iter().map(|(oid, at)| (*at, *oid)).collect();
        order.sort_unstable();
        let mut ticker = Ticker::new(watch, Phase::Reach, self.plan.split);
        for (at, oid) in order {
            ticker.at(at)?;
            let counts = self.reached.contains_key(&oid);
            if !counts && self.aside.len() >= ROOM {
                continue;
            }
            match self.read(window, at) {
                // It ends the pack if it turns out to count: it is read again then.
                Err(Error::Damaged(_)) if !counts => continue,
                outcome => outcome?,
            }
            if counts {
                self.mark_found(Oid(oid));
            }
            self.keep_aside(oid, counts);
        }
        ticker.done()
    }

    /// The references of the record at a position, each once, into `found`.
    fn read<R: Read + Seek>(&mut self, window: &mut Window<R>, at: u64) -> Result<()> {
        self.found.clear();
        self.length = 0;
        let Some(record) = data(window, at)? else {
            return Ok(());
        };
        self.length = record.length;
        let found = &mut self.found;
        let mut most = ROOM;
        let push = &mut |oid: Oid| {
            found.push(oid.0);
            // A record may name one object millions of times.
            if found.len() >= most {
                found.sort_unstable();
                found.dedup();
                most = ROOM.max(2 * found.len());
            }
        };
        reading::references(window, &mut self.scanner, &record, push)?;
        self.found.sort_unstable();
        self.found.dedup();
        Ok(())
    }

    fn mark_found(&mut self, from: Oid) {
        let found = std::mem::take(&mut self.found);
        for oid in &found {
            if !self.reach(*oid) {
                self.plan.note_dangling(from, Oid(*oid));
            }
        }
        self.found = found;
    }

    /// Keeps the references that were just found. Those of an object that counts were
    /// followed: an empty list stands for that.
    fn keep_aside(&mut self, oid: u64, counts: bool) {
        self.starts.insert(oid, self.aside.len() as u64);
        let found = if counts { &[] } else { self.found.as_slice() };
        self.aside.extend([found.len() as u64, self.length]);
        self.aside.extend(found);
    }

    fn follow(&mut self, oid: u64, start: usize) {
        let length = self.aside[start] as usize;
        self.bytes += self.aside[start + 1];
        let first = start + 2;
        for n in first..first + length {
            let to = self.aside[n];
            if !self.reach(to) {
                self.plan.note_dangling(Oid(oid), Oid(to));
            }
        }
    }

    /// An object counts. Answers whether it is there.
    fn reach(&mut self, oid: u64) -> bool {
        let Some(at) = self.current.get(&oid) else {
            return false;
        };
        if self.reached.insert(oid, *at).is_none() {
            self.todo.push(oid);
        }
        true
    }
}

/// The record that has the data of the one at `at`, which the survey has seen.
fn data<R: Read + Seek>(window: &mut Window<R>, at: u64) -> Result<Option<Record>> {
    let record = scan::seen(window, at)?;
    scan::resolve(window, record)
}
