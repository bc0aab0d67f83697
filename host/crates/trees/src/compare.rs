//! Whether two files have the same content.

use std::fs::File;
use std::os::unix::fs::FileExt;

use mhost_model::{Fault, FaultResult};
use rustix::fs::{FileType, Mode, OFlags};

use crate::Watch;
use crate::place::{Folders, Root};

const BLOCK: usize = 256 << 10;

/// Compares regular files of two trees, pair by pair.
pub fn same(
    watch: &dyn Watch,
    (left, right): (&Root, &Root),
    pairs: &[(Vec<u8>, Vec<u8>)],
) -> Vec<FaultResult<bool>> {
    let (mut left, mut right) = (Folders::new(left), Folders::new(right));
    let mut buffers = (vec![0; BLOCK], vec![0; BLOCK]);
    pairs
        .iter()
        .map(|(a, b)| {
            let (a_file, a_size) = open(&mut left, a)?;
            let (b_file, b_size) = open(&mut right, b)?;
            watch.opened();
            watch.opened();
            if a_size != b_size {
                return Ok(false);
            }
            let explain = |error| left.root.fault("read", a, error);
            equal(watch, &a_file, &b_file, &mut buffers, &explain)
        })
        .collect()
}

fn open(folders: &mut Folders<'_>, path: &[u8]) -> FaultResult<(File, i64)> {
    const VERB: &str = "read";
    let root = folders.root;
    let leaf = folders.leaf(path, VERB)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = rustix::fs::openat(
        leaf.folder,
        &leaf.name,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let file = opened.map_err(|error| root.fault(VERB, path, error))?;
    let stat = rustix::fs::fstat(&file).map_err(|error| root.fault(VERB, path, error))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok((file.into(), stat.st_size)),
        _ => Err(Fault::Invalid(format!(
            "cannot read `{}`: it is not a regular file",
            root.shown(path)
        ))),
    }
}

fn equal(
    watch: &dyn Watch,
    a: &File,
    b: &File,
    (left, right): &mut (Vec<u8>, Vec<u8>),
    explain: &dyn Fn(std::io::Error) -> Fault,
) -> FaultResult<bool> {
    let mut at = 0;
    loop {
        watch.go_on()?;
        let read = fill(a, left, at).map_err(explain)?;
        let other = fill(b, right, at).map_err(explain)?;
        watch.read((read + other) as u64);
        if left[..read] != right[..other] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
        at += read as u64;
    }
}

fn fill(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
