//! Where the blobs of a backup go in one repository: each is stored once, sealed,
//! gathered into pack files, and entered into index files.
//!
//! The order is what makes a backup safe to cut off at any point: a pack is whole
//! before an index names it, and indexes are written before a tree or a snapshot
//! that needs them is final. Indexes are written again and again on the way, so
//! that the next run finds what this one stored.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::{BlobType, ConfigFile};
use rustic_core::{
    BlobId, DataId, FileType, Id, IndexedFullStatus, Repository, TreeId, WriteBackend,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::index;
use super::pack::{Finished, Pack, Sealed};
use super::press::Press;
use crate::crypto::Sealer;
use crate::fault;
use crate::store::Store;

/// An index file is written when so many blobs wait for one …
const MOST_PENDING: usize = 50_000;
/// … or after a quarter of the time that the backup took so far, within these
/// bounds: what a cut loses stays small, and so does the number of index files.
const SOONEST: Duration = Duration::from_secs(10);
const LATEST: Duration = Duration::from_secs(300);

pub type Repo = Repository<IndexedFullStatus>;

/// See the module.
pub struct Depot {
    repo: Arc<Repo>,
    store: Arc<Store>,
    sealer: Sealer,
    /// `None` where the repository does not compress.
    level: Option<i32>,
    sizes: [usize; 2],
    claimed: Mutex<HashSet<(BlobType, Id)>>,
    packs: [Mutex<Pack>; 2],
    pending: Mutex<Pending>,
    pub added: Added,
}

/// What the repository grew by.
#[derive(Debug, Default)]
pub struct Added {
    pub data_blobs: AtomicU64,
    pub tree_blobs: AtomicU64,
    pub data: AtomicU64,
    pub trees: AtomicU64,
    pub data_packed: AtomicU64,
    pub trees_packed: AtomicU64,
}

struct Pending {
    packs: Vec<index::Pack>,
    blobs: usize,
    begun: Moment,
    written: Moment,
}

fn place(kind: BlobType) -> usize {
    match kind {
        BlobType::Tree => 0,
        BlobType::Data => 1,
    }
}

impl Depot {
    pub fn new(repo: Arc<Repo>, store: Arc<Store>) -> FaultResult<Self> {
        let config = repo.config();
        let level = config
            .zstd()
            .map_err(|error| fault::rustic("reading the repository's configuration", &error))?;
        let now = Moment::now();
        Ok(Self {
            sealer: Sealer::new(&repo.key()),
            level,
            sizes: [size(config, BlobType::Tree), size(config, BlobType::Data)],
            claimed: Mutex::default(),
            packs: [BlobType::Tree, BlobType::Data].map(|kind| Mutex::new(Pack::new(kind))),
            pending: Mutex::new(Pending {
                packs: Vec::new(),
                blobs: 0,
                begun: now,
                written: now,
            }),
            added: Added::default(),
            repo,
            store,
        })
    }

    pub fn config(&self) -> &ConfigFile {
        self.repo.config()
    }

    /// Compresses for this repository; one for each thread.
    pub fn press(&self) -> FaultResult<Press> {
        Press::new(self.level)
    }

    /// The length of a stored piece.
    pub fn length_of(&self, id: &DataId) -> Option<u32> {
        let entry = self.repo.get_index_entry(id).ok()?;
        Some(entry.data_length())
    }

    /// Whether this blob has to be stored, by whoever asks first.
    pub fn claim(&self, kind: BlobType, id: Id) -> bool {
        let known = match kind {
            BlobType::Data => self
                .repo
                .get_index_entry(&DataId::from(BlobId::from(id)))
                .is_ok(),
            BlobType::Tree => self
                .repo
                .get_index_entry(&TreeId::from(BlobId::from(id)))
                .is_ok(),
        };
        !known && locked(&self.claimed).insert((kind, id))
    }

    /// Stores a blob that was claimed.
    pub fn add(
        &self,
        kind: BlobType,
        plain: &[u8],
        id: [u8; 32],
        press: &mut Press,
    ) -> FaultResult<()> {
        let blob = self.seal(plain, id, press)?;
        self.count(kind, plain.len(), blob.bytes.len());
        let full = {
            let mut pack = locked(&self.packs[place(kind)]);
            pack.add(&blob);
            pack.is_full(self.sizes[place(kind)])
                .then(|| std::mem::replace(&mut *pack, Pack::new(kind)))
        };
        match full {
            Some(pack) => self.write_pack(pack),
            None => Ok(()),
        }
    }

    /// Sealed, and opened again as a check: what memory or processor spoilt must not
    /// be found out only when it is needed.
    fn seal(&self, plain: &[u8], id: [u8; 32], press: &mut Press) -> FaultResult<Sealed> {
        let packed = press.squeeze(plain)?;
        let sealed = self.sealer.seal(packed.as_deref().unwrap_or(plain));
        let bytes = sealed.ok_or_else(|| Fault::Failed("backing up: sealing failed".to_owned()))?;
        let blob = Sealed {
            id,
            bytes,
            plain_length: packed
                .is_some()
                .then(|| u32::try_from(plain.len()).unwrap_or(u32::MAX)),
        };
        let opened = self.sealer.open_raw(&blob.bytes);
        let same = opened.is_some_and(|opened| press.expands_to(&opened, packed.is_some(), plain));
        if !same || Sha256::digest(plain).as_slice() != id {
            return Err(Fault::Failed(
                "backing up: a piece was spoilt in memory while it was stored; check this machine's memory"
                    .to_owned(),
            ));
        }
        Ok(blob)
    }

    fn count(&self, kind: BlobType, plain: usize, packed: usize) {
        let added = &self.added;
        let (blobs, plain_sum, packed_sum) = match kind {
            BlobType::Data => (&added.data_blobs, &added.data, &added.data_packed),
            BlobType::Tree => (&added.tree_blobs, &added.trees, &added.trees_packed),
        };
        blobs.fetch_add(1, Relaxed);
        plain_sum.fetch_add(plain as u64, Relaxed);
        packed_sum.fetch_add(packed as u64, Relaxed);
    }

    fn write_pack(&self, pack: Pack) -> FaultResult<()> {
        let finished = pack
            .finish(&self.sealer)
            .ok_or_else(|| Fault::Failed("backing up: sealing a pack failed".to_owned()))?;
        let Finished { id, bytes, entry } = finished;
        self.store
            .write_bytes(FileType::Pack, &id, false, bytes.into())
            .map_err(|error| fault::rustic("storing a pack", &error))?;
        let due = {
            let mut pending = locked(&self.pending);
            pending.blobs += entry.blobs.len();
            pending.packs.push(entry);
            pending.is_due().then(|| pending.take())
        };
        due.map_or(Ok(()), |packs| self.write_index(&packs))
    }

    fn write_index(&self, packs: &[index::Pack]) -> FaultResult<()> {
        if packs.is_empty() {
            return Ok(());
        }
        self.write_file(FileType::Index, &index::File { packs })
            .map(drop)
    }

    /// Writes everything that was added, and the index of it.
    pub fn flush(&self) -> FaultResult<()> {
        for (kind, pack) in [BlobType::Tree, BlobType::Data]
            .into_iter()
            .zip(&self.packs)
        {
            let pack = std::mem::replace(&mut *locked(pack), Pack::new(kind));
            if !pack.is_empty() {
                self.write_pack(pack)?;
            }
        }
        let packs = locked(&self.pending).take();
        self.write_index(&packs)
    }

    /// The index of the packs that are whole, for the next run to find.
    pub fn flush_index(&self) -> FaultResult<()> {
        let packs = locked(&self.pending).take();
        self.write_index(&packs)
    }

    /// A file that stands by itself: an index, a snapshot.
    pub fn write_file(&self, kind: FileType, content: &impl Serialize) -> FaultResult<Id> {
        let failed = |error: &dyn std::fmt::Display| {
            Fault::Failed(format!("storing a file of kind {kind}: {error}"))
        };
        let text = serde_json::to_vec(content).map_err(|error| failed(&error))?;
        let text = match self.level {
            None => text,
            Some(level) => {
                let packed = zstd::encode_all(&text[..], level).map_err(|error| failed(&error))?;
                [vec![2], packed].concat()
            }
        };
        let sealed = self
            .sealer
            .seal(&text)
            .ok_or_else(|| failed(&"sealing failed"))?;
        let id = Id::new(Sha256::digest(&sealed).into());
        self.store
            .write_bytes(kind, &id, true, sealed.into())
            .map_err(|error| fault::rustic(format!("storing a file of kind {kind}"), &error))?;
        Ok(id)
    }
}

impl Pending {
    fn is_due(&self) -> bool {
        let pause = (self.begun.elapsed() / 4).clamp(SOONEST, LATEST);
        self.blobs >= MOST_PENDING || self.written.elapsed() >= pause
    }

    fn take(&mut self) -> Vec<index::Pack> {
        self.blobs = 0;
        self.written = Moment::now();
        std::mem::take(&mut self.packs)
    }
}

/// Where the repository does not say otherwise, as large as restic makes them.
fn size(config: &ConfigFile, kind: BlobType) -> usize {
    let wanted = match kind {
        BlobType::Tree => config.treepack_size.unwrap_or(4 << 20),
        BlobType::Data => config.datapack_size.unwrap_or(16 << 20),
    };
    (wanted as usize).clamp(1 << 20, 128 << 20)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
