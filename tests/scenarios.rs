//! The command line, a scenario each: a session in `scenarios/NAME.trycmd`, run in a
//! copy of `scenarios/NAME.in`, at a set time.
//!
//! `TRYCMD=overwrite` writes down what the commands answer now.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

#[test]
fn scenarios() {
    trycmd::TestCases::new()
        .default_bin_path(env!("CARGO_BIN_EXE_mhost"))
        .register_bin("mhost", Path::new(env!("CARGO_BIN_EXE_mhost")))
        .env("MHOST_NOW", "2026-12-01T02:00:00Z")
        .env("MHOST_HOME", "state")
        .case("../tests/scenarios/*.trycmd");
}

use std::path::Path;
