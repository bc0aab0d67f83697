//! Faults below and beside the store: they are answers, not hangs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mhost_model::plan::{Decision, Ended, OpenRun, Planner, Progress, Verdict};
use mhost_model::task::Task;
use mhost_model::{FixedClock, Instant};
use mhost_store::conformance::{IntervalPlanner, Subject, at, name, spec};
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
            pin: mhost_store::conformance::digest(1),
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
