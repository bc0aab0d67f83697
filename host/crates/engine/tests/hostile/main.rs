//! Hostile guests: each test runs one attack of `mhost-guest-hostile` and fails when
//! the enforcement that it meets is taken out.

mod data;
mod directories;
mod dry_run;
mod failures;
mod loading;
mod output;
mod powers;
mod resources;
mod support;
mod time;
