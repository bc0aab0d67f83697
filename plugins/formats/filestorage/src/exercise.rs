//! All that can be done with any bytes, and what must hold then: for the fuzz targets in `fuzz/`, and for the form of
//! them that runs with the other tests. What is written from a damaged file must be sound itself.

use std::io::Cursor;

use crate::layout::Tid;
use crate::pack::{self, Options, Tail};
use crate::pickle::Scanner;
use crate::recover;
use crate::verify::{self, Level, Verdict};
use crate::{Quiet, Window, inspect};

/// Bytes as a FileStorage.
pub fn file(bytes: &[u8]) {
    check(bytes);
    for collect in [true, false] {
        packed(bytes, collect);
    }
    if let Some(mut window) = window(bytes) {
        let _ = inspect::inspect(&mut window, &mut Quiet);
    }
    for partial in [true, false] {
        recovered(bytes, partial);
    }
}

/// Bytes as a record.
pub fn record(bytes: &[u8]) {
    let mut found = 0_usize;
    let taken = Scanner::default().slice(bytes, &mut |_| found += 1);
    assert!(taken.is_err() || found <= bytes.len());
}

fn window(bytes: &[u8]) -> Option<Window<Cursor<&[u8]>>> {
    Window::new(Cursor::new(bytes)).ok()
}

fn check(bytes: &[u8]) -> Option<Verdict> {
    verify::with_checksum(&mut window(bytes)?, Level::References, &mut Quiet).ok()
}

fn packed(bytes: &[u8], collect: bool) -> Option<()> {
    let mut source = window(bytes)?;
    let options = Options {
        stop: Tid(bytes.last().map_or(0, |last| u64::from(*last) << 56)),
        collect,
        blobs: true,
        tail: Tail::LeaveOut,
    };
    let plan = pack::plan(&mut source, &options, &mut Quiet).ok()?;
    if plan.idle.is_some() {
        return None;
    }
    let mut to = Cursor::new(Vec::new());
    let copied = pack::copy(&mut source, plan, &mut to, &mut Quiet).ok()??;
    let written = to.into_inner();
    let verdict = check(&written)?;
    assert_eq!(verdict.checksum, Some(copied.checksum));
    assert_eq!(
        verdict.counts[Level::Structure as usize],
        0,
        "{:?}",
        verdict.findings
    );
    assert_eq!(verdict.index, copied.index);
    Some(())
}

fn recovered(bytes: &[u8], partial: bool) -> Option<()> {
    let mut to = Cursor::new(Vec::new());
    let options = recover::Options { partial };
    let recovered = recover::recover(&mut window(bytes)?, options, &mut to, &mut Quiet).ok()?;
    let written = to.into_inner();
    let verdict = check(&written)?;
    assert_eq!(verdict.checksum, Some(recovered.file.checksum));
    assert_eq!(verdict.counts[..2], [0; 2], "{:?}", verdict.findings);
    assert_eq!(verdict.index, recovered.file.index);
    assert_eq!(verdict.transactions, recovered.report.transactions);
    if !recovered.suspects {
        // Reading no record again must find as much.
        let again = verify::written(&mut window(&written)?, &mut Quiet).ok()?;
        assert_eq!(again.counts[3], verdict.counts[3], "{:?}", verdict.findings);
    }
    Some(())
}
