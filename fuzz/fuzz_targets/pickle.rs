//! Any bytes as a record: no panic, no hang, bounded memory.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mhost_filestorage::exercise;

fuzz_target!(|record: &[u8]| exercise::record(record));
