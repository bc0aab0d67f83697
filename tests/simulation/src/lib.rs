//! The scheduler and the store in a simulated world: a clock that is set, a disk in
//! memory, several nodes, runs that are slow, fail or die, and an operator who edits
//! while all of that goes on.
//!
//! Every row of the ledger, every start and every due time is compared with what
//! [`model`] and [`calendar`] expect. Both are written from the rules alone, slowly and
//! without a look at the scheduler: fires are found minute by minute.
//!
//! One number, the seed, decides everything, so that a failure can be replayed. A
//! [`Flaw`] breaks one rule on purpose: a simulation that does not notice it checks nothing.
#![allow(clippy::unwrap_used, missing_docs)] // Tests, although they lie in a library.

mod calendar;
mod disk;
mod flaw;
mod model;
mod world;

pub use flaw::Flaw;
pub use world::{Tally, Violation, simulate};
