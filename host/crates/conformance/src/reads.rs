//! Reading back: pages, filters, logs, state.

use mhost_model::plan::Ended;
use mhost_model::run::{Outcome, Trigger};
use mhost_model::{RunId, TaskId};

use super::subject::{Subject, at, failed, line, name, spec};
use mhost_store::RunFilter;

fn filter(limit: usize) -> RunFilter {
    RunFilter {
        limit,
        ..RunFilter::default()
    }
}

async fn history(s: &Subject) {
    s.put("a", spec(60)).await;
    s.put("b", spec(60)).await;
    for fire in 1..=5 {
        s.set(fire * 60);
        for claim in s.claim(2).await.start {
            let ended = match fire % 2 {
                0 => failed(false),
                _ => Ended::Succeeded,
            };
            s.end(&claim, ended).await;
        }
    }
}

async fn ids(s: &Subject, filter: RunFilter) -> Vec<u64> {
    let runs = s.store.runs(filter).await.unwrap();
    runs.iter().map(|run| run.id.0).collect()
}

pub async fn runs_are_paged_newest_first(s: &Subject) {
    history(s).await;
    let task = s.id("a").await;
    for of_task in [None, Some(task)] {
        let mut page = filter(3);
        page.task = of_task;
        let mut all = Vec::new();
        loop {
            let ids = ids(s, page.clone()).await;
            assert!(ids.len() <= 3);
            let Some(last) = ids.last() else { break };
            page.before = Some(RunId(*last));
            all.extend(ids);
        }
        assert!(all.is_sorted_by(|newer, older| newer > older));
        assert_eq!(all.len(), if of_task.is_some() { 5 } else { 10 });
    }
    assert!(ids(s, filter(0)).await.is_empty());
}

pub async fn runs_are_filtered(s: &Subject) {
    history(s).await;
    let a = s.id("a").await;
    let by_name = RunFilter {
        task_name: Some(name("a")),
        ..filter(99)
    };
    let by_task = RunFilter {
        task: Some(a),
        ..filter(99)
    };
    assert_eq!(ids(s, by_name.clone()).await, ids(s, by_task).await);
    let of = |outcomes: &[Outcome]| RunFilter {
        outcomes: outcomes.iter().copied().collect(),
        ..by_name.clone()
    };
    let cases = [
        (of(&[Outcome::Failed]), 2),
        (of(&[Outcome::Failed, Outcome::Succeeded]), 5),
        (of(&[Outcome::Lost]), 0),
        (
            RunFilter {
                since: Some(at(120)),
                until: Some(at(240)),
                ..filter(99)
            },
            4,
        ),
        (
            RunFilter {
                task: Some(TaskId(999)),
                ..filter(99)
            },
            0,
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(s, filter.clone()).await.len(), expected, "{filter:?}");
    }
    assert_eq!(s.store.run(RunId(999)).await.unwrap(), None);
}

pub async fn logs_are_numbered(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(60);
    let claim = s.claim_one().await;
    let run = claim.run.id;
    let lines: Vec<_> = (0..700).map(line).collect();
    for part in [0..1, 1..600, 600..600] {
        s.store.append_log(run, lines[part].to_vec()).await.unwrap();
    }
    let mut completion = s.completion(&claim, Ended::Succeeded).await;
    completion.log = lines[600..].to_vec();
    s.store.complete(completion).await.unwrap();
    for (from, limit) in [
        (0, 700),
        (0, 9999),
        (0, 3),
        (255, 4),
        (599, 2),
        (699, 9),
        (700, 9),
        (9999, 9),
        (5, 0),
    ] {
        let read = s.store.log(run, from, limit).await.unwrap();
        let expected: Vec<_> = lines
            .iter()
            .skip(from as usize)
            .take(limit)
            .cloned()
            .collect();
        assert_eq!(read, expected, "from {from}, at most {limit}");
    }
    assert!(s.store.log(RunId(999), 0, 9).await.unwrap().is_empty());
    let nobody = s.store.append_log(RunId(999), vec![line(0)]).await;
    assert!(matches!(
        nobody,
        Err(mhost_store::StoreError::NotFound { kind: "run", .. })
    ));
}

pub async fn state_is_listed_in_order(s: &Subject) {
    s.put("t", spec(60)).await;
    s.put("u", spec(60)).await;
    s.set(60);
    for claim in s.claim(2).await.start {
        let mut completion = s.completion(&claim, Ended::Succeeded).await;
        let own = claim.run.task_name.to_string();
        let keys = ["b", "a", "c", &own];
        completion.state = keys
            .map(|key| (key.to_owned(), Some(own.clone().into_bytes())))
            .into();
        s.store.complete(completion).await.unwrap();
    }
    let (t, u) = (s.id("t").await, s.id("u").await);
    let keys = async |after: Option<&str>, limit| {
        s.store
            .state_keys(t, after.map(str::to_owned), limit)
            .await
            .unwrap()
    };
    assert_eq!(keys(None, 9).await, ["a", "b", "c", "t"]);
    assert_eq!(keys(Some("a"), 2).await, ["b", "c"]);
    assert_eq!(keys(Some("zz"), 2).await, Vec::<String>::new());
    assert_eq!(
        s.store.state(u, "a".into()).await.unwrap().as_deref(),
        Some(b"u".as_slice())
    );
    s.set(120);
    let claim = s.claim_one().await;
    let mut completion = s.completion(&claim, Ended::Succeeded).await;
    completion.state = [("a".to_owned(), None), ("missing".to_owned(), None)].into();
    s.store.complete(completion).await.unwrap();
    assert_eq!(keys(None, 9).await, ["b", "c", "t"]);
    // What another attempt hands over was marked as to be kept.
    let claim = s.claim(2).await.start.remove(0);
    let mut completion = s.completion(&claim, failed(false)).await;
    completion.state = [("b".to_owned(), None)].into();
    s.store.complete(completion).await.unwrap();
    assert!(s.store.state(u, "b".into()).await.unwrap().is_none());
    assert!(s.store.state(u, "c".into()).await.unwrap().is_some());
}

pub async fn tasks_are_listed_in_order(s: &Subject) {
    for task in ["c", "a", "b"] {
        s.put(task, spec(60)).await;
    }
    let list = async |after: Option<&str>, limit| {
        let tasks = s.store.tasks(after.map(name), limit).await.unwrap();
        tasks
            .iter()
            .map(|status| status.task.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(list(None, 9).await, ["a", "b", "c"]);
    assert_eq!(list(Some("a"), 1).await, ["b"]);
    assert_eq!(list(Some("b.5"), 9).await, ["c"]);
    assert!(list(Some("c"), 9).await.is_empty());
    assert_eq!(
        s.store.task_by_id(s.id("b").await).await.unwrap().unwrap(),
        s.task("b").await
    );
}

/// What is asked for at the same time is answered by itself: a failure among others
/// leaves nothing of itself and takes nothing from them.
pub async fn changes_share_a_group(s: &Subject) {
    s.put("t", spec(0)).await;
    let good = |number: u32| vec![super::subject::put(&format!("g{number}"), spec(60))];
    let bad = |number: u32| {
        let mut batch = vec![super::subject::put(&format!("b{number}"), spec(60))];
        batch.push(mhost_store::Edit::RemoveTask(name("missing")));
        batch
    };
    let edits: Vec<_> = (0..20)
        .map(|n| if n % 3 == 0 { bad(n) } else { good(n) })
        .collect();
    let calls: Vec<_> = edits
        .into_iter()
        .map(|edits| {
            let store = s.store.clone();
            tokio::spawn(async move { store.edit(edits).await })
        })
        .collect();
    let ask = s.manual("t", 1).await;
    let answer = s.store.ask(ask).await.unwrap();
    assert!(
        matches!(answer, mhost_store::Answer::Start(claim) if claim.run.trigger == Trigger::Manual)
    );
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().is_ok(), number % 3 != 0, "{number}");
    }
    let tasks = s.store.tasks(None, 99).await.unwrap();
    let names: Vec<_> = tasks
        .iter()
        .map(|status| status.task.name.as_str())
        .collect();
    assert_eq!(names.iter().filter(|name| name.starts_with('b')).count(), 0);
    assert_eq!(
        names.iter().filter(|name| name.starts_with('g')).count(),
        13
    );
}
