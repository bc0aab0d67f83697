//! The contract's records from and to the types of this side.

use rustix::fs::{FileType, Stat, StatVfs};

use super::compress::{Compressed, Format};
use super::copy::CopyOptions;
use super::hash::Algorithm;
use super::metadata::Changes;
use super::walk::{Entry, WalkOptions};
use crate::bindings::mhost::plugin::files as contract;

pub(super) fn metadata(stat: &Stat) -> contract::Metadata {
    contract::Metadata {
        kind: kind(stat),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        allocated: u64::try_from(stat.st_blocks)
            .unwrap_or(0)
            .saturating_mul(512),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        modified: moment(stat.st_mtime, stat.st_mtime_nsec),
        accessed: moment(stat.st_atime, stat.st_atime_nsec),
        changed: moment(stat.st_ctime, stat.st_ctime_nsec),
        links: stat.st_nlink,
        device: stat.st_dev,
        inode: stat.st_ino,
    }
}

fn kind(stat: &Stat) -> contract::Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => contract::Kind::Directory,
        FileType::Symlink => contract::Kind::SymbolicLink,
        FileType::Fifo => contract::Kind::Fifo,
        FileType::Socket => contract::Kind::Socket,
        FileType::BlockDevice => contract::Kind::BlockDevice,
        FileType::CharacterDevice => contract::Kind::CharacterDevice,
        FileType::RegularFile | FileType::Unknown => contract::Kind::File,
    }
}

/// The width of nanoseconds differs between architectures.
fn moment(seconds: i64, nanoseconds: impl TryInto<u32>) -> contract::Moment {
    contract::Moment {
        seconds,
        nanoseconds: nanoseconds.try_into().unwrap_or(0),
    }
}

pub(super) fn space(room: &StatVfs) -> contract::Space {
    let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
    contract::Space {
        total: bytes(room.f_blocks),
        free: bytes(room.f_bfree),
        available: bytes(room.f_bavail),
    }
}

pub(super) fn entry(entry: Entry) -> contract::Entry {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let metadata = metadata(&entry.stat);
    let link_target = entry.link_target.as_deref().map(lossy);
    let (path, raw) = match String::from_utf8(entry.path) {
        Ok(path) => (path, None),
        Err(error) => (lossy(error.as_bytes()), Some(error.into_bytes())),
    };
    contract::Entry {
        path,
        raw,
        metadata,
        link_target,
    }
}

impl From<contract::Changes> for Changes {
    fn from(changes: contract::Changes) -> Self {
        let moment = |moment: contract::Moment| (moment.seconds, moment.nanoseconds);
        Self {
            mode: changes.mode,
            uid: changes.uid,
            gid: changes.gid,
            modified: changes.modified.map(moment),
            accessed: changes.accessed.map(moment),
        }
    }
}

impl From<contract::CopyOptions> for CopyOptions {
    fn from(options: contract::CopyOptions) -> Self {
        let contract::CopyOptions { replace, preserve } = options;
        Self { replace, preserve }
    }
}

impl From<contract::WalkOptions> for WalkOptions {
    fn from(options: contract::WalkOptions) -> Self {
        Self {
            max_depth: options.max_depth,
            one_file_system: options.one_file_system,
            attributes: false,
        }
    }
}

impl From<contract::HashAlgorithm> for Algorithm {
    fn from(algorithm: contract::HashAlgorithm) -> Self {
        match algorithm {
            contract::HashAlgorithm::Sha256 => Self::Sha256,
            contract::HashAlgorithm::Blake3 => Self::Blake3,
            contract::HashAlgorithm::Crc32 => Self::Crc32,
        }
    }
}

impl From<contract::Compression> for Format {
    fn from(format: contract::Compression) -> Self {
        match format {
            contract::Compression::Gzip => Self::Gzip,
            contract::Compression::Zstd => Self::Zstd,
        }
    }
}

impl From<Compressed> for contract::Compressed {
    fn from(done: Compressed) -> Self {
        Self {
            bytes_in: done.bytes_in,
            bytes_out: done.bytes_out,
        }
    }
}
