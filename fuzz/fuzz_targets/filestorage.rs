//! Any bytes as a FileStorage: no panic, no hang, and what is written is sound.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mhost_filestorage::exercise;

fuzz_target!(|file: &[u8]| exercise::file(file));
