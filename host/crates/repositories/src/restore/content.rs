//! The contents of one file: comparing what is there, and bringing what is not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use mhost_model::{Fault, FaultResult};
use rayon::prelude::*;
use rustic_core::repofile::{BlobType, Node, PackId};
use rustic_core::{BlobId, DataId, Id};

use super::Repo;
use crate::fault;

/// A piece of a file.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    pub id: DataId,
    pub offset: u64,
    pub length: u32,
    /// The pack that it lies in, and where it ends there.
    pub pack: PackId,
    pub end: u64,
}

/// What a file's failure means for the others.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing: they go on.
    File(Fault),
    /// They would fail in the same way.
    All(Fault),
}

impl Trouble {
    /// Damage is the one file's; what cannot be read otherwise is the repository's.
    pub fn of(fault: Fault) -> Self {
        match fault {
            Fault::Damaged(_) => Self::File(fault),
            fault => Self::All(fault),
        }
    }

    /// A full or broken target is everybody's, a file that is not permitted its own.
    pub fn system(doing: &str, path: &Path, error: &io::Error) -> Self {
        let fault = fault::system(doing, path, error);
        let disk = matches!(
            error.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::ReadOnlyFilesystem
        );
        let broken = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
        match disk || broken {
            true => Self::All(fault),
            false => Self::File(fault),
        }
    }
}

/// The pieces of a file, in order; an error where one is not in the repository.
pub fn pieces(repo: &Repo, node: &Node, path: &Path) -> FaultResult<Vec<Piece>> {
    let mut offset = 0_u64;
    let ids = node.content.iter().flatten();
    ids.map(|id| {
        let entry = repo
            .get_index_entry(id)
            .map_err(|error| fault::rustic(path.display(), &error))?;
        let length = entry.data_length();
        let piece = Piece {
            id: *id,
            offset,
            length,
            pack: entry.pack,
            end: u64::from(entry.location.offset) + u64::from(entry.location.length),
        };
        offset += u64::from(length);
        Ok(piece)
    })
    .collect()
}

pub fn length(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| u64::from(piece.length)).sum()
}

/// Whether a file of the right length holds exactly these pieces. It is read,
/// whatever its times say.
pub fn holds(file: &File, pieces: &[Piece]) -> bool {
    let matches = |piece: &Piece| {
        let mut buffer = vec![0; piece.length as usize];
        let id: Id = *piece.id;
        file.read_exact_at(&mut buffer, piece.offset).is_ok()
            && id.blob_matches_reader(u64::from(piece.length), &mut buffer.as_slice())
    };
    match pieces {
        [] => true,
        [only] => matches(only),
        several => several.par_iter().all(matches),
    }
}

/// Fills an empty file. Pieces of zeroes stay holes.
pub fn fill(repo: &Repo, file: &File, pieces: &[Piece], path: &Path) -> Result<(), Trouble> {
    let unwritten = |error: io::Error| Trouble::system("writing", path, &error);
    file.set_len(length(pieces)).map_err(unwritten)?;
    let write = |piece: &Piece| {
        let data = repo
            .get_blob_cached(&BlobId::from(piece.id), BlobType::Data)
            .map_err(|error| Trouble::of(fault::rustic(path.display(), &error)))?;
        if data.len() != piece.length as usize {
            return Err(Trouble::File(Fault::Damaged(format!(
                "{}: a piece has {} bytes instead of {}",
                path.display(),
                data.len(),
                piece.length
            ))));
        }
        if data.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        file.write_all_at(&data, piece.offset).map_err(unwritten)
    };
    match pieces {
        [] => Ok(()),
        [only] => write(only),
        several => several.par_iter().try_for_each(write),
    }
}
