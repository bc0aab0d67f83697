//! Damaged in ways that nobody thought of: from a fixed seed, so that a failure can be had again.
//! `fuzz/` does the same without an end.

use std::fs;
use std::path::Path;

use super::*;
use crate::exercise;
use crate::testing::{Body, Make, patched, refers, site};

/// A generator of numbers, xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }
}

/// One to four changes: a byte, a number, a stretch of zeroes, a stretch moved, an end cut off.
fn mutated(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut file = file.to_vec();
    for _ in 0..=random.below(4) {
        if file.len() < 16 {
            break;
        }
        let at = random.below(file.len() - 8);
        match random.below(6) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = random.next() as u8,
            2 => {
                let number = [
                    0,
                    1,
                    0xff,
                    u64::MAX,
                    1 << 40,
                    random.next() % file.len() as u64,
                ][random.below(6)];
                file[at..at + 8].copy_from_slice(&number.to_be_bytes());
            }
            3 => {
                let end = (at + random.below(400)).min(file.len());
                file[at..end].fill(0);
            }
            4 => {
                let from = random.below(file.len() - 8);
                let length = random.below(200).min(file.len() - at.max(from));
                file.copy_within(from..from + length, at);
            }
            _ => file.truncate(at + 8),
        }
    }
    file
}

/// The kept corpus of a fuzz target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../fuzz/corpus")
        .join(target);
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn no_damage_makes_it_panic_or_write_nonsense() {
    let mut files = corpus("filestorage");
    files.extend([
        site().file,
        packed(&site().file, &options(40, true)).unwrap(),
        Make::new()
            .set(1, 0, &[])
            .txn(2, vec![(0, Body::As(1)), (3, Body::Gone)])
            .txn(3, vec![])
            .file,
    ]);
    files.iter().for_each(|file| exercise::file(file));
    let mut random = Random(0x5eed);
    for _ in 0..1500 {
        let file = &files[random.below(files.len())];
        exercise::file(&mutated(file, &mut random));
    }
}

#[test]
fn no_record_makes_the_scanner_panic() {
    let mut records = corpus("pickle");
    records.push(refers(&[1, 2, 3, 4]));
    let mut random = Random(0xfeed);
    for _ in 0..50_000 {
        let record = &records[random.below(records.len())];
        exercise::record(&mutated(record, &mut random));
        let noise: Vec<u8> = (0..random.below(60)).map(|_| random.next() as u8).collect();
        exercise::record(&noise);
    }
}

/// Files that ask for much: lengths beyond everything, heads at every byte, records that name one place.
#[test]
fn hostile_files_take_neither_time_nor_memory() {
    let mut heads = b"FS30".to_vec();
    while heads.len() < 400_000 {
        let at = heads.len() as u64;
        heads.extend(crate::testing::tid(at).0.to_be_bytes());
        heads.extend(350_000_u64.to_be_bytes());
        heads.extend(b" \0\0\0\0\0\0");
        heads.extend(7_u64.to_be_bytes());
        heads.extend(crate::testing::tid(at).0.to_be_bytes());
        heads.extend(0_u64.to_be_bytes());
        heads.extend(at.to_be_bytes());
        heads.extend([0, 0]);
        heads.extend(300_000_u64.to_be_bytes());
    }
    exercise::file(&heads);
    let huge = patched(&site().file, 4 + 8, &(u64::MAX - 3).to_be_bytes());
    exercise::file(&huge);
    exercise::file(&[b"FS30".to_vec(), vec![b' '; 300_000]].concat());
}
