//! Rules 7 and 8: the end of an attempt and what follows from it, in one transaction.

use std::time::Duration;

use mhost_model::Fence;
use mhost_model::Span;
use mhost_model::plan::Ended;
use mhost_model::policy::Delivery;
use mhost_model::receipt::Receipt;
use mhost_model::run::{Artifact, ErrorKind, Outcome, Report, RunState, Trigger};
use mhost_model::schedule::{AfterOn, Schedule};

use super::subject::{Subject, at, expected, failed, line, name, spec};
use mhost_store::StoreError;

pub async fn an_end_commits_everything(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(60);
    let claim = s.claim_one().await;
    s.store
        .append_log(claim.run.id, vec![line(0)])
        .await
        .unwrap();
    s.set(62);
    let mut completion = s.completion(&claim, Ended::Succeeded).await;
    completion.started_at = at(61);
    let report = Report {
        summary: "reclaimed".into(),
        metrics: [("bytes".to_owned(), 0.1 + 0.2)].into(),
        artifacts: vec![Artifact {
            kind: "snapshot".into(),
            name: "abc".into(),
            size: Some(7),
        }],
        details: Some(serde_json::json!({ "tables": [1, 2] })),
    };
    let receipt = Receipt {
        bytes_read: 9,
        withheld: vec!["nothing".into()],
        ..Receipt::default()
    };
    completion.report = Some(report.clone());
    completion.receipt = Some(receipt.clone());
    completion.state = [("k".to_owned(), Some(b"v".to_vec()))].into();
    completion.log = vec![line(1), line(2)];
    let completed = s.store.complete(completion).await.unwrap();

    let run = s.run(claim.run.id).await;
    assert_eq!(completed.run, run);
    assert_eq!(run.outcome(), Some(Outcome::Succeeded));
    assert_eq!(
        (run.report, run.receipt, run.error),
        (Some(report), Some(receipt), None)
    );
    assert_eq!(
        (run.started_at, run.finished_at),
        (Some(at(61)), Some(at(62)))
    );
    assert_eq!(
        s.store.log(claim.run.id, 0, 10).await.unwrap(),
        [line(0), line(1), line(2)]
    );
    let status = s.task("t").await;
    let value = s.store.state(status.task.id, "k".into()).await.unwrap();
    assert_eq!(value.as_deref(), Some(b"v".as_slice()));
    let progress = status.progress;
    assert_eq!(progress.last_success, Some(at(60)));
    assert_eq!(progress.last_outcome, Some(Outcome::Succeeded));
    assert!(progress.open.is_empty());
}

pub async fn a_stale_fence_cannot_complete(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(60);
    let first = s.claim_one().await;
    let id = first.run.id;
    s.set(121);
    s.store.reap().await.unwrap();
    let again = s.claim(1).await.start.remove(0);
    assert_eq!(
        (again.run.id, again.run.fence, again.run.attempt),
        (id, Fence(2), 2)
    );
    let mut late = s.completion(&first, Ended::Succeeded).await;
    late.state = [("k".to_owned(), Some(b"v".to_vec()))].into();
    late.log = vec![line(0)];
    let refused = s.store.complete(late).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Stale(run) if run == id),
        "{refused}"
    );
    assert_eq!(
        s.store
            .renew(vec![first.key()], Span::seconds(9))
            .await
            .unwrap(),
        [false]
    );
    s.end(&again, Ended::Succeeded).await;
    let twice = s.completion(&again, Ended::Succeeded).await;
    assert!(matches!(
        s.store.complete(twice).await,
        Err(StoreError::Stale(_))
    ));
    assert!(matches!(
        s.store.append_log(id, vec![line(0)]).await,
        Err(StoreError::Stale(_))
    ));
    let task = s.id("t").await;
    assert_eq!(s.store.state(task, "k".into()).await.unwrap(), None);
    assert!(s.store.log(id, 0, 10).await.unwrap().is_empty());
}

pub async fn a_failure_is_retried_when_its_time_has_come(s: &Subject) {
    s.put_with("t", 3600, |spec| {
        spec.policy.retry.attempts = 2;
        spec.policy.retry.backoff = Span::seconds(30);
    })
    .await;
    s.set(3600);
    let first = s.claim_one().await;
    let completed = s.end(&first, failed(true)).await;
    assert_eq!(
        completed.run.state,
        RunState::Waiting { retry_at: at(3630) }
    );
    assert_eq!(completed.next_wake, Some(at(3630)));
    let kind = completed.run.error.map(|error| error.kind);
    assert_eq!(kind, Some(ErrorKind::Failure));
    assert!(s.claim(1).await.start.is_empty());
    s.set(3630);
    // Without a slot it waits for one, and does not spin.
    assert_eq!(s.claim(0).await.next_wake, Some(at(7200)));
    let second = s.claim_one().await;
    assert_eq!((second.run.id, second.run.attempt), (first.run.id, 2));
    assert_eq!((second.run.fence, &second.run.error), (Fence(2), &None));
    let completed = s.end(&second, failed(true)).await;
    assert_eq!(completed.run.outcome(), Some(Outcome::Failed));
    assert_eq!(s.rows("t").await, expected(&[(3600, "failed")]));
}

pub async fn failures_are_counted(s: &Subject) {
    s.put("t", spec(60)).await;
    let ends = [
        (failed(false), Outcome::Failed, 1),
        (Ended::TimedOut, Outcome::TimedOut, 2),
        (Ended::Cancelled, Outcome::Cancelled, 3),
        (Ended::Succeeded, Outcome::Succeeded, 0),
        (failed(false), Outcome::Failed, 1),
    ];
    for (ended, outcome, failures) in ends {
        let progress = s.task("t").await.progress;
        s.clock.set(progress.next_due.unwrap());
        let claim = s.claim_one().await;
        let completed = s.end(&claim, ended).await;
        assert_eq!(completed.run.outcome(), Some(outcome));
        let progress = s.task("t").await.progress;
        assert_eq!(
            (progress.last_outcome, progress.failures),
            (Some(outcome), failures)
        );
    }
    assert_eq!(s.task("t").await.progress.last_success, Some(at(240)));
}

/// Rule 7, both deliveries.
pub async fn a_lease_that_ends_is_reaped(s: &Subject) {
    s.put("again", spec(3600)).await;
    s.put_with("once", 3600, |spec| {
        spec.policy.delivery = Delivery::AtMostOnce
    })
    .await;
    s.set(3600);
    let claims = s.claim(2).await.start;
    assert_eq!(claims.len(), 2);
    s.set(3659);
    assert!(s.store.reap().await.unwrap().is_empty());
    s.set(3660);
    assert_eq!(s.store.next_wake().await.unwrap(), Some(at(3660)));
    let reaped = s.store.reap().await.unwrap();
    assert_eq!(reaped.len(), 2);
    assert!(s.store.reap().await.unwrap().is_empty());
    assert_eq!(s.rows("again").await, expected(&[(3600, "waiting")]));
    assert_eq!(s.rows("once").await, expected(&[(3600, "lost")]));
    for claim in &claims {
        let error = s.run(claim.run.id).await.error.unwrap();
        assert_eq!(error.kind, ErrorKind::Crash);
    }
    let again = s.claim_one().await;
    assert_eq!(
        (again.run.task_name.as_str(), again.run.attempt),
        ("again", 2)
    );
}

pub async fn renewing_keeps_a_claim(s: &Subject) {
    s.put("t", spec(3600)).await;
    s.set(3600);
    let claim = s.claim_one().await;
    s.set(3650);
    let stands = s
        .store
        .renew(vec![claim.key()], Span::seconds(100))
        .await
        .unwrap();
    assert_eq!(stands, [true]);
    s.set(3700);
    assert!(s.store.reap().await.unwrap().is_empty());
    let RunState::Running { lease_until, .. } = s.run(claim.run.id).await.state else {
        panic!("it is on");
    };
    assert_eq!(lease_until, at(3750));
    // A lease beyond the calendar is a very long one.
    let endless = Span(Duration::MAX);
    assert_eq!(
        s.store.renew(vec![claim.key()], endless).await.unwrap(),
        [true]
    );
    s.set(1_000_000_000);
    assert!(s.store.reap().await.unwrap().is_empty());
}

async fn put_after(s: &Subject, task: &str, after: &str, on: AfterOn) {
    s.put_with(task, 0, |spec| {
        let after = name(after);
        spec.schedule = Schedule::After { after, on };
    })
    .await;
}

pub async fn dependents_are_set_off(s: &Subject) {
    s.put("a", spec(3600)).await;
    put_after(s, "b", "a", AfterOn::Succeeded).await;
    put_after(s, "c", "b", AfterOn::Any).await;
    s.set(3600);
    let a = s.claim_one().await;
    s.set(3605);
    let completed = s.end(&a, Ended::Succeeded).await;
    assert_eq!(completed.next_wake, Some(at(3605)));
    assert_eq!(s.rows("b").await, expected(&[(3605, "queued")]));
    let b = s.claim_one().await;
    assert_eq!(
        (b.run.task_name.as_str(), b.run.trigger),
        ("b", Trigger::Dependency)
    );
    assert!(s.rows("c").await.is_empty());
    s.end(&b, failed(false)).await;
    let c = s.claim_one().await;
    assert_eq!(c.run.task_name, name("c"));
    s.end(&c, Ended::Succeeded).await;
    assert!(s.claim(1).await.start.is_empty());
}

pub async fn dependents_wait_for_their_outcome(s: &Subject) {
    s.put("a", spec(60)).await;
    put_after(s, "good", "a", AfterOn::Succeeded).await;
    put_after(s, "bad", "a", AfterOn::Failed).await;
    put_after(s, "any", "a", AfterOn::Any).await;
    put_after(s, "off", "a", AfterOn::Any).await;
    let off = mhost_store::Edit::SetEnabled {
        name: name("off"),
        enabled: false,
    };
    s.edit(off).await.unwrap();
    s.set(60);
    let a = s.claim_one().await;
    s.end(&a, Ended::TimedOut).await;
    let claimed = s.claim(9).await.start;
    let mut names: Vec<_> = claimed
        .iter()
        .map(|claim| claim.run.task_name.as_str())
        .collect();
    names.sort();
    assert_eq!(names, ["any", "bad"]);
    assert!(s.rows("off").await.is_empty());
    // A run that is not over keeps a further one from being queued: its row says so.
    s.set(120);
    let a = s.claim_one().await;
    s.end(&a, Ended::Succeeded).await;
    assert_eq!(
        s.rows("any").await,
        expected(&[(60, "running"), (120, "skipped")])
    );
}

pub async fn hostile_reports_are_kept(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(60);
    let claim = s.claim_one().await;
    let mut completion = s.completion(&claim, Ended::Succeeded).await;
    let mut nested = serde_json::Value::Null;
    for _ in 0..500 {
        nested = serde_json::json!([nested]);
    }
    let figures = [("nan", f64::NAN), ("inf", f64::INFINITY), ("zero", -0.0)];
    completion.report = Some(Report {
        summary: "\0".repeat(1000),
        metrics: figures
            .into_iter()
            .map(|(name, figure)| (name.to_owned(), figure))
            .collect(),
        artifacts: Vec::new(),
        details: Some(nested),
    });
    completion.state = [(String::new(), Some(Vec::new()))].into();
    s.store.complete(completion).await.unwrap();
    let report = s.run(claim.run.id).await.report.unwrap();
    assert!(report.metrics["nan"].is_nan());
    assert_eq!(report.metrics["inf"], f64::INFINITY);
    assert!(report.details.unwrap().is_string());
    let task = s.id("t").await;
    assert_eq!(
        s.store.state(task, String::new()).await.unwrap(),
        Some(Vec::new())
    );
}

pub async fn an_open_run_can_be_cancelled(s: &Subject) {
    s.put_with("t", 60, |spec| spec.policy.retry.attempts = 2)
        .await;
    s.set(60);
    let claim = s.claim_one().await;
    let id = claim.run.id;
    assert!(!s.store.cancel_open(id, "no".into()).await.unwrap());
    s.end(&claim, failed(true)).await;
    assert!(s.store.cancel_open(id, "enough".into()).await.unwrap());
    let run = s.run(id).await;
    assert_eq!(
        (run.outcome(), run.reason.as_deref()),
        (Some(Outcome::Cancelled), Some("enough"))
    );
    assert!(!s.store.cancel_open(id, "no".into()).await.unwrap());
    let gone = s
        .store
        .cancel_open(mhost_model::RunId(999), "no".into())
        .await;
    assert!(matches!(
        gone,
        Err(StoreError::NotFound { kind: "run", .. })
    ));
    s.set(100);
    assert!(s.claim(1).await.start.is_empty());
}
