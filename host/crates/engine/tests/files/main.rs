//! The capabilities for files, the network and processes through a guest: each test
//! hands `mhost-guest-files` a list of calls and compares what each was answered.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod calls;
mod escapes;
mod network;
mod processes;
// Shared with the hostile guest's tests, which use more of it.
#[allow(dead_code)]
#[path = "../hostile/support.rs"]
mod support;
mod trees;
mod verbs;
