//! With restic itself, in both directions.

#![allow(clippy::unwrap_used)] // A panic is how a trial fails; clippy sees no test here.

mod common;

fn main() {}
