//! The embedded store: the behaviour of every store, its file, its faults, crashes at
//! every write, and random operations against a model.
#![allow(clippy::unwrap_used)]

mod common;
mod conformance;
mod crash;
mod faults;
mod files;
mod formats;
mod model;
mod notices;
mod tape;
mod zones;
