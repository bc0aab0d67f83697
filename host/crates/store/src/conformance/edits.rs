//! Edits: all or nothing, with identity and history kept.

use mhost_model::plan::Ended;
use mhost_model::plugin::{Manifest, PluginRecord};
use mhost_model::resource::{DatabaseDef, Engine, PoolDef, RemoteDef, RepositoryDef};
use mhost_model::run::Outcome;

use super::subject::{Subject, at, digest, expected, name, put, spec};
use crate::{Answer, Definitions, Edit, StoreError};

pub async fn a_batch_is_all_or_nothing(s: &Subject) {
    s.put("t", spec(60)).await;
    let before = (s.task("t").await, s.store.definitions().await.unwrap());
    let batch = vec![
        put("new", spec(60)),
        put("t", spec(30)),
        Edit::PutPool(name("p"), PoolDef { size: 3 }),
        Edit::RemoveTask(name("missing")),
    ];
    let refused = s.store.edit(batch).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::NotFound { kind: "task", .. }),
        "{refused}"
    );
    let after = (s.task("t").await, s.store.definitions().await.unwrap());
    assert_eq!(after, before);
    assert!(s.store.task(&name("new")).await.unwrap().is_none());
    s.store.edit(Vec::new()).await.unwrap();
}

pub async fn a_renamed_task_keeps_its_history(s: &Subject) {
    s.put("old", spec(60)).await;
    s.set(60);
    let claim = s.claim_one().await;
    s.end(&claim, Ended::Succeeded).await;
    let before = s.task("old").await;
    s.put_with("new", 60, |spec| spec.renamed_from = Some(name("old")))
        .await;
    let after = s.task("new").await;
    assert!(s.store.task(&name("old")).await.unwrap().is_none());
    assert_eq!(
        (after.task.id, &after.progress),
        (before.task.id, &before.progress)
    );
    assert_eq!(s.rows("new").await, expected(&[(60, "succeeded")]));
    // Applied again, nothing changes; the former name may be taken anew.
    s.put_with("new", 60, |spec| spec.renamed_from = Some(name("old")))
        .await;
    assert_eq!(s.task("new").await, after);
    s.put("old", spec(60)).await;
    assert_ne!(s.id("old").await, after.task.id);
}

pub async fn only_a_schedule_change_arms_anew(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(90);
    s.put_with("t", 60, |spec| {
        spec.description = Some("words".into());
        spec.config.insert("level".into(), 3.into());
    })
    .await;
    let status = s.task("t").await;
    assert_eq!(
        (status.progress.next_due, status.task.schedule_version),
        (Some(at(60)), 1)
    );
    assert_eq!(status.task.created_at, at(0));
    s.put("t", spec(50)).await;
    let status = s.task("t").await;
    assert_eq!(
        (status.progress.next_due, status.task.schedule_version),
        (Some(at(100)), 2)
    );
    assert!(s.claim(1).await.start.is_empty());
    assert!(s.rows("t").await.is_empty());
}

pub async fn disabling_and_enabling(s: &Subject) {
    s.put("t", spec(60)).await;
    let enable = |enabled| Edit::SetEnabled {
        name: name("t"),
        enabled,
    };
    s.edit(enable(false)).await.unwrap();
    let progress = s.task("t").await.progress;
    assert_eq!((progress.next_due, progress.wake_at), (None, None));
    s.set(600);
    let claimed = s.claim(1).await;
    assert!(claimed.start.is_empty());
    assert_eq!(claimed.next_wake, None);
    s.edit(enable(true)).await.unwrap();
    s.edit(enable(true)).await.unwrap();
    assert_eq!(s.task("t").await.progress.next_due, Some(at(660)));
    // Rule 3: resuming catches nothing up.
    assert!(s.claim(1).await.start.is_empty());
    assert!(s.rows("t").await.is_empty());
}

pub async fn quarantine_holds_fires(s: &Subject) {
    s.put("t", spec(60)).await;
    let quarantine = |why: Option<&str>| Edit::SetQuarantine {
        name: name("t"),
        quarantine: why.map(str::to_owned),
    };
    s.edit(quarantine(Some("look at it"))).await.unwrap();
    s.set(130);
    let claimed = s.claim(1).await;
    assert!(claimed.start.is_empty() && claimed.passed.is_empty());
    assert_eq!(claimed.next_wake, None);
    assert_eq!(
        s.task("t").await.task.quarantine.as_deref(),
        Some("look at it")
    );
    s.edit(quarantine(None)).await.unwrap();
    // Rule 1: the fires of the time in quarantine have rows too.
    let claim = s.claim_one().await;
    assert_eq!(
        s.rows("t").await,
        expected(&[(60, "coalesced"), (120, "running")])
    );
    s.end(&claim, Ended::Succeeded).await;
    s.edit(quarantine(Some("again"))).await.unwrap();
    let pin = digest(9);
    let approve = Edit::SetPin {
        name: name("t"),
        pin,
    };
    s.edit(approve).await.unwrap();
    let task = s.task("t").await.task;
    assert_eq!((task.pin, task.quarantine), (pin, None));
}

pub async fn a_removed_task_leaves_its_runs(s: &Subject) {
    s.put_with("t", 60, |spec| {
        spec.policy.overlap = mhost_model::policy::Overlap::QueueOne
    })
    .await;
    s.set(60);
    let claim = s.claim_one().await;
    let id = claim.run.task.unwrap();
    let answer = s.store.ask(s.manual("t", 1).await).await.unwrap();
    let Answer::Queued(queued) = answer else {
        panic!("{answer:?}");
    };
    s.edit(Edit::RemoveTask(name("t"))).await.unwrap();
    assert!(s.store.task_by_id(id).await.unwrap().is_none());
    let run = s.run(queued.id).await;
    assert_eq!(run.outcome(), Some(Outcome::Cancelled));
    let mut completion = s.completion(&claim, Ended::Succeeded).await;
    completion.state = [("k".to_owned(), Some(b"v".to_vec()))].into();
    let completed = s.store.complete(completion).await.unwrap();
    assert_eq!(completed.run.outcome(), Some(Outcome::Succeeded));
    assert_eq!(s.store.state(id, "k".into()).await.unwrap(), None);
    s.put("t", spec(60)).await;
    assert!(s.id("t").await > id);
    assert!(s.rows("t").await.is_empty());
    let filter = crate::RunFilter {
        task_name: Some(name("t")),
        limit: 10,
        ..Default::default()
    };
    assert_eq!(s.store.runs(filter).await.unwrap().len(), 2);
}

fn plugin(version: &str) -> PluginRecord {
    PluginRecord {
        digest: digest(3),
        manifest: Manifest {
            name: name("pack"),
            version: version.into(),
            summary: "packs".into(),
            actions: Vec::new(),
        },
        built_in: true,
        installed_at: at(0),
    }
}

pub async fn definitions_come_and_go(s: &Subject) {
    let x = || name("x");
    let url = || "file:///srv".to_owned();
    let database = DatabaseDef {
        engine: Engine::Redb,
        path: "/srv/x.redb".into(),
    };
    let expected = Definitions {
        databases: [(x(), database.clone())].into(),
        repositories: [(x(), RepositoryDef { url: url() })].into(),
        remotes: [(x(), RemoteDef { url: url() })].into(),
        pools: [(x(), PoolDef { size: 4 })].into(),
        plugins: vec![plugin("1.0.0"), plugin("1.1.0")],
    };
    let batch = vec![
        Edit::PutDatabase(x(), database),
        Edit::PutRepository(x(), RepositoryDef { url: url() }),
        Edit::PutRemote(x(), RemoteDef { url: url() }),
        Edit::PutPool(x(), PoolDef { size: 9 }),
        Edit::PutPool(x(), PoolDef { size: 4 }),
        Edit::PutPlugin(Box::new(plugin("1.1.0"))),
        Edit::PutPlugin(Box::new(plugin("1.0.0"))),
    ];
    s.store.edit(batch).await.unwrap();
    assert_eq!(s.store.definitions().await.unwrap(), expected);
    let remove = |version: &str| Edit::RemovePlugin {
        name: name("pack"),
        version: version.into(),
    };
    let batch = vec![
        Edit::RemoveDatabase(x()),
        Edit::RemoveRepository(x()),
        Edit::RemoveRemote(x()),
        Edit::RemovePool(x()),
        remove("1.0.0"),
        remove("1.1.0"),
    ];
    s.store.edit(batch.clone()).await.unwrap();
    assert_eq!(s.store.definitions().await.unwrap(), Definitions::default());
    for edit in batch {
        let refused = s.edit(edit).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
    }
}

pub async fn contradictions_are_refused(s: &Subject) {
    s.put("a", spec(60)).await;
    s.put("b", spec(60)).await;
    let mut renamed = spec(60);
    renamed.renamed_from = Some(name("a"));
    let refused = s.edit(put("b", renamed)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    let missing = || name("missing");
    let edits = [
        Edit::RemoveTask(missing()),
        Edit::SetEnabled {
            name: missing(),
            enabled: true,
        },
        Edit::SetQuarantine {
            name: missing(),
            quarantine: None,
        },
        Edit::SetPin {
            name: missing(),
            pin: digest(1),
        },
    ];
    for edit in edits {
        let refused = s.edit(edit).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::NotFound { kind: "task", .. }),
            "{refused}"
        );
    }
}

pub async fn an_unreadable_configuration_is_refused(s: &Subject) {
    let mut nested = serde_json::Value::Null;
    for _ in 0..500 {
        nested = serde_json::json!([nested]);
    }
    let mut deep = spec(60);
    deep.config.insert("deep".into(), nested);
    let refused = s.edit(put("deep", deep)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    assert!(s.store.tasks(None, 10).await.unwrap().is_empty());
}
