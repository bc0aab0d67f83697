//! Whole files: made, packed, damaged and recovered.

#![allow(clippy::unwrap_used)] // Also in the helpers of the tests.

mod defects;
mod fuzz;
mod packing;
mod recovering;
mod verifying;

use std::io::Cursor;

use crate::layout::Tid;
use crate::pack::{self, Options, Plan, Tail};
use crate::recover::{self, Recovered};
use crate::verify::{self, Level, Verdict};
use crate::{Quiet, Result, Window};

/// A file in memory.
fn window(file: &[u8]) -> Window<Cursor<&[u8]>> {
    Window::new(Cursor::new(file)).unwrap()
}

fn options(stop: u64, collect: bool) -> Options {
    Options {
        stop: crate::testing::tid(stop),
        collect,
        blobs: true,
        tail: Tail::LeaveOut,
    }
}

fn plan(file: &[u8], options: &Options) -> Result<Plan> {
    pack::plan(&mut window(file), options, &mut Quiet)
}

/// The packed file; the file itself where a pack gains nothing.
fn packed(file: &[u8], options: &Options) -> Result<Vec<u8>> {
    Ok(copied(file, options)?.0)
}

fn copied(file: &[u8], options: &Options) -> Result<(Vec<u8>, Option<crate::Written>)> {
    let mut source = window(file);
    let plan = pack::plan(&mut source, options, &mut Quiet)?;
    if plan.idle.is_some() {
        return Ok((file[..plan.figures.bytes as usize].to_vec(), None));
    }
    let end = plan.figures.bytes as usize;
    let mut to = Cursor::new(Vec::new());
    match pack::copy(&mut source, plan, &mut to, &mut Quiet)? {
        Some(copied) => Ok((to.into_inner(), Some(copied))),
        None => Ok((file[..end].to_vec(), None)),
    }
}

fn verified(file: &[u8]) -> Verdict {
    verify::verify(&mut window(file), Level::References, &mut Quiet).unwrap()
}

fn recovered(file: &[u8], partial: bool) -> (Vec<u8>, Recovered) {
    let mut to = Cursor::new(Vec::new());
    let options = recover::Options { partial };
    let recovered = recover::recover(&mut window(file), options, &mut to, &mut Quiet).unwrap();
    (to.into_inner(), recovered)
}

const NOW: Tid = Tid(u64::MAX);
