//! Making the trees of a snapshot from the entries of a walk, in one or several
//! repositories at once: each file is read once.
//!
//! Four kinds of threads, with bounded queues between them: one walks the sources
//! and compares with the parents, some read and cut files, some compress and seal
//! pieces and write packs, and the calling one builds the trees in the order of the
//! walk. This is not left to `rustic_core`, which writes one repository at a time,
//! drops what fails with a line in a log, and cannot follow a file that grows.

mod builder;
mod cutter;
mod depot;
mod feed;
mod file;
mod index;
mod pack;
mod parents;
mod press;

use std::collections::VecDeque;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use crossbeam_channel::{Receiver, Sender, bounded};
use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::{BlobType, Node, SnapshotSummary};
use rustic_core::{DataId, TreeId};

use self::builder::{Builder, Written};
use self::cutter::Cutter;
pub use self::depot::{Depot, Repo};
use self::feed::Known;
use self::file::{Done, Job, Reader};
pub use self::parents::{Ignore, Parents, State};
use crate::backup::journal::Journal;
use crate::backup::walk::{Entry, Walk};
use crate::pace::Pace;

/// Entries that wait for the trees, at most.
const WAITING: usize = 512;

/// One repository that the snapshot goes to.
pub struct Target {
    pub depot: Arc<Depot>,
    pub parents: Parents,
    /// The parent's tree.
    pub known: Option<TreeId>,
}

/// What stands in a repository, ready for a snapshot to name it.
pub struct Stored {
    pub tree: TreeId,
    pub summary: SnapshotSummary,
}

/// What all threads see.
pub struct Shared<'a> {
    depots: Vec<Arc<Depot>>,
    faults: Vec<Mutex<Option<Fault>>>,
    failed: Vec<AtomicBool>,
    over: AtomicBool,
    journal: &'a Journal,
    pace: &'a Pace<'a>,
}

/// A blob on its way to be sealed.
pub struct Blob {
    target: usize,
    kind: BlobType,
    id: [u8; 32],
    bytes: Vec<u8>,
}

/// A step of the walk, as the trees take it.
enum Item {
    Enter {
        node: Node,
        known: Vec<Option<TreeId>>,
    },
    Leave,
    Leaf {
        node: Node,
        leaves: Vec<Leaf>,
        reply: Option<Receiver<Done>>,
    },
}

/// An entry in one repository.
struct Leaf {
    state: State,
    /// Taken over from the parent.
    content: Option<Vec<DataId>>,
}

/// Stores everything that the walk hands out. One answer for each repository: the
/// others go on when one fails.
pub fn run(
    targets: Vec<Target>,
    walk: Walk,
    journal: &Journal,
    pace: &Pace<'_>,
) -> FaultResult<Vec<FaultResult<Stored>>> {
    let (mut depots, mut parents, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for target in targets {
        depots.push(target.depot);
        parents.push(target.parents);
        known.push(target.known);
    }
    let cutters: FaultResult<Vec<Cutter>> = depots
        .iter()
        .map(|depot| Cutter::new(depot.config()))
        .collect();
    let cutters = cutters?;
    let shared = Shared {
        faults: depots.iter().map(|_| Mutex::default()).collect(),
        failed: depots.iter().map(|_| AtomicBool::new(false)).collect(),
        over: AtomicBool::new(false),
        depots,
        journal,
        pace,
    };
    let mut builders: Vec<_> = shared.depots.iter().map(|_| Builder::default()).collect();
    let roots = thread::scope(|scope| {
        let (jobs_in, jobs) = bounded::<Job>(64);
        let (blobs_in, blobs) = bounded::<Blob>(8);
        let (items_in, items) = bounded::<Item>(WAITING);
        let threads = available_parallelism().map_or(1, NonZero::get);
        for _ in 0..threads {
            let mut reader = Reader::new(&shared, blobs_in.clone(), cutters.clone());
            let jobs = jobs.clone();
            scope.spawn(move || jobs.iter().for_each(|job| reader.read(job)));
        }
        // One more than there are processors: one of them often waits for the disk.
        for _ in 0..=threads {
            let (shared, blobs) = (&shared, blobs.clone());
            scope.spawn(move || seal(shared, &blobs));
        }
        let shared = &shared;
        let smallest: Vec<_> = cutters
            .iter()
            .map(|cutter| cutter.zeroes().unwrap_or(0))
            .collect();
        scope.spawn(move || walked(shared, walk, parents, &smallest, items_in, jobs_in));
        // Whoever sends must find out when nobody takes any more.
        drop((jobs, blobs));
        build(shared, &mut builders, &items, &blobs_in, &known)
    });
    let summaries = builders.into_iter().map(|builder| builder.summary);
    let stored = roots.into_iter().zip(summaries).enumerate();
    Ok(stored
        .map(|(at, (root, summary))| conclude(&shared, at, root, summary))
        .collect())
}

impl Shared<'_> {
    fn works(&self, target: usize) -> bool {
        !self.failed[target].load(Relaxed)
    }

    fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// This repository takes nothing more; the backup ends when none does.
    fn fail(&self, target: usize, fault: Fault) {
        let mut first = self.faults[target]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(fault);
        self.failed[target].store(true, Relaxed);
        if self.failed.iter().all(|failed| failed.load(Relaxed)) {
            self.over.store(true, Relaxed);
        }
    }

    fn end(&self, fault: &Fault) {
        for target in 0..self.depots.len() {
            self.fail(target, fault.clone());
        }
    }
}

/// Sealing and writing, until nobody sends blobs any more.
fn seal(shared: &Shared<'_>, blobs: &Receiver<Blob>) {
    let presses: FaultResult<Vec<_>> = shared.depots.iter().map(|depot| depot.press()).collect();
    let mut presses = match presses {
        Ok(presses) => presses,
        Err(fault) => return shared.end(&fault),
    };
    for blob in blobs {
        let target = blob.target;
        if !shared.works(target) {
            continue;
        }
        let depot = &shared.depots[target];
        if let Err(fault) = depot.add(blob.kind, &blob.bytes, blob.id, &mut presses[target]) {
            shared.fail(target, fault);
        }
    }
}

/// The walking thread: hands out what must be read, and everything in order.
fn walked(
    shared: &Shared<'_>,
    walk: Walk,
    mut parents: Vec<Parents>,
    smallest: &[usize],
    items: Sender<Item>,
    jobs: Sender<Job>,
) {
    let mut open: Vec<PathBuf> = Vec::new();
    for entry in walk {
        while open
            .last()
            .is_some_and(|folder| entry.path.parent() != Some(folder))
        {
            open.pop();
            parents.iter_mut().for_each(Parents::leave);
            if items.send(Item::Leave).is_err() {
                return;
            }
        }
        let item = if entry.node.is_dir() {
            open.push(entry.path);
            let name = entry.node.name();
            let known = parents
                .iter_mut()
                .map(|parents| parents.enter(&name))
                .collect();
            drop(name);
            Item::Enter {
                node: entry.node,
                known,
            }
        } else {
            match leaf(shared, entry, &mut parents, smallest, &jobs) {
                Some(item) => item,
                None => return,
            }
        };
        if shared.is_over() || items.send(item).is_err() {
            return;
        }
    }
    for _ in open {
        if items.send(Item::Leave).is_err() {
            return;
        }
    }
}

fn leaf(
    shared: &Shared<'_>,
    entry: Entry,
    parents: &mut [Parents],
    smallest: &[usize],
    jobs: &Sender<Job>,
) -> Option<Item> {
    let Entry { node, content, .. } = entry;
    let grows = content
        .as_ref()
        .is_some_and(|content| content.storage.is_some());
    let name = node.name().into_owned();
    let (mut leaves, mut asks) = (Vec::with_capacity(parents.len()), Vec::new());
    for (target, parents) in parents.iter_mut().enumerate() {
        let depot = &shared.depots[target];
        let (mut state, known) = parents.compare(&name, &node);
        let pieces = known.and_then(|known| known.content.as_ref());
        let same = state == State::Same && content.is_some();
        let kept =
            pieces.filter(|pieces| same && pieces.iter().all(|id| depot.length_of(id).is_some()));
        if same && kept.is_none() {
            // The parent's pieces are gone from the repository.
            state = State::Changed;
        }
        let follow = pieces.filter(|_| grows && kept.is_none());
        asks.push(match kept {
            Some(_) => None,
            None => {
                Some(follow.map_or_else(Vec::new, |ids| followed(depot, ids, smallest[target])))
            }
        });
        leaves.push(Leaf {
            state,
            content: kept.cloned(),
        });
    }
    let reply = match content {
        Some(content) if asks.iter().any(Option::is_some) => {
            let (sender, reply) = bounded(1);
            let job = Job {
                content,
                asks,
                reply: sender,
            };
            jobs.send(job).ok()?;
            Some(reply)
        }
        _ => None,
    };
    Some(Item::Leaf {
        node,
        leaves,
        reply,
    })
}

/// The pieces of the parent, up to one that is gone.
fn followed(depot: &Depot, ids: &[DataId], smallest: usize) -> Vec<Known> {
    let pieces = ids.iter().map_while(|id| {
        let length = depot.length_of(id)? as usize;
        Some(Known { id: *id, length })
    });
    feed::worth_following(pieces.collect(), smallest)
}

/// Builds all trees; each repository's root, unless the backup was ended.
fn build(
    shared: &Shared<'_>,
    builders: &mut [Builder],
    items: &Receiver<Item>,
    blobs: &Sender<Blob>,
    known: &[Option<TreeId>],
) -> Vec<Option<TreeId>> {
    for item in items {
        if !shared.pace.may_go_on() {
            shared.end(&Fault::Failed(
                "the run was asked to end; what is stored already, the next backup finds"
                    .to_owned(),
            ));
        }
        if shared.is_over() {
            break;
        }
        if let Err(fault) = take(shared, builders, item, blobs) {
            shared.end(&fault);
        }
    }
    let finish = |(target, builder): (usize, &mut Builder)| {
        if !shared.works(target) {
            return None;
        }
        let written = builder.finish(known[target]);
        written
            .and_then(|written| store_tree(shared, target, written, blobs))
            .map_err(|fault| shared.fail(target, fault))
            .ok()
    };
    builders.iter_mut().enumerate().map(finish).collect()
}

fn take(
    shared: &Shared<'_>,
    builders: &mut [Builder],
    item: Item,
    blobs: &Sender<Blob>,
) -> FaultResult<()> {
    match item {
        Item::Enter { node, known } => {
            for (builder, known) in builders.iter_mut().zip(known) {
                builder.enter(node.clone(), known);
            }
        }
        Item::Leave => {
            for (target, builder) in builders.iter_mut().enumerate() {
                if let Some(written) = builder.leave()? {
                    store_tree(shared, target, written, blobs)?;
                }
            }
        }
        Item::Leaf {
            node,
            leaves,
            reply,
        } => take_leaf(shared, builders, node, leaves, reply),
    }
    Ok(())
}

fn take_leaf(
    shared: &Shared<'_>,
    builders: &mut [Builder],
    node: Node,
    leaves: Vec<Leaf>,
    reply: Option<Receiver<Done>>,
) {
    let known_size = node.meta.size;
    let (read, size) = match reply.map(|reply| reply.recv()) {
        None => {
            shared.pace.bytes(known_size);
            (Vec::new(), known_size)
        }
        Some(Ok(Done::Stored { content, size })) => (content, size),
        Some(Ok(Done::GivenUp) | Err(_)) => return,
    };
    shared.pace.file();
    let mut read = VecDeque::from(read);
    for (builder, leaf) in builders.iter_mut().zip(leaves) {
        let mut node = node.clone();
        node.content = leaf
            .content
            .or_else(|| read.front_mut().and_then(Option::take));
        read.pop_front();
        node.meta.size = size;
        builder.add(node, leaf.state, size);
    }
}

fn store_tree(
    shared: &Shared<'_>,
    target: usize,
    written: Written,
    blobs: &Sender<Blob>,
) -> FaultResult<TreeId> {
    let id = written.id;
    if written.same || !shared.works(target) || !shared.depots[target].claim(BlobType::Tree, *id) {
        return Ok(id);
    }
    let name = hex::decode(id.to_hex().as_str())
        .ok()
        .and_then(|name| name.try_into().ok());
    let blob = Blob {
        target,
        kind: BlobType::Tree,
        id: name.ok_or_else(|| Fault::Failed("backing up: a tree has no name".to_owned()))?,
        bytes: written.bytes,
    };
    blobs
        .send(blob)
        .map_err(|_| Fault::Failed("backing up: the threads that store have ended".to_owned()))?;
    Ok(id)
}

/// Writes what is left; where the backup failed, at least the index of what is whole.
fn conclude(
    shared: &Shared<'_>,
    target: usize,
    root: Option<TreeId>,
    mut summary: SnapshotSummary,
) -> FaultResult<Stored> {
    let depot = &shared.depots[target];
    let fault = shared.faults[target]
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let (None, Some(tree)) = (&fault, root) else {
        // Nothing more can be done where this fails as well.
        let _ = depot.flush_index();
        return Err(fault.unwrap_or_else(|| Fault::Failed("backing up: it was ended".to_owned())));
    };
    depot.flush()?;
    depot.added.enter(&mut summary);
    Ok(Stored { tree, summary })
}

impl depot::Added {
    fn enter(&self, summary: &mut SnapshotSummary) {
        summary.data_blobs = self.data_blobs.load(Relaxed);
        summary.tree_blobs = self.tree_blobs.load(Relaxed);
        summary.data_added_files = self.data.load(Relaxed);
        summary.data_added_trees = self.trees.load(Relaxed);
        summary.data_added = summary.data_added_files + summary.data_added_trees;
        summary.data_added_files_packed = self.data_packed.load(Relaxed);
        summary.data_added_trees_packed = self.trees_packed.load(Relaxed);
        summary.data_added_packed =
            summary.data_added_files_packed + summary.data_added_trees_packed;
    }
}
