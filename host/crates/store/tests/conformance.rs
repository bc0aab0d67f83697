//! The embedded store shows the behaviour that every store must show.

#![allow(clippy::unwrap_used)]

mod common;

use common::in_memory;

mhost_store::conformance_tests!(in_memory());
