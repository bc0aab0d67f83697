//! What runs observe: kept whatever their outcome, added up over time, forgotten when old.

use mhost_model::plan::Ended;
use mhost_model::watch::{Condition, Lookback, Observation};

use super::subject::{Subject, digest, failed, name, spec};
use mhost_store::{Answer, Ask, Asked, Edit, Watcher};

fn one(subject: &str, condition: Condition, latency_us: u64, memory: &str) -> Observation {
    Observation {
        subject: subject.to_owned(),
        condition,
        latency_us: Some(latency_us),
        memory: memory.as_bytes().to_vec(),
    }
}

/// Runs the task's next fire, which observes this and ends so.
async fn observe(s: &Subject, at: i64, ended: Ended, observed: Vec<Observation>) {
    s.set(at);
    let claim = s.claim_one().await;
    let mut completion = s.completion(&claim, ended).await;
    completion.observed = observed;
    s.store.complete(completion).await.unwrap();
}

async fn memory(s: &Subject, watcher: &Watcher, subject: &str) -> Option<String> {
    let subjects = vec!["none".to_owned(), subject.to_owned()];
    let found = s.store.memories(watcher.clone(), subjects).await.unwrap();
    assert_eq!((found.len(), &found[0]), (2, &None));
    found[1]
        .as_ref()
        .map(|bytes| String::from_utf8(bytes.clone()).unwrap())
}

/// Up, degraded and down of each length of time.
async fn counts(s: &Subject, watcher: &Watcher) -> Vec<(Lookback, [u64; 3])> {
    let summaries = s.store.observed(watcher.clone()).await.unwrap();
    let counts = summaries.iter().map(|one| {
        let counts = &one.counts;
        (one.span, [counts.up, counts.degraded, counts.down])
    });
    counts.collect()
}

pub async fn what_is_observed_is_kept_whatever_the_outcome(s: &Subject) {
    s.put("a", spec(60)).await;
    let watcher = Watcher::Task(s.id("a").await);
    assert_eq!(memory(s, &watcher, "x").await, None);
    assert_eq!(counts(s, &watcher).await, []);
    let up = one("x", Condition::Up, 1000, "first");
    observe(s, 60, Ended::Succeeded, vec![up]).await;
    let down = one("x", Condition::Down, 9000, "second");
    observe(s, 120, failed(false), vec![down]).await;
    assert_eq!(memory(s, &watcher, "x").await.as_deref(), Some("second"));
    for (span, counted) in counts(s, &watcher).await {
        assert_eq!(counted, [1, 0, 1], "{span:?}");
    }
    let summaries = s.store.observed(watcher).await.unwrap();
    assert_eq!(summaries.len(), 3);
    assert_eq!(summaries[0].counts.latencies.count(), 2);
}

pub async fn a_dry_run_observes_nothing(s: &Subject) {
    s.put("a", spec(60)).await;
    let watcher = Watcher::Task(s.id("a").await);
    let ask = Ask {
        dry_run: true,
        ..s.manual("a", 1).await
    };
    let Answer::Start(claim) = s.store.ask(ask).await.unwrap() else {
        panic!("not started");
    };
    let mut completion = s.completion(&claim, Ended::Succeeded).await;
    completion.observed = vec![one("x", Condition::Up, 1, "m")];
    s.store.complete(completion).await.unwrap();
    assert_eq!(memory(s, &watcher, "x").await, None);
    assert_eq!(counts(s, &watcher).await, []);
}

pub async fn an_exec_observes_for_its_plugin(s: &Subject) {
    let spec = spec(60);
    let watcher = Watcher::Exec(spec.plugin.name.clone());
    s.put("a", spec.clone()).await;
    let ask = Ask {
        what: Asked::Exec {
            spec: Box::new(spec),
            digest: digest(1),
        },
        ..s.manual("a", 1).await
    };
    let Answer::Start(claim) = s.store.ask(ask).await.unwrap() else {
        panic!("not started");
    };
    let mut completion = s.completion(&claim, Ended::Succeeded).await;
    completion.observed = vec![one("x", Condition::Degraded, 1, "m")];
    s.store.complete(completion).await.unwrap();
    assert_eq!(memory(s, &watcher, "x").await.as_deref(), Some("m"));
    assert_eq!(counts(s, &watcher).await.len(), 3);
    let task = Watcher::Task(s.id("a").await);
    assert_eq!(counts(s, &task).await, []);
}

pub async fn what_is_old_is_forgotten(s: &Subject) {
    const DAY: i64 = 86_400;
    s.put("a", spec(DAY as u64)).await;
    let watcher = Watcher::Task(s.id("a").await);
    let seen = |subject: &str| vec![one(subject, Condition::Up, 1, subject)];
    observe(s, DAY, Ended::Succeeded, seen("old")).await;
    s.set(DAY + 7300);
    let spans: Vec<_> = counts(s, &watcher).await;
    let spans: Vec<_> = spans.iter().map(|(span, _)| *span).collect();
    assert_eq!(spans, [Lookback::Day, Lookback::Month]);
    s.set(3 * DAY);
    assert_eq!(counts(s, &watcher).await, [(Lookback::Month, [1, 0, 0])]);
    observe(s, 40 * DAY, Ended::Succeeded, seen("new")).await;
    assert_eq!(memory(s, &watcher, "old").await, None);
    assert_eq!(memory(s, &watcher, "new").await.as_deref(), Some("new"));
    let summaries = s.store.observed(watcher).await.unwrap();
    assert!(summaries.iter().all(|one| one.subject == "new"));
}

pub async fn a_removed_task_is_forgotten(s: &Subject) {
    s.put("a", spec(60)).await;
    let watcher = Watcher::Task(s.id("a").await);
    let up = one("x", Condition::Up, 1, "m");
    observe(s, 60, Ended::Succeeded, vec![up.clone()]).await;
    s.set(120);
    let claim = s.claim_one().await;
    s.store
        .edit(vec![Edit::RemoveTask(name("a"))])
        .await
        .unwrap();
    // What is still on may end, and leaves nothing behind.
    let mut completion = s.completion(&claim, Ended::Succeeded).await;
    completion.observed = vec![up];
    s.store.complete(completion).await.unwrap();
    assert_eq!(memory(s, &watcher, "x").await, None);
    assert_eq!(counts(s, &watcher).await, []);
}
