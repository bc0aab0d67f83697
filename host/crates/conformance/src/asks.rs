//! Runs that something other than the clock asks for.

use std::collections::BTreeSet;

use mhost_model::plan::Ended;
use mhost_model::policy::Overlap;
use mhost_model::run::{Outcome, Trigger};

use super::subject::{Subject, at, digest, expected, failed, name, spec};
use mhost_store::{Answer, Asked, Claim, Edit, StoreError};

fn started(answer: Answer) -> Claim {
    match answer {
        Answer::Start(claim) => *claim,
        other => panic!("it did not start: {other:?}"),
    }
}

pub async fn a_run_by_hand_starts_or_queues(s: &Subject) {
    s.put("t", spec(0)).await;
    s.put("u", spec(0)).await;
    s.set(5);
    let claim = started(s.store.ask(s.manual("t", 1).await).await.unwrap());
    assert_eq!(
        (claim.run.fire_at, claim.run.trigger),
        (at(5), Trigger::Manual)
    );
    assert_eq!((claim.run.attempt, claim.run.fence.0), (1, 1));
    let answer = s.store.ask(s.manual("u", 0).await).await.unwrap();
    let Answer::Queued(queued) = answer else {
        panic!("{answer:?}");
    };
    assert!(s.claim(0).await.start.is_empty());
    s.end(&claim, Ended::Succeeded).await;
    assert_eq!(s.claim_one().await.run.id, queued.id);
}

pub async fn a_run_by_hand_obeys_the_overlap_policy(s: &Subject) {
    let policies = [
        ("skip", Overlap::Skip, "skipped"),
        ("queue", Overlap::QueueOne, "queued"),
        ("cancel", Overlap::CancelPrevious, "queued"),
        ("allow", Overlap::Allow, "running"),
    ];
    for (task, overlap, state) in policies {
        s.put_with(task, 0, |spec| spec.policy.overlap = overlap)
            .await;
        let first = started(s.store.ask(s.manual(task, 9).await).await.unwrap());
        s.set(1);
        let answer = s.store.ask(s.manual(task, 9).await).await.unwrap();
        assert_eq!(
            s.rows(task).await,
            expected(&[(0, "running"), (1, state)]),
            "{task}"
        );
        if let Answer::CancelThen { cancel, .. } = &answer {
            assert_eq!(*cancel, [first.run.id]);
        }
        assert_eq!(
            matches!(answer, Answer::CancelThen { .. }),
            task == "cancel"
        );
        s.set(0);
    }
}

pub async fn a_forced_run_starts_beside(s: &Subject) {
    s.put("t", spec(0)).await;
    let first = started(s.store.ask(s.manual("t", 9).await).await.unwrap());
    let mut ask = s.manual("t", 9).await;
    ask.force = true;
    let second = started(s.store.ask(ask).await.unwrap());
    s.end(&first, Ended::Succeeded).await;
    s.end(&second, Ended::Succeeded).await;
    assert_eq!(s.rows("t").await.len(), 2);
}

/// The plugin's idempotency key is made of task and fire time.
pub async fn asked_fires_are_distinct(s: &Subject) {
    s.put_with("t", 60, |spec| spec.policy.overlap = Overlap::Allow)
        .await;
    s.set(60);
    let mut fires = BTreeSet::new();
    for _ in 0..3 {
        let claim = started(s.store.ask(s.manual("t", 9).await).await.unwrap());
        fires.insert(claim.run.fire_at);
    }
    let timed = s.claim(9).await.start.remove(0);
    assert_eq!(
        (timed.run.fire_at, timed.run.trigger),
        (at(60), Trigger::Timer)
    );
    fires.insert(timed.run.fire_at);
    assert_eq!(fires.len(), 4);
}

pub async fn an_exec_has_a_row_and_no_task(s: &Subject) {
    s.put("t", spec(0)).await;
    let mut ask = s.manual("t", 0).await;
    ask.trigger = Trigger::Exec;
    ask.what = Asked::Exec {
        spec: Box::new(spec(0)),
        digest: digest(7),
    };
    let claim = started(s.store.ask(ask).await.unwrap());
    assert_eq!((claim.task.is_none(), claim.run.task), (true, None));
    assert_eq!(claim.run.task_name, name("pack"));
    let mut completion = s.completion(&claim, failed(true)).await;
    completion.log = vec![super::subject::line(0)];
    let completed = s.store.complete(completion).await.unwrap();
    assert_eq!(completed.run.outcome(), Some(Outcome::Failed));
    assert_eq!(s.store.log(claim.run.id, 0, 9).await.unwrap().len(), 1);
    assert_eq!(
        s.run(claim.run.id).await.error.unwrap().message,
        "it did not work"
    );
}

pub async fn a_dry_run_changes_nothing(s: &Subject) {
    s.put_with("t", 60, |spec| spec.policy.retry.attempts = 5)
        .await;
    let before = s.task("t").await.progress;
    for ended in [Ended::Succeeded, failed(true)] {
        let mut ask = s.manual("t", 0).await;
        ask.dry_run = true;
        let claim = started(s.store.ask(ask).await.unwrap());
        let mut completion = s.completion(&claim, ended).await;
        completion.state = [("k".to_owned(), Some(b"v".to_vec()))].into();
        let completed = s.store.complete(completion).await.unwrap();
        assert!(completed.run.outcome().is_some() && completed.run.dry_run);
    }
    let mut after = s.task("t").await.progress;
    assert!(after.fence > before.fence);
    after.fence = before.fence;
    assert_eq!(after, before);
    let task = s.id("t").await;
    assert_eq!(s.store.state(task, "k".into()).await.unwrap(), None);
    assert_eq!(s.rows("t").await.len(), 2);
}

pub async fn who_may_not_be_asked(s: &Subject) {
    s.put("t", spec(60)).await;
    let mut ask = s.manual("t", 1).await;
    let edit = Edit::SetEnabled {
        name: name("t"),
        enabled: false,
    };
    s.edit(edit).await.unwrap();
    ask.trigger = Trigger::Change;
    assert!(matches!(
        s.store.ask(ask.clone()).await,
        Err(StoreError::Conflict(_))
    ));
    ask.trigger = Trigger::Manual;
    // By hand a disabled task runs, even where it must wait for a slot.
    ask.slots = 0;
    s.store.ask(ask.clone()).await.unwrap();
    let claim = s.claim_one().await;
    s.end(&claim, Ended::Succeeded).await;
    let edit = Edit::SetQuarantine {
        name: name("t"),
        quarantine: Some("it asks for more".into()),
    };
    s.edit(edit).await.unwrap();
    let refused = s.store.ask(ask.clone()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the task `t` is in quarantine: it asks for more"
    );
    s.edit(Edit::RemoveTask(name("t"))).await.unwrap();
    assert!(matches!(
        s.store.ask(ask).await,
        Err(StoreError::NotFound { kind: "task", .. })
    ));
}
