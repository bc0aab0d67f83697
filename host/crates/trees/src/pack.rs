//! Entries of a listing as bytes, in the layout that `wit/trees.wit` states: one list
//! for many entries crosses to a guest at the cost of a copy.

use rustix::fs::{FileType, Stat};

use crate::walk::{Entry, Trouble};

/// The kind of what could not be looked at.
const TROUBLE: u8 = 255;

pub(crate) fn root(page: &mut Vec<u8>, stat: &Stat, attributes: u64) {
    record(page, stat, attributes, b"", b"");
}

pub(crate) fn entry(page: &mut Vec<u8>, entry: &Entry) {
    let text = entry.link_target.as_deref().unwrap_or_default();
    record(page, &entry.stat, entry.attributes, &entry.path, text);
}

pub(crate) fn trouble(page: &mut Vec<u8>, trouble: &Trouble) {
    let start = begin(page, TROUBLE, 0);
    page.resize(start + FIXED, 0);
    strings(
        page,
        start,
        &trouble.path,
        trouble.fault.to_string().as_bytes(),
    );
}

/// Bytes of a record before its strings.
const FIXED: usize = 112;

/// Length, kind, mode; the length is filled in at the end.
fn begin(page: &mut Vec<u8>, kind: u8, mode: u16) -> usize {
    let start = page.len();
    page.extend_from_slice(&[0; 4]);
    page.push(kind);
    page.push(0);
    page.extend_from_slice(&mode.to_le_bytes());
    start
}

#[allow(clippy::unnecessary_cast)] // The widths differ between architectures.
fn record(page: &mut Vec<u8>, stat: &Stat, attributes: u64, path: &[u8], text: &[u8]) {
    let start = begin(page, kind(stat), (stat.st_mode & 0o7777) as u16);
    page.extend_from_slice(&stat.st_uid.to_le_bytes());
    page.extend_from_slice(&stat.st_gid.to_le_bytes());
    for number in [
        stat.st_size as u64,
        (stat.st_blocks as u64).saturating_mul(512),
        stat.st_mtime as u64,
        stat.st_ctime as u64,
    ] {
        page.extend_from_slice(&number.to_le_bytes());
    }
    page.extend_from_slice(&(stat.st_mtime_nsec as u32).to_le_bytes());
    page.extend_from_slice(&(stat.st_ctime_nsec as u32).to_le_bytes());
    for number in [
        stat.st_nlink as u64,
        stat.st_dev as u64,
        stat.st_ino as u64,
        stat.st_rdev as u64,
        attributes,
    ] {
        page.extend_from_slice(&number.to_le_bytes());
    }
    // Room for what a later version adds.
    page.resize(start + FIXED, 0);
    strings(page, start, path, text);
}

/// The lengths stand in the last eight bytes of the fixed part.
fn strings(page: &mut Vec<u8>, start: usize, path: &[u8], text: &[u8]) {
    let at = start + FIXED - 8;
    page[at..at + 4].copy_from_slice(&(path.len() as u32).to_le_bytes());
    page[at + 4..at + 8].copy_from_slice(&(text.len() as u32).to_le_bytes());
    page.extend_from_slice(path);
    page.extend_from_slice(text);
    let length = (page.len() - start) as u32;
    page[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// The number of the contract's `kind`.
fn kind(stat: &Stat) -> u8 {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile | FileType::Unknown => 0,
        FileType::Directory => 1,
        FileType::Symlink => 2,
        FileType::Fifo => 3,
        FileType::Socket => 4,
        FileType::BlockDevice => 5,
        FileType::CharacterDevice => 6,
    }
}
