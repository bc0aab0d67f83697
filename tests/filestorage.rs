//! FileStorage: the pack plugin as an operator runs it, `mhost exec pack …`, judged by ZODB's own tools and by
//! oracles that are independent of both (`oracles/filestorage`). The fixtures are made here.
//!
//! `-- --ignored` runs what takes longer: a file of 300 MB, beside ZODB's own tools.

#![allow(clippy::unwrap_used)] // A panic is how a trial fails; clippy sees no test here.

#[path = "filestorage/big.rs"]
mod big;
#[path = "filestorage/place.rs"]
mod place;
#[path = "filestorage/small.rs"]
mod small;
#[path = "filestorage/zope.rs"]
mod zope;

use mhost_test_support::Tool;

/// ZODB, with its own packer, checker and recovery.
const ZODB: Tool = Tool::Python(&["ZODB"]);

fn main() {
    let trials = small::trials()
        .into_iter()
        .chain(zope::trials())
        .chain(big::trials());
    mhost_test_support::main(trials.collect())
}
