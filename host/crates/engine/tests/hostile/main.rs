//! Hostile guests: each test runs one attack of `mhost-guest-hostile` and fails when
//! the enforcement that it meets is taken out.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod data;
mod declared;
mod directories;
mod dry_run;
mod failures;
mod loading;
mod output;
mod people;
mod powers;
mod resources;
mod support;
mod time;
