//! Rules 1, 2, 3 and 6: every due time has one row, and is claimed once.

use mhost_model::plan::Ended;
use mhost_model::{Fence, Instant};

use super::subject::{Subject, at, expected, name, spec};
use mhost_store::Edit;

pub async fn a_new_task_first_fires_at_its_next_due_time(s: &Subject) {
    s.set(5);
    s.put("t", spec(60)).await;
    let progress = s.task("t").await.progress;
    assert_eq!(
        (progress.next_due, progress.wake_at),
        (Some(at(60)), Some(at(60)))
    );
    let claimed = s.claim(1).await;
    assert!(claimed.start.is_empty() && claimed.passed.is_empty());
    assert_eq!(claimed.next_wake, Some(at(60)));
}

/// Rule 1, and rule 2: any number of looks claims each fire once.
pub async fn each_fire_has_one_row(s: &Subject) {
    s.put("t", spec(60)).await;
    for seconds in [60, 120, 180] {
        s.set(seconds);
        let claim = s.claim_one().await;
        assert_eq!(claim.run.fire_at, at(seconds));
        for _ in 0..3 {
            assert!(s.claim(1).await.start.is_empty());
        }
        s.end(&claim, Ended::Succeeded).await;
    }
    let rows = [(60, "succeeded"), (120, "succeeded"), (180, "succeeded")];
    assert_eq!(s.rows("t").await, expected(&rows));
    let progress = s.task("t").await.progress;
    assert_eq!(progress.last_fire, Some(at(180)));
    assert_eq!(progress.next_due, Some(at(240)));
}

/// Rule 3: the rows of fires that do not run stand in the same transaction.
pub async fn missed_fires_are_settled(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(200);
    let claimed = s.claim(1).await;
    assert_eq!(claimed.start[0].run.fire_at, at(180));
    let passed: Vec<Instant> = claimed.passed.iter().map(|run| run.fire_at).collect();
    assert_eq!(passed, [at(60), at(120)]);
    let rows = [(60, "coalesced"), (120, "coalesced"), (180, "running")];
    assert_eq!(s.rows("t").await, expected(&rows));
    let run = s.run(claimed.passed[0].id).await;
    assert_eq!(run.reason.as_deref(), Some("coalesced"));
    assert_eq!(
        (run.attempt, run.started_at, run.finished_at),
        (0, None, Some(at(200)))
    );
}

pub async fn claims_are_numbered(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(60);
    let first = s.claim_one().await;
    assert_eq!((first.run.fence, first.run.attempt), (Fence(1), 1));
    assert_eq!(first.previous_success, None);
    assert_eq!(first.task.as_ref().unwrap().name, name("t"));
    s.end(&first, Ended::Succeeded).await;
    s.set(120);
    let second = s.claim_one().await;
    assert_eq!((second.run.fence, second.run.attempt), (Fence(2), 1));
    assert_eq!(second.previous_success, Some(at(60)));
    assert!(second.run.id > first.run.id);
}

pub async fn a_limit_cuts_a_claim_short(s: &Subject) {
    for task in 0..5 {
        s.put(&format!("t{task}"), spec(60)).await;
    }
    s.set(60);
    let mut started = 0;
    for (limit, expected, more) in [(2, 2, true), (2, 2, true), (2, 1, false)] {
        let claimed = s.claim_from([(name("default"), 10)].into(), limit).await;
        assert_eq!((claimed.start.len(), claimed.more), (expected, more));
        started += claimed.start.len();
    }
    assert_eq!(started, 5);
}

/// Rule 6.
pub async fn a_clock_that_goes_back_runs_nothing_twice(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(120);
    let claim = s.claim_one().await;
    s.end(&claim, Ended::Succeeded).await;
    s.set(50);
    assert!(s.claim(1).await.start.is_empty());
    for enabled in [false, true] {
        let name = name("t");
        s.edit(Edit::SetEnabled { name, enabled }).await.unwrap();
    }
    assert_eq!(s.task("t").await.progress.next_due, Some(at(180)));
    s.set(130);
    assert!(s.claim(1).await.start.is_empty());
    assert_eq!(
        s.rows("t").await,
        expected(&[(60, "coalesced"), (120, "succeeded")])
    );
}

pub async fn idle_tasks_are_not_claimed(s: &Subject) {
    s.put("manual", spec(0)).await;
    s.put("slow", spec(86_400)).await;
    s.set(3600);
    let claimed = s.claim(1).await;
    assert!(claimed.start.is_empty() && claimed.passed.is_empty() && !claimed.more);
    assert_eq!(claimed.next_wake, Some(at(86_400)));
}

pub async fn next_wake_is_the_earliest(s: &Subject) {
    assert_eq!(s.store.next_wake().await.unwrap(), None);
    s.put("slow", spec(3600)).await;
    s.put("quick", spec(100)).await;
    assert_eq!(s.store.next_wake().await.unwrap(), Some(at(100)));
    s.edit(Edit::RemoveTask(name("quick"))).await.unwrap();
    assert_eq!(s.store.next_wake().await.unwrap(), Some(at(3600)));
    s.set(3600);
    s.claim_one().await;
    // The lease ends before the next fire.
    assert_eq!(s.store.next_wake().await.unwrap(), Some(at(3660)));
    assert_eq!(s.claim(1).await.next_wake, Some(at(7200)));
}
