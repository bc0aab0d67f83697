//! Writing the new file.

use std::io::{Read, Seek, Write};

use super::Plan;
use crate::error::Result;
use crate::layout::Tid;
use crate::map::Positions;
use crate::scan::{self, Scan};
use crate::watch::{Phase, Ticker, Watch};
use crate::window::Window;
use crate::writing::{Body, Writer, Written, packed};

/// A transaction's header mostly lies so far before its records.
const BEHIND: u64 = 4 << 10;

/// Writes what the plan keeps, of the file that the plan was made from. `None` where nothing would be
/// gained, because up to the pack time the old file holds only what is kept; what
/// was written is of no use then. ZODB leaves such a file as it is, too.
pub fn copy<R: Read + Seek, W: Write + Seek>(
    window: &mut Window<R>,
    plan: Plan,
    to: W,
    watch: &mut dyn Watch,
) -> Result<Option<Written>> {
    let mut writer = Writer::new(to, plan.magic)?;
    let mut ticker = Ticker::new(watch, Phase::Copy, window.size());
    let Plan {
        split,
        kept,
        mut moved,
        ..
    } = plan;
    window.look_behind(BEHIND);
    let written = early(window, &kept, &mut moved, &mut writer, &mut ticker);
    window.look_behind(0);
    written?;
    if writer.at() == split {
        return Ok(None);
    }
    late(window, split, &mut moved, &mut writer, &mut ticker)?;
    ticker.done()?;
    writer.finish().map(Some)
}

/// Kept records up to the pack time: without history, and with their data in place.
fn early<R: Read + Seek, W: Write + Seek>(
    window: &mut Window<R>,
    kept: &[u64],
    moved: &mut Positions,
    writer: &mut Writer<W>,
    ticker: &mut Ticker<'_>,
) -> Result<()> {
    let mut open = None;
    for at in kept {
        ticker.at(*at)?;
        let record = scan::seen(window, *at)?;
        if open != Some(record.txn) {
            writer.end()?;
            let txn = scan::head(window, record.txn)?;
            writer.begin(
                packed(txn.head),
                window,
                txn.at + crate::layout::TXN_HEAD as u64,
            )?;
            open = Some(record.txn);
        }
        let oid = record.oid;
        let place = match scan::resolve(window, record)? {
            Some(data) => writer.record(oid, 0, Body::Data(&data), window)?,
            None => writer.record(oid, 0, Body::Back(0), window)?,
        };
        if let Some(place_of) = moved.get_mut(at) {
            *place_of = place;
        }
    }
    writer.end()
}

/// Later transactions, whole, with pointers to where things lie now.
fn late<R: Read + Seek, W: Write + Seek>(
    window: &mut Window<R>,
    split: u64,
    moved: &mut Positions,
    writer: &mut Writer<W>,
    ticker: &mut Ticker<'_>,
) -> Result<()> {
    let mut scan = Scan::from(window, split, Tid::default());
    while let Some(txn) = scan.transaction()? {
        ticker.at(txn.at)?;
        writer.begin(
            txn.head,
            scan.window,
            txn.at + crate::layout::TXN_HEAD as u64,
        )?;
        if !txn.counts() {
            // What was undone stays as it is: nothing looks into it.
            writer.copy(scan.window, txn.records(), txn.end())?;
        }
        while let Some(record) = scan.record()? {
            let previous = writer.current(record.oid);
            let body = match record.length {
                0 => Body::Back(moved.get(&record.back).copied().unwrap_or(0)),
                _ => Body::Data(&record),
            };
            let place = writer.record(record.oid, previous, body, scan.window)?;
            if let Some(place_of) = moved.get_mut(&record.at) {
                *place_of = place;
            }
        }
        writer.end()?;
    }
    Ok(())
}
