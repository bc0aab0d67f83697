//! What both sides had when they were equal last: a digest a path, kept in the task's
//! state in pieces.

use std::collections::{BTreeMap, BTreeSet};

use mhost_sdk::{Context, Doing as _, Failure};

use super::super::stream::Path;
use super::side::{Print, Side};

/// Bytes of one piece; the host takes a MiB.
const PIECE: usize = 512 << 10;

/// See the module.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Base(pub BTreeMap<Path, u64>);

fn key(name: &str, n: usize) -> String {
    format!("{name} {n}")
}

impl Base {
    /// What is kept under a name.
    pub fn read(context: &Context<'_>, name: &str) -> Result<Self, Failure> {
        let mut base = Self::default();
        for n in 0.. {
            let piece = context.state().get(&key(name, n));
            let Some(piece) = piece.doing(|| "read what both sides had".to_owned())? else {
                break;
            };
            base.add(&piece).ok_or_else(|| {
                Failure::permanent("what is remembered of both sides is damaged; remove the task's state to begin anew")
            })?;
        }
        Ok(base)
    }

    /// Each record: the path's length (u32), the path, the digest.
    fn add(&mut self, mut piece: &[u8]) -> Option<()> {
        while !piece.is_empty() {
            let (length, rest) = piece.split_at_checked(4)?;
            let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
            let (path, rest) = rest.split_at_checked(length)?;
            let (digest, rest) = rest.split_at_checked(8)?;
            let digest = u64::from_le_bytes(digest.try_into().ok()?);
            self.0.insert(Path(path.to_vec()), digest);
            piece = rest;
        }
        Some(())
    }

    /// The pieces.
    fn pieces(&self) -> Vec<Vec<u8>> {
        let mut pieces = vec![Vec::new()];
        for (path, digest) in &self.0 {
            if pieces.last().is_some_and(|piece| piece.len() > PIECE) {
                pieces.push(Vec::new());
            }
            let Some(piece) = pieces.last_mut() else {
                break;
            };
            piece.extend_from_slice(&(path.0.len() as u32).to_le_bytes());
            piece.extend_from_slice(&path.0);
            piece.extend_from_slice(&digest.to_le_bytes());
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// After a run: what both sides have now; what was left open keeps what it had.
    pub fn renewed(&self, here: &Side, there: &Side, open: &BTreeSet<Path>) -> Self {
        let mut base = Self::default();
        for (path, print) in &here.entries {
            let digest = print.digest();
            if there.entries.get(path).map(Print::digest) == Some(digest) {
                base.0.insert(path.clone(), digest);
            }
        }
        // What changed meanwhile on one side is compared with what it was.
        for (path, digest) in &self.0 {
            let gone = !here.entries.contains_key(path) && !there.entries.contains_key(path);
            if open.contains(path) || (!gone && !base.0.contains_key(path)) {
                base.0.insert(path.clone(), *digest);
            }
        }
        base
    }

    /// Writes only the pieces that changed.
    pub fn write(&self, context: &Context<'_>, name: &str) -> Result<(), Failure> {
        let state = context.state();
        let keep = || {
            let pieces = self.pieces();
            for (n, piece) in pieces.iter().enumerate() {
                if state.get(&key(name, n))?.as_ref() != Some(piece) {
                    state.set(&key(name, n), piece)?;
                }
            }
            let mut n = pieces.len();
            while state.get(&key(name, n))?.is_some() {
                state.delete(&key(name, n))?;
                n += 1;
            }
            Ok(())
        };
        keep().doing(|| "remember what both sides have".to_owned())
    }
}
