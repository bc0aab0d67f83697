//! Rule 4: pools cap what runs, and what waits for a slot gets it in turn.

use std::collections::BTreeMap;

use mhost_model::plan::Ended;
use mhost_model::policy::Overlap;
use mhost_model::resource::PoolDef;

use super::subject::{Subject, at, expected, name, spec};
use mhost_store::Edit;

pub async fn a_full_pool_holds_fires_and_does_not_spin(s: &Subject) {
    s.put("a", spec(60)).await;
    s.put("b", spec(60)).await;
    s.set(60);
    let first = s.claim_one().await;
    let held = s.claim(0).await;
    assert!(held.start.is_empty() && held.passed.is_empty());
    // Only the fire after the one that runs; the one that is held waits for an end.
    assert_eq!(held.next_wake, Some(at(120)));
    assert_eq!(s.claim(0).await.next_wake, Some(at(120)));
    let progress = s.task("b").await.progress;
    assert_eq!((progress.next_due, progress.wake_at), (Some(at(60)), None));

    let completed = s.end(&first, Ended::Succeeded).await;
    assert_eq!(completed.next_wake, Some(at(60)));
    let second = s.claim_one().await;
    assert_eq!(second.run.fire_at, at(60));
    assert_eq!(s.rows("b").await, expected(&[(60, "running")]));
}

pub async fn waiting_fires_go_oldest_first(s: &Subject) {
    s.put("z", spec(50)).await;
    s.put("y", spec(60)).await;
    s.put("x", spec(72)).await;
    s.put("w", spec(40)).await;
    s.set(40);
    let mut claim = s.claim_one().await;
    for seconds in [50, 60, 72] {
        s.set(seconds);
        assert!(s.claim(0).await.start.is_empty());
    }
    for expected in ["z", "y", "x"] {
        s.end(&claim, Ended::Succeeded).await;
        claim = s.claim_one().await;
        assert_eq!(claim.run.task_name, name(expected));
    }
}

pub async fn a_missing_pool_takes_its_size(s: &Subject) {
    s.edit(Edit::PutPool(name("two"), PoolDef { size: 2 }))
        .await
        .unwrap();
    for task in ["a", "b", "c"] {
        s.put_with(task, 60, |spec| spec.policy.pool = name("two"))
            .await;
    }
    s.put("d", spec(60)).await;
    s.put("e", spec(60)).await;
    s.set(60);
    let none = BTreeMap::new;
    let claimed = s.claim_from(none(), 1000).await;
    let started: Vec<_> = claimed
        .start
        .iter()
        .map(|claim| claim.run.task_name.to_string())
        .collect();
    assert_eq!(started, ["a", "b", "d"]);
    assert!(s.claim_from(none(), 1000).await.start.is_empty());
    s.end(&claimed.start[0], Ended::Succeeded).await;
    let claimed = s.claim_from(none(), 1000).await;
    assert_eq!(claimed.start.len(), 1);
    assert_eq!(claimed.start[0].run.task_name, name("c"));
}

pub async fn queued_runs_are_handed_out(s: &Subject) {
    s.put_with("t", 60, |spec| spec.policy.overlap = Overlap::QueueOne)
        .await;
    s.set(60);
    let first = s.claim_one().await;
    s.set(120);
    let held = s.claim(5).await;
    assert!(held.start.is_empty());
    assert_eq!(held.next_wake, Some(at(180)));
    assert_eq!(
        s.rows("t").await,
        expected(&[(60, "running"), (120, "queued")])
    );
    s.set(180);
    let skipped = s.claim(5).await;
    assert_eq!(skipped.passed.len(), 1);
    let completed = s.end(&first, Ended::Succeeded).await;
    assert_eq!(completed.next_wake, Some(at(180)));
    let second = s.claim_one().await;
    assert_eq!((second.run.fire_at, second.run.attempt), (at(120), 1));
    assert_eq!(
        s.rows("t").await,
        expected(&[(60, "succeeded"), (120, "running"), (180, "skipped")])
    );
}

pub async fn cancel_previous_makes_way(s: &Subject) {
    s.put_with("t", 60, |spec| {
        spec.policy.overlap = Overlap::CancelPrevious;
        spec.policy.retry.attempts = 2;
        spec.policy.retry.backoff = mhost_model::Span::seconds(1000);
    })
    .await;
    s.set(60);
    let first = s.claim_one().await;
    s.set(120);
    let claimed = s.claim(1).await;
    assert_eq!(claimed.cancel, [first.run.id]);
    assert!(claimed.start.is_empty());
    s.end(&first, Ended::Cancelled).await;
    let second = s.claim_one().await;
    assert_eq!(second.run.fire_at, at(120));
    // One that only waits is settled by the store, and its successor starts at once.
    s.end(&second, super::subject::failed(true)).await;
    s.set(180);
    let third = s.claim_one().await;
    assert_eq!(third.run.fire_at, at(180));
    assert_eq!(
        s.rows("t").await,
        expected(&[(60, "cancelled"), (120, "cancelled"), (180, "running")])
    );
}

pub async fn a_task_that_moves_pools_waits_there(s: &Subject) {
    s.put("a", spec(60)).await;
    s.put("b", spec(60)).await;
    s.set(60);
    s.claim_one().await;
    s.put_with("b", 60, |spec| spec.policy.pool = name("other"))
        .await;
    let slots = BTreeMap::from([(name("default"), 0), (name("other"), 1)]);
    let claimed = s.claim_from(slots, 1000).await;
    assert_eq!(claimed.start.len(), 1);
    assert_eq!(claimed.start[0].run.fire_at, at(60));
}
