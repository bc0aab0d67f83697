//! Reading pack files: each must have the name that its bytes hash to, and each
//! blob in it must open, expand and hash to its own name.
//!
//! `rustic_core` has such a check, but it leaves out packs with nothing but a
//! snapshot's root folder, and panics on some damage.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use mhost_model::FaultResult;
use rayon::prelude::*;
use rustic_core::repofile::{IndexBlob, IndexFile, IndexPack};
use rustic_core::{Id, Open, Repository};
use sha2::{Digest, Sha256};

use crate::crypto::Sealer;
use crate::fault;

/// What was read, and what was wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PackReport {
    pub findings: Vec<String>,
    pub bytes_read: u64,
}

/// Reads packs of `percent` of all the bytes, at least one.
pub fn check<S: Open>(
    repo: &Repository<S>,
    sealer: &Sealer,
    root: &Path,
    percent: u32,
) -> FaultResult<PackReport> {
    let mut packs = Vec::new();
    let indexes = repo.stream_files::<IndexFile>().map_err(unread)?;
    for index in indexes {
        packs.extend(index.map_err(unread)?.1.packs);
    }
    let chosen = choose(packs, percent, Id::random());
    let reports = chosen.par_iter().map(|pack| check_pack(pack, sealer, root));
    Ok(reports.reduce(PackReport::default, merge))
}

fn unread(error: Box<rustic_core::RusticError>) -> mhost_model::Fault {
    fault::rustic("reading the index", &error)
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

fn check_pack(pack: &IndexPack, sealer: &Sealer, root: &Path) -> PackReport {
    let id = pack.id.to_hex();
    let id = id.as_str();
    let mut report = PackReport::default();
    if let Err(error) = read_pack(pack, sealer, &path_of(root, id), &mut report) {
        report.findings.push(format!("reading it failed: {error}"));
    }
    for finding in &mut report.findings {
        *finding = format!("pack {id}: {finding}");
    }
    report
}

fn path_of(root: &Path, id: &str) -> PathBuf {
    root.join("data").join(&id[..2]).join(id)
}

/// One blob in memory at a time.
fn read_pack(
    pack: &IndexPack,
    sealer: &Sealer,
    path: &Path,
    report: &mut PackReport,
) -> io::Result<()> {
    let mut reader = Hashing {
        inner: BufReader::with_capacity(256 * 1024, File::open(path)?),
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
