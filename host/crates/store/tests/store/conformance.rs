//! The embedded store shows the behaviour that every store must show.

use crate::common::in_memory;

mhost_conformance::conformance_tests!(in_memory());
