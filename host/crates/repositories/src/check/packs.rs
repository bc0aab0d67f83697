//! Reading pack files: each must have the name that its bytes hash to, and each
//! blob in it must open, expand and hash to its own name.
//!
//! `rustic_core` has such a check, but it leaves out packs with nothing but a
//! snapshot's root folder, and panics on some damage.

use std::fs::File;
use std::io::{self, BufReader, Read};

use mhost_model::ports::repository::{Share, Watch};
use mhost_model::{Fault, FaultResult};
use rayon::prelude::*;
use rustic_core::repofile::{IndexBlob, IndexFile, IndexPack};
use rustic_core::{FileType, Id, Open, Repository};
use sha2::{Digest, Sha256};

use crate::crypto::Sealer;
use crate::fault;
use crate::medium::{Medium, name_of};
use crate::pace::Pace;

/// What was read, and what was wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PackReport {
    pub findings: Vec<String>,
    pub bytes_read: u64,
}

/// Reads a share of the packs, at least one.
pub fn check<S: Open>(
    repo: &Repository<S>,
    sealer: &Sealer,
    medium: &dyn Medium,
    share: Share,
    watch: &dyn Watch,
) -> FaultResult<PackReport> {
    let mut packs = Vec::new();
    let mut unread = PackReport::default();
    let indexes = repo.stream_files::<IndexFile>().map_err(index_fault)?;
    for index in indexes {
        // Damage is what a check is there to find, and the other packs are read all the same.
        match index.map_err(index_fault) {
            Ok((_, index)) => packs.extend(index.packs),
            Err(Fault::Damaged(finding)) => unread.findings.push(finding),
            Err(fault) => return Err(fault),
        }
    }
    let chosen = match share {
        Share::Percent(percent) => choose(packs, percent, Id::random()),
        Share::Part { part, of } => part_of(packs, part, of),
    };
    let bytes = chosen.iter().map(|pack| u64::from(pack.pack_size())).sum();
    let pace = Pace::new(watch, "reading packs", chosen.len() as u64, bytes);
    let read = |pack: &IndexPack| {
        if !pace.may_go_on() {
            return Err(Fault::Failed(
                "checking: the run was asked to end".to_owned(),
            ));
        }
        let report = check_pack(pack, sealer, medium);
        pace.file();
        pace.bytes(report.bytes_read);
        Ok(report)
    };
    let reports = chosen.par_iter().map(read);
    let read = reports.try_reduce(PackReport::default, |left, right| Ok(merge(left, right)))?;
    Ok(merge(unread, read))
}

/// The packs of one of so many parts, the same each time: by the first byte of their
/// ids, as restic's `--read-data-subset=PART/OF` takes them.
fn part_of(mut packs: Vec<IndexPack>, part: u32, of: u32) -> Vec<IndexPack> {
    packs.retain(|pack| {
        let first = u32::from_str_radix(&pack.id.to_hex().as_str()[..2], 16);
        first.is_ok_and(|first| first % of == part - 1)
    });
    packs
}

fn index_fault(error: Box<rustic_core::RusticError>) -> Fault {
    fault::of("reading the index", &error)
}

fn merge(mut left: PackReport, right: PackReport) -> PackReport {
    left.bytes_read += right.bytes_read;
    left.findings.extend(right.findings);
    left
}

/// In an order that depends on the seed alone, until the share is reached.
fn choose(mut packs: Vec<IndexPack>, percent: u32, seed: Id) -> Vec<IndexPack> {
    let size = |pack: &IndexPack| u64::from(pack.pack_size());
    let total: u64 = packs.iter().map(size).sum();
    let wanted = u128::from(total) * u128::from(percent) / 100;
    let order = |pack: &IndexPack| {
        let text = format!("{}{}", seed.to_hex().as_str(), pack.id.to_hex().as_str());
        Sha256::digest(text)
    };
    packs.sort_by_cached_key(order);
    let mut so_far = 0;
    let chosen = packs.into_iter().take_while(|pack| {
        let more = so_far == 0 || so_far < wanted;
        so_far += u128::from(size(pack));
        more
    });
    chosen.collect()
}

fn check_pack(pack: &IndexPack, sealer: &Sealer, medium: &dyn Medium) -> PackReport {
    let id = pack.id.to_hex();
    let id = id.as_str();
    let mut report = PackReport::default();
    let file = name_of(FileType::Pack, &pack.id);
    let opened = stream(medium, &file);
    let read = opened.and_then(|bytes| read_pack(pack, sealer, bytes, &mut report));
    if let Err(error) = read {
        report.findings.push(format!("reading it failed: {error}"));
    }
    for finding in &mut report.findings {
        *finding = format!("pack {id}: {finding}");
    }
    report
}

/// A file of this machine is read bit by bit, a remote one at once.
fn stream(medium: &dyn Medium, file: &str) -> io::Result<Box<dyn Read>> {
    Ok(match medium.folder() {
        Some(root) => Box::new(File::open(root.join(file))?),
        None => Box::new(io::Cursor::new(medium.read(file)?)),
    })
}

/// One blob in memory at a time.
fn read_pack(
    pack: &IndexPack,
    sealer: &Sealer,
    bytes: Box<dyn Read>,
    report: &mut PackReport,
) -> io::Result<()> {
    let mut reader = Hashing {
        inner: BufReader::with_capacity(256 * 1024, bytes),
        hasher: Sha256::new(),
        position: 0,
    };
    let mut blobs = pack.blobs.clone();
    blobs.sort_unstable_by_key(|blob| blob.location.offset);
    let mut bytes = Vec::new();
    for blob in &blobs {
        let start = u64::from(blob.location.offset);
        if start < reader.position {
            let text = "its blobs lie over each other: the index is wrong".to_owned();
            report.findings.push(text);
            break;
        }
        reader.skip(start - reader.position)?;
        reader.read_blob(blob.location.length, &mut bytes)?;
        report.findings.extend(wrong_with(blob, sealer, &bytes));
    }
    reader.skip(u64::MAX)?;
    report.bytes_read = reader.position;
    if reader.hasher.finalize().as_slice() != id_bytes(&pack.id) {
        report
            .findings
            .push("its bytes are not what was written".to_owned());
    }
    Ok(())
}

fn wrong_with(blob: &IndexBlob, sealer: &Sealer, sealed: &[u8]) -> Option<String> {
    let name = blob.id.to_hex();
    let Some(packed) = sealer.open_raw(sealed) else {
        return Some(format!(
            "blob {} cannot be opened with the key",
            name.as_str()
        ));
    };
    let plain = match blob.location.uncompressed_length {
        None => Ok(packed),
        Some(length) => expand(&packed, u64::from(length.get())),
    };
    match plain {
        Err(error) => Some(format!("blob {} does not expand: {error}", name.as_str())),
        Ok(plain) if Sha256::digest(&plain).as_slice() != id_bytes(&blob.id) => {
            Some(format!("blob {} has another content", name.as_str()))
        }
        Ok(_) => None,
    }
}

/// Never more than the index says, whatever the compressed bytes claim.
fn expand(packed: &[u8], length: u64) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let reader = zstd::stream::read::Decoder::new(packed)?;
    reader
        .take(length.saturating_add(1))
        .read_to_end(&mut plain)?;
    if plain.len() as u64 != length {
        return Err(io::Error::other("its length differs from the index"));
    }
    Ok(plain)
}

fn id_bytes(id: &Id) -> Vec<u8> {
    hex::decode(id.to_hex().as_str()).unwrap_or_default()
}

/// Hashes everything that passes, and knows where it is.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    position: u64,
}

impl<R: Read> Hashing<R> {
    /// Up to the end, where there are fewer bytes.
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let passed = io::copy(&mut (&mut self.inner).take(bytes), &mut self.hasher)?;
        self.position += passed;
        Ok(())
    }

    fn read_blob(&mut self, length: u32, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        let length = u64::from(length);
        (&mut self.inner).take(length).read_to_end(into)?;
        if (into.len() as u64) < length {
            return Err(io::Error::other("the file is cut short"));
        }
        self.hasher.update(&into[..]);
        self.position += length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustic_core::repofile::PackId;

    fn packs(sizes: &[u32]) -> Vec<IndexPack> {
        let pack = |size: &u32| IndexPack {
            id: PackId::from(Id::random()),
            size: Some(*size),
            ..IndexPack::default()
        };
        sizes.iter().map(pack).collect()
    }

    fn check(sizes: &[u32], percent: u32, expected: usize) {
        let chosen = choose(packs(sizes), percent, Id::random());
        assert_eq!(chosen.len(), expected, "{percent} % of {sizes:?}");
    }

    #[test]
    fn all_parts_together_are_everything() {
        let all = packs(&[10; 300]);
        let count = |part| part_of(all.clone(), part, 7).len();
        assert_eq!((1..=7).map(count).sum::<usize>(), 300);
        assert!((1..=7).all(|part| count(part) > 10));
    }

    #[test]
    fn how_many_packs_are_read() {
        check(&[], 50, 0);
        check(&[1000], 1, 1);
        check(&[10; 100], 1, 1);
        check(&[10; 100], 25, 25);
        check(&[10; 100], 100, 100);
    }

    #[test]
    fn another_seed_chooses_others() {
        let all = packs(&[10; 200]);
        let ids = |seed| -> Vec<_> {
            let chosen = choose(all.clone(), 5, seed);
            chosen.iter().map(|pack| pack.id).collect()
        };
        let (one, two) = (Id::random(), Id::random());
        assert_eq!(ids(one), ids(one));
        assert_ne!(ids(one), ids(two));
    }

    #[test]
    fn a_bomb_is_not_expanded() {
        let bomb = zstd::encode_all(&vec![0; 10 << 20][..], 3).unwrap();
        assert!(expand(&bomb, 100).is_err());
        assert_eq!(expand(&bomb, 10 << 20).unwrap().len(), 10 << 20);
    }
}
