//! The embedded store shows the behaviour that every store must show.

use crate::common::in_memory;

mhost_store::conformance_tests!(in_memory());
