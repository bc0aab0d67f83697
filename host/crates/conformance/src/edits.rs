//! Edits: all or nothing, with identity and history kept.

use mhost_model::plan::Ended;
use mhost_model::plugin::{Manifest, PluginRecord};
use mhost_model::resource::{DatabaseDef, Endpoint, Engine, PoolDef};
use mhost_model::run::Outcome;

use super::subject::{Subject, at, digest, expected, name, put, spec};
use mhost_store::{Answer, Definitions, Edit, StoreError};

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
    // Rule 1: what was due and had not started has its row.
    assert_eq!(s.rows("t").await, expected(&[(60, "skipped")]));
}

fn enable(task: &str, enabled: bool) -> Edit {
    Edit::SetEnabled {
        name: name(task),
        enabled,
    }
}

/// Rule 1: the due times of an enabled task have rows, whatever comes between.
pub async fn overdue_fires_are_passed_over(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(130);
    s.edit(enable("t", false)).await.unwrap();
    let skipped = expected(&[(60, "skipped"), (120, "skipped")]);
    assert_eq!(s.rows("t").await, skipped);
    let runs = s.store.runs(mhost_store::RunFilter {
        limit: 1,
        ..Default::default()
    });
    let reason = runs.await.unwrap().remove(0).reason.unwrap();
    assert_eq!(reason, "its task was paused before it started");
    s.set(400);
    s.edit(enable("t", true)).await.unwrap();
    assert_eq!(s.rows("t").await, skipped);
    s.set(420);
    let claim = s.claim_one().await;
    s.end(&claim, Ended::Succeeded).await;
    s.set(490);
    let id = s.id("t").await;
    s.edit(Edit::RemoveTask(name("t"))).await.unwrap();
    let fires = s.store.fires(id, at(0), at(999), 99).await.unwrap();
    assert_eq!(fires, [at(60), at(120), at(420), at(480)]);
}

/// Rule 3: caught up is only what was asked for.
pub async fn catching_up_is_asked_for(s: &Subject) {
    s.put("t", spec(60)).await;
    s.set(70);
    let claim = s.claim_one().await;
    s.end(&claim, Ended::Succeeded).await;
    s.edit(enable("t", false)).await.unwrap();
    s.set(250);
    let batch = vec![Edit::CatchUp(name("t")), enable("t", true)];
    s.store.edit(batch).await.unwrap();
    assert_eq!(s.task("t").await.progress.next_due, Some(at(120)));
    let claim = s.claim_one().await;
    s.end(&claim, Ended::Succeeded).await;
    let rows = [(60, "succeeded"), (120, "coalesced"), (180, "coalesced")];
    let mut rows = expected(&rows);
    rows.extend(expected(&[(240, "succeeded")]));
    assert_eq!(s.rows("t").await, rows);
    // A fire that had not started when the schedule was changed is the new one's to make good.
    s.set(310);
    let batch = vec![put("t", spec(50)), Edit::CatchUp(name("t"))];
    s.store.edit(batch).await.unwrap();
    assert_eq!(s.task("t").await.progress.next_due, Some(at(300)));
    assert_eq!(s.rows("t").await, rows);
}

/// A paused week of seconds is not one transaction.
pub async fn many_overdue_fires_are_settled_in_turn(s: &Subject) {
    s.put("t", spec(1)).await;
    s.set(2_500);
    s.edit(enable("t", false)).await.unwrap();
    let id = s.id("t").await;
    let history = s.store.history(id).await.unwrap();
    assert_eq!(history.arrears, [(at(1_001), at(2_500))]);
    while s.claim(1).await.next_wake.is_some() {}
    let fires = s.store.fires(id, at(0), at(9_999), 9_999).await.unwrap();
    assert_eq!(fires, (1..=2_500).map(at).collect::<Vec<_>>());
    assert!(s.store.history(id).await.unwrap().arrears.is_empty());
}

/// What the proof of the chain of due times stands on.
pub async fn eras_are_remembered(s: &Subject) {
    s.put("t", spec(60)).await;
    let id = s.id("t").await;
    let era = |from, until: Option<i64>, every| mhost_model::plan::Era {
        from: at(from),
        until: until.map(at),
        schedule: spec(every).schedule,
        anchor: at(0),
        zone: None,
    };
    let history = s.store.history(id).await.unwrap();
    assert_eq!(history.eras, [era(0, None, 60)]);
    s.set(10);
    s.put("t", spec(50)).await;
    s.set(20);
    s.edit(enable("t", false)).await.unwrap();
    let mut eras = vec![era(0, Some(10), 60), era(10, Some(20), 50)];
    assert_eq!(s.store.history(id).await.unwrap().eras, eras);
    s.set(30);
    s.edit(enable("t", true)).await.unwrap();
    eras.push(era(30, None, 50));
    assert_eq!(s.store.history(id).await.unwrap().eras, eras);
    s.put("m", spec(0)).await;
    let manual = s.store.history(s.id("m").await).await.unwrap();
    assert!(manual.eras.is_empty());
}

/// Tasks that run when files change are found without a look at all others.
pub async fn watchers_are_found(s: &Subject) {
    s.put("a", spec(60)).await;
    let watch = |spec: &mut mhost_model::task::TaskSpec| {
        spec.schedule = mhost_model::schedule::Schedule::OnChange {
            on_change: name("dir"),
            settle: mhost_model::Span::seconds(2),
        };
    };
    s.put_with("w", 0, watch).await;
    let names = async || -> Vec<String> {
        let watchers = s.store.watchers().await.unwrap();
        let names = watchers.iter().map(|status| status.task.name.to_string());
        names.collect()
    };
    assert_eq!(names().await, ["w"]);
    s.put_with("a", 0, watch).await;
    s.put("w", spec(60)).await;
    assert_eq!(names().await, ["a"]);
    s.edit(Edit::RemoveTask(name("a"))).await.unwrap();
    assert!(names().await.is_empty());
}

/// Old rows can go; what was due then cannot be proved any more, and is no gap.
pub async fn runs_are_forgotten(s: &Subject) {
    s.put("t", spec(60)).await;
    let id = s.id("t").await;
    let mut runs = Vec::new();
    for minute in 1..=4 {
        s.set(minute * 60);
        let claim = s.claim_one().await;
        let mut completion = s.completion(&claim, Ended::Succeeded).await;
        completion.log = vec![super::subject::line(0)];
        s.store.complete(completion).await.unwrap();
        runs.push(claim.run.id);
    }
    s.set(300);
    let on = s.claim_one().await;
    let forget = |run, what| mhost_store::Forget { run, what };
    use mhost_store::Forgotten::{Log, Run};
    let what = vec![
        forget(runs[0], Run),
        forget(runs[1], Run),
        forget(runs[2], Log),
        forget(on.run.id, Run),
        forget(mhost_model::RunId(99), Run),
    ];
    assert_eq!(s.store.forget(what.clone()).await.unwrap(), 3);
    assert_eq!(s.store.forget(what).await.unwrap(), 0);
    let rows = [(180, "succeeded"), (240, "succeeded"), (300, "running")];
    assert_eq!(s.rows("t").await, expected(&rows));
    assert!(s.store.log(runs[2], 0, 9).await.unwrap().is_empty());
    assert_eq!(s.store.log(runs[3], 0, 9).await.unwrap().len(), 1);
    let history = s.store.history(id).await.unwrap();
    assert_eq!(history.eras[0].from, at(120));
    s.end(&on, Ended::Succeeded).await;
    s.edit(enable("t", false)).await.unwrap();
    let all = s.store.runs(mhost_store::RunFilter {
        limit: 99,
        ..Default::default()
    });
    let all = all.await.unwrap();
    let what = all.iter().map(|run| forget(run.id, Run));
    assert_eq!(s.store.forget(what.collect()).await.unwrap(), 3);
    let history = s.store.history(id).await.unwrap();
    assert_eq!(history.eras.len(), 1);
    assert_eq!(
        (history.eras[0].from, history.eras[0].until),
        (at(300), Some(at(300)))
    );
    s.store.compact().await.unwrap();
    assert_eq!(s.task("t").await.progress.last_success, Some(at(300)));
}

/// A mark stands until the task is changed or resumed.
pub async fn marks_are_remembered(s: &Subject) {
    s.put("t", spec(0)).await;
    let id = s.id("t").await;
    assert_eq!(s.store.mark(id).await.unwrap(), None);
    s.store.set_mark(id, b"one".to_vec()).await.unwrap();
    let mut ask = s.manual("t", 1).await;
    ask.mark = Some(b"two".to_vec());
    let Answer::Start(claim) = s.store.ask(ask.clone()).await.unwrap() else {
        panic!("a free slot");
    };
    assert_eq!(s.store.mark(id).await.unwrap(), Some(b"two".to_vec()));
    // Passed over: it is to be noticed again.
    ask.mark = Some(b"three".to_vec());
    let answer = s.store.ask(ask).await.unwrap();
    assert!(matches!(answer, Answer::Passed(_)), "{answer:?}");
    assert_eq!(s.store.mark(id).await.unwrap(), Some(b"two".to_vec()));
    s.end(&claim, Ended::Succeeded).await;
    s.edit(enable("t", false)).await.unwrap();
    let batch = vec![enable("t", true), Edit::CatchUp(name("t"))];
    s.store.edit(batch).await.unwrap();
    assert_eq!(s.store.mark(id).await.unwrap(), Some(b"two".to_vec()));
    s.edit(enable("t", false)).await.unwrap();
    s.edit(enable("t", true)).await.unwrap();
    assert_eq!(s.store.mark(id).await.unwrap(), None);
    s.store.set_mark(id, b"one".to_vec()).await.unwrap();
    s.edit(Edit::RemoveTask(name("t"))).await.unwrap();
    assert_eq!(s.store.mark(id).await.unwrap(), None);
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
    let filter = mhost_store::RunFilter {
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
    let channel = serde_json::json!({"kind": "syslog", "rate": 3});
    let channel = mhost_model::channel::ChannelDef::read(channel).unwrap();
    let notify: mhost_model::notify::Notify =
        serde_json::from_str(r#"{"channels":["x"],"repeat":"4h"}"#).unwrap();
    let expected = Definitions {
        databases: [(x(), database.clone())].into(),
        repositories: [(x(), Endpoint::at(url()).into())].into(),
        remotes: [(x(), Endpoint::at(url()).into())].into(),
        pools: [(x(), PoolDef { size: 4 })].into(),
        channels: [(x(), channel.clone())].into(),
        notify: Some(notify.clone()),
        source: Some("/etc/mhost.toml".into()),
        plugins: vec![plugin("1.0.0"), plugin("1.1.0")],
    };
    let batch = vec![
        Edit::PutDatabase(x(), database),
        Edit::PutRepository(x(), Endpoint::at(url()).into()),
        Edit::PutRemote(x(), Endpoint::at(url()).into()),
        Edit::PutPool(x(), PoolDef { size: 9 }),
        Edit::PutChannel(x(), Box::new(channel)),
        Edit::SetNotify(Some(notify)),
        Edit::SetSource("/etc/mine.toml".into()),
        Edit::SetSource("/etc/mhost.toml".into()),
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
        Edit::RemoveChannel(x()),
        remove("1.0.0"),
        remove("1.1.0"),
    ];
    s.store.edit(batch.clone()).await.unwrap();
    s.edit(Edit::SetNotify(None)).await.unwrap();
    let left = Definitions {
        source: Some("/etc/mhost.toml".into()),
        ..Definitions::default()
    };
    assert_eq!(s.store.definitions().await.unwrap(), left);
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
