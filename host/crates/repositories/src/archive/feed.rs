//! One file's bytes on their way into one repository: cut into pieces, which are
//! named by their hash.
//!
//! A file that only grows can follow the pieces that an earlier snapshot has of it:
//! as long as they are still there, each is taken over as it is, and cutting begins
//! where they end. So a snapshot of a grown file adds what it grew by, and not its
//! whole last piece again.

use rustic_core::{DataId, Id};
use sha2::{Digest, Sha256};

use super::cutter::Cutter;

static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];

/// A piece of an earlier snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub id: DataId,
    pub length: usize,
}

/// See the module.
pub struct Feed<'a> {
    cutter: &'a mut Cutter,
    follow: Option<Follow>,
    cut: Vec<Vec<u8>>,
    pub content: Vec<DataId>,
    /// The name of a piece of zeroes, once it was handed over.
    zeroes: Option<DataId>,
}

struct Follow {
    pieces: std::vec::IntoIter<Known>,
    now: Option<Known>,
    begun: Vec<u8>,
}

/// A piece with its name.
pub struct Piece {
    pub id: [u8; 32],
    pub bytes: Vec<u8>,
}

impl<'a> Feed<'a> {
    /// `follow` are the pieces of the file in an earlier snapshot, or none.
    pub fn new(cutter: &'a mut Cutter, follow: Vec<Known>) -> Self {
        let mut pieces = follow.into_iter();
        let now = pieces.next();
        let follow = now.is_some().then(|| Follow {
            pieces,
            now,
            begun: Vec::new(),
        });
        Self {
            cutter,
            follow,
            cut: Vec::new(),
            content: Vec::new(),
            zeroes: None,
        }
    }

    pub fn push(&mut self, mut bytes: &[u8], store: &mut dyn FnMut(Piece) -> bool) -> bool {
        while let (Some(follow), false) = (&mut self.follow, bytes.is_empty()) {
            let (taken, end) = follow.push(bytes);
            bytes = &bytes[taken..];
            match end {
                None => {}
                Some(Ok(known)) => self.content.push(known),
                Some(Err(begun)) => {
                    self.follow = None;
                    self.cutter.push(&begun, &mut self.cut);
                }
            }
        }
        self.cutter.push(bytes, &mut self.cut);
        self.hand_over(store)
    }

    /// Takes zeroes that need not be read; how many, at least one. Where a piece can
    /// begin, whole pieces of them are named and not looked at.
    pub fn push_hole(&mut self, length: u64, store: &mut dyn FnMut(Piece) -> bool) -> Option<u64> {
        let few = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(ZEROES.len());
        if self.follow.is_some() {
            return self.push(&ZEROES[..few], store).then_some(few as u64);
        }
        match self.cutter.zeroes() {
            Some(size) if length >= size as u64 => self.push_zero_pieces(size, length, store),
            _ => {
                let taken = self.cutter.push_to_cut(&ZEROES[..few], &mut self.cut);
                self.hand_over(store).then_some(taken as u64)
            }
        }
    }

    fn push_zero_pieces(
        &mut self,
        size: usize,
        length: u64,
        store: &mut dyn FnMut(Piece) -> bool,
    ) -> Option<u64> {
        let count = length / size as u64;
        let id = match self.zeroes {
            Some(id) => id,
            None => {
                let piece = named(vec![0; size]);
                let id = DataId::from(Id::new(piece.id));
                self.zeroes = store(piece).then_some(id);
                self.zeroes?
            }
        };
        let count_here = usize::try_from(count).ok()?;
        self.content.extend(std::iter::repeat_n(id, count_here));
        Some(count * size as u64)
    }

    pub fn finish(&mut self, store: &mut dyn FnMut(Piece) -> bool) -> bool {
        if let Some(follow) = self.follow.take() {
            self.cutter.push(&follow.begun, &mut self.cut);
        }
        self.cut.extend(self.cutter.finish());
        self.hand_over(store)
    }

    fn hand_over(&mut self, store: &mut dyn FnMut(Piece) -> bool) -> bool {
        for bytes in self.cut.drain(..) {
            let piece = named(bytes);
            self.content.push(DataId::from(Id::new(piece.id)));
            if !store(piece) {
                return false;
            }
        }
        true
    }
}

fn named(bytes: Vec<u8>) -> Piece {
    Piece {
        id: Sha256::digest(&bytes).into(),
        bytes,
    }
}

impl Follow {
    /// How many bytes were taken, and at a piece's end whether it is the known one;
    /// where it is not, and after the last one, what has to be cut anew.
    fn push(&mut self, bytes: &[u8]) -> (usize, Option<Result<DataId, Vec<u8>>>) {
        let Some(known) = self.now else {
            return (0, Some(Err(Vec::new())));
        };
        let taken = bytes.len().min(known.length - self.begun.len());
        self.begun.extend_from_slice(&bytes[..taken]);
        if self.begun.len() < known.length {
            return (taken, None);
        }
        let found: [u8; 32] = Sha256::digest(&self.begun).into();
        if DataId::from(Id::new(found)) != known.id {
            return (taken, Some(Err(std::mem::take(&mut self.begun))));
        }
        self.begun.clear();
        self.now = self.pieces.next();
        (taken, Some(Ok(known.id)))
    }
}

/// The pieces that are worth following: a long run of small ones at the end is cut
/// anew, so that a file which grows a little each hour does not fall to pieces.
pub fn worth_following(mut known: Vec<Known>, smallest: usize) -> Vec<Known> {
    const MOST_SMALL: usize = 64;
    let whole = known.iter().rposition(|piece| piece.length >= smallest);
    let first_small = whole.map_or(0, |at| at + 1);
    if known.len() - first_small > MOST_SMALL {
        known.truncate(first_small);
    }
    known.retain(|piece| piece.length > 0);
    known
}

#[cfg(test)]
mod tests {
    use mhost_test_support::noise;

    use super::*;
    use crate::archive::cutter::tests::cutter;

    /// The content's names and the lengths of the pieces that were handed over.
    fn feed(parts: &[&[u8]], follow: Vec<Known>) -> (Vec<DataId>, Vec<usize>) {
        let mut cutter = cutter();
        let mut feed = Feed::new(&mut cutter, follow);
        let mut stored = Vec::new();
        let mut store = |piece: Piece| {
            stored.push(piece.bytes.len());
            true
        };
        for part in parts {
            assert!(feed.push(part, &mut store));
        }
        assert!(feed.finish(&mut store));
        (feed.content, stored)
    }

    fn known(data: &[u8]) -> Vec<Known> {
        let (ids, lengths) = feed(&[data], Vec::new());
        let pairs = ids.into_iter().zip(lengths);
        pairs.map(|(id, length)| Known { id, length }).collect()
    }

    #[test]
    fn what_was_appended_is_all_that_is_cut() {
        let data = noise(3 << 20, 77);
        let before = known(&data[..2 << 20]);
        for (end, added) in [(2 << 20, vec![]), ((2 << 20) + 1000, vec![1000])] {
            let (ids, stored) = feed(&[&data[..end]], before.clone());
            assert_eq!(stored, added);
            assert!(ids.starts_with(&before.iter().map(|one| one.id).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn where_the_bytes_differ_cutting_begins() {
        let data = noise(3 << 20, 77);
        let before = known(&data);
        let mut changed = data.clone();
        let at = before[0].length + 5;
        changed[at] ^= 1;
        let (ids, stored) = feed(&[&changed[..at + 1], &changed[at + 1..]], before.clone());
        assert_eq!(ids[0], before[0].id);
        assert_ne!(ids[1], before[1].id);
        assert_eq!(
            stored.iter().sum::<usize>(),
            changed.len() - before[0].length
        );
        // One that became shorter in the middle of a piece.
        let (ids, stored) = feed(&[&data[..at]], before.clone());
        assert_eq!((ids.len(), stored), (2, vec![5]));
    }

    #[test]
    fn a_hole_is_what_its_zeroes_are() {
        let length = 5 * cutter().zeroes().unwrap() + 7;
        for before in [0, 1, 100, 700_000] {
            let head = noise(before, 77);
            let whole = [&head[..], &vec![0; length], b"x"].concat();
            let (expected, _) = feed(&[&whole], Vec::new());
            let mut cutter = cutter();
            let mut feed = Feed::new(&mut cutter, Vec::new());
            let mut stored = 0;
            let mut store = |piece: Piece| {
                stored += piece.bytes.len();
                true
            };
            feed.push(&head, &mut store);
            let mut left = length as u64;
            while left > 0 {
                left -= feed.push_hole(left, &mut store).unwrap();
            }
            feed.push(b"x", &mut store);
            feed.finish(&mut store);
            assert_eq!(feed.content, expected, "after {before} bytes");
            assert!(
                stored < whole.len() - (1 << 20),
                "{stored} bytes were handed over"
            );
        }
    }

    #[test]
    fn many_small_pieces_are_gathered() {
        let piece = |length| Known {
            id: DataId::default(),
            length,
        };
        let few: Vec<_> = [1000, 1000, 10, 10].map(piece).to_vec();
        assert_eq!(worth_following(few, 100).len(), 4);
        let many: Vec<_> = std::iter::once(1000).chain([10; 70]).map(piece).collect();
        assert_eq!(worth_following(many, 100).len(), 1);
    }
}
