//! Faults below and beside the store: they are answers, not hangs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mhost_conformance::{IntervalPlanner, Subject, at, name, spec};
use mhost_model::plan::{Decision, Ended, OpenRun, Planner, Progress, Verdict};
use mhost_model::task::Task;
use mhost_model::{FixedClock, Instant};
use mhost_store::{OpenOptions, RedbStore, StoreError};

/// Falls over when it is told to.
#[derive(Default)]
struct Fragile(Arc<AtomicBool>);

impl Planner for Fragile {
    fn arm(&self, task: &Task, now: Instant) -> (Option<Instant>, Option<Instant>) {
        assert!(
            !self.0.load(Ordering::SeqCst) || task.name != name("bad"),
            "no plan"
        );
        IntervalPlanner.arm(task, now)
    }

    fn due(&self, task: &Task, progress: &Progress, slots: u32, now: Instant) -> Decision {
        assert!(!self.0.load(Ordering::SeqCst), "no plan");
        IntervalPlanner.due(task, progress, slots, now)
    }

    fn ended(
        &self,
        task: &Task,
        progress: &Progress,
        run: &OpenRun,
        ended: &Ended,
        now: Instant,
    ) -> Verdict {
        IntervalPlanner.ended(task, progress, run, ended, now)
    }
}

#[tokio::test]
async fn a_panic_is_an_error_of_its_own_message() {
    let broken = Arc::new(AtomicBool::new(false));
    let clock = FixedClock::new(at(0));
    let options = OpenOptions {
        planner: Arc::new(Fragile(Arc::clone(&broken))),
        ..crate::common::options(Path::new("memory"), &clock, true)
    };
    let store = RedbStore::open_with_backend(options, redb::backends::InMemoryBackend::new());
    let s = Subject {
        store: Arc::new(store.unwrap()),
        clock,
    };
    s.put("t", spec(60)).await;
    s.set(60);
    broken.store(true, Ordering::SeqCst);
    let edit = async |task: &str| {
        let edit = mhost_store::Edit::PutTask {
            name: name(task),
            spec: Box::new(spec(60)),
            pin: mhost_conformance::digest(1),
            enabled: true,
        };
        s.store.edit(vec![edit]).await
    };
    // They share a group: only one of them fails.
    let (a, bad, b) = tokio::join!(edit("a"), edit("bad"), edit("b"));
    assert!(a.is_ok() && b.is_ok());
    let refused = bad.unwrap_err();
    assert!(
        refused.to_string().contains("a bug of mhost: no plan"),
        "{refused}"
    );
    let request = mhost_store::ClaimDue {
        node: s.store.node(),
        slots: Default::default(),
        lease: mhost_model::Span::seconds(60),
        limit: 9,
    };
    let refused = s.store.claim_due(request).await.unwrap_err();
    assert!(matches!(refused, StoreError::Failed { .. }), "{refused}");
    broken.store(false, Ordering::SeqCst);
    s.set(120);
    assert_eq!(s.claim(9).await.start.len(), 3);
    assert!(s.store.task(&name("bad")).await.unwrap().is_none());
    assert!(s.store.verify().await.unwrap().is_empty());
}

/// A disk in memory that is full while it is told to be.
#[derive(Debug, Clone)]
struct Full {
    disk: Arc<redb::backends::InMemoryBackend>,
    full: Arc<AtomicBool>,
}

impl Full {
    fn refuse(&self) -> std::io::Result<()> {
        match self.full.load(Ordering::SeqCst) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl redb::StorageBackend for Full {
    fn len(&self) -> std::io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.refuse()?;
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.refuse()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.refuse()?;
        self.disk.write(offset, data)
    }
}

fn on_a_disk() -> (Full, Subject) {
    let disk = Full {
        disk: Arc::new(redb::backends::InMemoryBackend::new()),
        full: Arc::default(),
    };
    let clock = FixedClock::new(at(0));
    let options = crate::common::options(Path::new("memory"), &clock, true);
    let again = disk.clone();
    let store = RedbStore::open_with_backends(options, move || again.clone());
    let store = Arc::new(store.unwrap());
    (disk, Subject { store, clock })
}

#[tokio::test]
async fn a_full_disk_is_an_error_until_there_is_room() {
    let (disk, s) = on_a_disk();
    s.put("t", spec(60)).await;
    s.set(60);
    let claim = s.claim_one().await;
    disk.full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let completion = s.completion(&claim, Ended::Succeeded).await;
        let refused = s.store.complete(completion).await.unwrap_err();
        assert!(matches!(refused, StoreError::Failed { .. }), "{refused}");
    }
    disk.full.store(false, Ordering::SeqCst);
    assert_eq!(
        s.run(claim.run.id).await.outcome(),
        None,
        "a read comes first"
    );
    s.end(&claim, Ended::Succeeded).await;
    assert!(s.run(claim.run.id).await.outcome().is_some());
    assert!(s.store.verify().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_that_another_has_had_is_not_gone_on_with() {
    let (disk, s) = on_a_disk();
    s.put("t", spec(60)).await;
    disk.full.store(true, Ordering::SeqCst);
    let remove = || mhost_store::Edit::RemoveTask(name("t"));
    assert!(s.edit(remove()).await.is_err());
    disk.full.store(false, Ordering::SeqCst);
    let clock = FixedClock::new(at(0));
    let options = crate::common::options(Path::new("memory"), &clock, false);
    let store = RedbStore::open_with_backend(options, disk).unwrap();
    let other = Subject {
        store: Arc::new(store),
        clock,
    };
    other.put("other", spec(60)).await;
    drop(other);
    let refused = s.edit(remove()).await.unwrap_err();
    assert!(
        refused.to_string().contains("another process has had it"),
        "{refused}"
    );
    let refused = s.store.task(&name("t")).await.unwrap_err();
    assert!(
        refused.to_string().contains("could not be opened again"),
        "{refused}"
    );
}

/// Forgets what it has decided, and starts the same fire again and again.
struct Forgetful;

impl Planner for Forgetful {
    fn arm(&self, _: &Task, _: Instant) -> (Option<Instant>, Option<Instant>) {
        (Some(at(60)), Some(at(60)))
    }

    fn due(&self, _: &Task, _: &Progress, _: u32, _: Instant) -> Decision {
        Decision {
            start: vec![at(60)],
            next_due: Some(at(60)),
            wake_at: Some(at(60)),
            ..Decision::default()
        }
    }

    fn ended(&self, t: &Task, p: &Progress, r: &OpenRun, e: &Ended, now: Instant) -> Verdict {
        IntervalPlanner.ended(t, p, r, e, now)
    }
}

/// Rule 1 holds whatever is decided.
#[tokio::test]
async fn no_fire_has_two_rows_whatever_is_decided() {
    let clock = FixedClock::new(at(0));
    let options = OpenOptions {
        planner: Arc::new(Forgetful),
        ..crate::common::options(Path::new("memory"), &clock, true)
    };
    let store = RedbStore::open_with_backend(options, redb::backends::InMemoryBackend::new());
    let store = Arc::new(store.unwrap());
    let s = Subject { store, clock };
    s.put("t", spec(60)).await;
    s.set(60);
    let claim = s.claim_one().await;
    for _ in 0..3 {
        let claimed = s.claim(9).await;
        assert!(claimed.start.is_empty() && !claimed.more);
    }
    s.end(&claim, Ended::Succeeded).await;
    assert!(s.claim(9).await.start.is_empty());
    assert_eq!(s.rows("t").await.len(), 1);
    assert!(s.store.verify().await.unwrap().is_empty());
}
