//! What people are told: written with what happened, told once, and watched for without
//! polling.

mod outbox;

use std::sync::Arc;

use mhost_conformance::{Subject, at, name, spec};
use mhost_model::alert::{AlertChange, Severity};
use mhost_model::channel::ChannelDef;
use mhost_model::notify::{EventKind, Standing};
use mhost_model::plan::Ended;
use mhost_model::policy::{Delivery, Expect};
use mhost_model::run::{ErrorKind, RunError};
use mhost_model::task::TaskSpec;
use mhost_model::{FixedClock, Instant, Span, TaskId};
use mhost_sched::Scheduler;
use mhost_store::{
    Came, Claim, Edit, Letter, LetterState, Notices, OpenOptions, Posting, RedbStore, Tried,
};
use serde_json::json;
use tempfile::TempDir;

struct World {
    folder: TempDir,
    s: Subject,
    notices: Arc<dyn Notices>,
}

fn open(folder: &TempDir, clock: &FixedClock) -> (Subject, Arc<dyn Notices>) {
    let store = RedbStore::open(OpenOptions {
        path: folder.path().join("store.redb"),
        clock: Arc::new(clock.clone()),
        planner: Arc::new(Scheduler::default()),
        create: true,
    });
    let store = Arc::new(store.unwrap());
    let s = Subject {
        store: store.clone(),
        clock: clock.clone(),
    };
    (s, store)
}

impl World {
    /// The channels `log` and `dead`, and everybody is told through `log`.
    async fn new(notify: serde_json::Value) -> Self {
        let folder = TempDir::new().unwrap();
        let (s, notices) = open(&folder, &FixedClock::new(at(0)));
        let channel = |json| Box::new(ChannelDef::read(json).unwrap());
        let edits = vec![
            Edit::PutChannel(name("log"), channel(json!({"kind": "syslog"}))),
            Edit::PutChannel(
                name("dead"),
                channel(json!({"kind": "dead-man", "url": "http://x"})),
            ),
            Edit::SetNotify(Some(serde_json::from_value(notify).unwrap())),
        ];
        s.store.edit(edits).await.unwrap();
        Self { folder, s, notices }
    }

    async fn plain() -> Self {
        Self::new(json!({"channels": ["log"]})).await
    }

    /// The process dies, and another one goes on.
    fn again(self) -> Self {
        let Self { folder, s, notices } = self;
        let clock = s.clock.clone();
        drop((s, notices));
        let (s, notices) = open(&folder, &clock);
        Self { folder, s, notices }
    }

    /// All that was told so far, oldest first.
    async fn told(&self) -> Vec<(String, EventKind)> {
        let mut letters = self.notices.letters(100).await.unwrap();
        letters.reverse();
        let told = |one: Letter| (one.channel.to_string(), one.event.kind);
        letters.into_iter().map(told).collect()
    }

    async fn kinds(&self) -> Vec<EventKind> {
        self.told()
            .await
            .into_iter()
            .map(|(_, kind)| kind)
            .collect()
    }

    async fn standing(&self) -> Vec<Standing> {
        self.notices.alerts().await.unwrap()
    }

    async fn sound(&self) {
        assert_eq!(self.s.store.verify().await.unwrap(), Vec::<String>::new());
    }

    /// Claims what is due at a time, as the service does when it wakes.
    async fn claim_at(&self, seconds: i64) -> Vec<Claim> {
        self.s.set(seconds);
        self.s.claim(9).await.start
    }

    async fn wake(&self) -> Option<i64> {
        let wake = self.s.store.next_wake().await.unwrap();
        wake.map(|wake| (wake - at(0)).num_milliseconds())
    }

    /// One run that ends so.
    async fn run(&self, seconds: i64, ended: Ended) {
        let claims = self.claim_at(seconds).await;
        assert_eq!(claims.len(), 1);
        self.s.end(&claims[0], ended).await;
    }

    async fn run_saying(&self, seconds: i64, alerts: Vec<AlertChange>) {
        let claims = self.claim_at(seconds).await;
        let mut completion = self.s.completion(&claims[0], Ended::Succeeded).await;
        completion.alerts = alerts;
        self.s.store.complete(completion).await.unwrap();
    }
}

fn failed() -> Ended {
    Ended::Failed(RunError {
        message: "it did not work".into(),
        kind: ErrorKind::Failure,
        retryable: false,
        cause: None,
    })
}

fn raise(key: &str, severity: Severity) -> AlertChange {
    AlertChange::Raise {
        key: key.into(),
        severity,
        message: "no answer".into(),
        details: Some(json!({"status": 500})),
    }
}

fn resolve(key: &str) -> AlertChange {
    AlertChange::Resolve {
        key: key.into(),
        message: "it answers".into(),
    }
}

/// Every minute; the whole minute is time enough for everything.
fn minutely() -> TaskSpec {
    let mut spec = spec(60);
    spec.limits.time = Span::seconds(3600);
    spec
}

#[tokio::test]
async fn a_failure_is_told_once_and_so_is_its_end() {
    let w = World::plain().await;
    w.s.put("t", minutely()).await;
    w.run(60, failed()).await;
    w.run(120, failed()).await;
    w.run(180, Ended::TimedOut).await;
    assert_eq!(w.kinds().await, [EventKind::Failed]);
    let letter = w.notices.waiting(9).await.unwrap().remove(0);
    assert_eq!(letter.event.title, "t failed");
    assert!(
        letter.event.text.contains("it did not work"),
        "{}",
        letter.event.text
    );
    w.run(240, Ended::Succeeded).await;
    w.run(300, Ended::Succeeded).await;
    assert_eq!(w.kinds().await, [EventKind::Failed, EventKind::Recovered]);
    assert!(w.standing().await.is_empty());
    w.sound().await;
}

#[tokio::test]
async fn what_was_told_survives_a_crash_between_the_outcome_and_the_sending() {
    let w = World::plain().await;
    w.s.put("t", minutely()).await;
    w.run(60, failed()).await;
    let w = w.again();
    let waiting = w.notices.waiting(9).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].event.kind, EventKind::Failed);
    w.sound().await;
}

#[tokio::test]
async fn a_claim_that_died_is_told_as_lost_each_time() {
    let w = World::plain().await;
    let mut spec = minutely();
    spec.policy.delivery = Delivery::AtMostOnce;
    w.s.put("t", spec).await;
    let mut w = w;
    for seconds in [60, 120] {
        assert_eq!(w.claim_at(seconds).await.len(), 1);
        w = w.again();
        w.s.store.reap().await.unwrap();
    }
    assert_eq!(w.kinds().await, [EventKind::Lost, EventKind::Lost]);
    w.run(180, Ended::Succeeded).await;
    assert_eq!(w.kinds().await.last(), Some(&EventKind::Recovered));
    w.sound().await;
}

#[tokio::test]
async fn signs_of_life_are_of_every_run() {
    let w = World::new(json!({"channels": ["log", "dead"]})).await;
    w.s.put("t", minutely()).await;
    w.run(60, failed()).await;
    w.run(120, failed()).await;
    w.run(180, Ended::Succeeded).await;
    use EventKind::{Failed, Recovered, Started, Succeeded};
    let of = |channel: &str, told: &[(String, EventKind)]| -> Vec<EventKind> {
        told.iter()
            .filter(|(to, _)| to == channel)
            .map(|(_, kind)| *kind)
            .collect()
    };
    let told = w.told().await;
    assert_eq!(
        of("dead", &told),
        [Started, Failed, Started, Failed, Started, Succeeded]
    );
    assert_eq!(of("log", &told), [Failed, Recovered]);
}

#[tokio::test]
async fn a_task_chooses_for_itself() {
    let w = World::plain().await;
    let with = |notify: serde_json::Value| {
        let mut spec = minutely();
        spec.notify = Some(serde_json::from_value(notify).unwrap());
        spec
    };
    w.s.put("quiet", with(json!({"channels": []}))).await;
    w.s.put(
        "chatty",
        with(json!({"channels": ["log"], "on": ["succeeded"]})),
    )
    .await;
    for claim in w.claim_at(60).await {
        w.s.end(&claim, failed()).await;
    }
    assert_eq!(w.kinds().await, []);
    assert_eq!(
        w.standing().await.len(),
        2,
        "what is wrong is known all the same"
    );
    for claim in w.claim_at(120).await {
        w.s.end(&claim, Ended::Succeeded).await;
    }
    assert_eq!(w.kinds().await, [EventKind::Succeeded]);
}

#[tokio::test]
async fn alerts_of_plugins_stand_until_they_are_taken_back() {
    use EventKind::{Alert, Degraded, Recovered};
    let w = World::plain().await;
    w.s.put("check", minutely()).await;
    w.run_saying(60, vec![raise("site", Severity::Critical)])
        .await;
    w.run_saying(120, vec![raise("site", Severity::Critical)])
        .await;
    assert_eq!(w.kinds().await, [Alert]);
    w.run_saying(180, vec![raise("site", Severity::Degraded)])
        .await;
    w.run_saying(240, vec![]).await;
    assert_eq!(w.kinds().await, [Alert, Degraded]);
    let standing = w.standing().await;
    assert_eq!(
        (standing[0].key.as_str(), standing[0].since),
        ("site", at(60))
    );
    assert_eq!(standing[0].details, Some(json!({"status": 500})));
    w.run_saying(300, vec![resolve("site"), resolve("other")])
        .await;
    assert_eq!(w.kinds().await, [Alert, Degraded, Recovered]);
    assert!(w.standing().await.is_empty());
    // Also of a run that fails, and nothing of a task that is gone.
    let claim = w.claim_at(360).await.remove(0);
    let mut completion = w.s.completion(&claim, failed()).await;
    completion.alerts = vec![raise("site", Severity::Critical)];
    w.s.store.complete(completion).await.unwrap();
    assert_eq!(w.standing().await.len(), 2);
    w.s.edit(Edit::RemoveTask(name("check"))).await.unwrap();
    assert!(w.standing().await.is_empty());
    w.sound().await;
}

#[tokio::test]
async fn nobody_is_told_of_what_a_task_holds() {
    let w = World::plain().await;
    let mut pack = spec(0);
    pack.holds = ["site".to_owned(), "backup".to_owned()].into();
    w.s.put("pack", pack).await;
    w.s.put("check", minutely()).await;
    w.s.put("backup", minutely()).await;
    let ask = w.s.manual("pack", 9).await;
    let mhost_store::Answer::Start(pack) = w.s.store.ask(ask).await.unwrap() else {
        panic!("the pack did not start");
    };
    assert_eq!(w.s.store.holdings().await.unwrap()[0].run, pack.run.id);
    for claim in w.claim_at(60).await {
        let check = claim.run.task_name == name("check");
        let ended = if check { Ended::Succeeded } else { failed() };
        let mut completion = w.s.completion(&claim, ended).await;
        if check {
            completion.alerts = vec![
                raise("site", Severity::Critical),
                raise("other", Severity::Critical),
            ];
        }
        w.s.store.complete(completion).await.unwrap();
    }
    let keys: Vec<String> = w.standing().await.into_iter().map(|one| one.key).collect();
    assert_eq!(keys, ["other"]);
    w.s.end(&pack, Ended::Succeeded).await;
    assert_eq!(w.s.store.holdings().await.unwrap(), []);
    for claim in w.claim_at(120).await {
        let mut completion = w.s.completion(&claim, failed()).await;
        completion.alerts = vec![raise("site", Severity::Critical)];
        w.s.store.complete(completion).await.unwrap();
    }
    assert_eq!(
        w.standing().await.len(),
        5,
        "when nobody holds it any more, it is told"
    );
}

#[tokio::test]
async fn what_stands_is_told_again_until_somebody_knows() {
    let w = World::new(json!({"channels": ["log"], "repeat": "10m"})).await;
    let mut spec = spec(0);
    spec.limits.time = Span::seconds(60);
    w.s.put("t", spec).await;
    let ask = w.s.manual("t", 1).await;
    let mhost_store::Answer::Start(claim) = w.s.store.ask(ask).await.unwrap() else {
        panic!("it did not start");
    };
    w.s.end(&claim, failed()).await;
    assert_eq!(w.wake().await, Some(600_000));
    for seconds in [599, 600, 601, 1200] {
        w.claim_at(seconds).await;
    }
    let letters = w.notices.letters(9).await.unwrap();
    let repeated: Vec<u32> = letters.iter().rev().map(|one| one.event.repeated).collect();
    assert_eq!(repeated, [0, 1, 2]);
    let known = w.notices.acknowledge(Some(name("t")), None).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(w.notices.acknowledge(None, None).await.unwrap(), []);
    w.claim_at(9000).await;
    assert_eq!(w.notices.letters(9).await.unwrap().len(), 3);
    assert_eq!(w.wake().await, None, "nothing is left to wake for");
    w.sound().await;
}

#[tokio::test]
async fn nobody_is_told_again_of_what_a_task_holds() {
    let w = World::new(json!({"channels": ["log"], "repeat": "10m"})).await;
    let mut pack = spec(0);
    pack.holds = ["site".to_owned()].into();
    w.s.put("pack", pack).await;
    let mut check = minutely();
    check.schedule = spec(0).schedule;
    w.s.put("check", check).await;
    let start = async |task: &str| {
        let ask = w.s.manual(task, 9).await;
        match w.s.store.ask(ask).await.unwrap() {
            mhost_store::Answer::Start(claim) => claim,
            _ => panic!("{task} did not start"),
        }
    };
    let claim = start("check").await;
    let mut completion = w.s.completion(&claim, Ended::Succeeded).await;
    completion.alerts = vec![raise("site", Severity::Critical)];
    w.s.store.complete(completion).await.unwrap();
    let pack = start("pack").await;
    for seconds in [600, 601, 660, 720] {
        w.claim_at(seconds).await;
    }
    assert_eq!(w.kinds().await, [EventKind::Alert], "somebody works on it");
    w.s.end(&pack, Ended::Succeeded).await;
    w.claim_at(780).await;
    assert_eq!(w.kinds().await, [EventKind::Alert, EventKind::Alert]);
    w.sound().await;
}

/// What nobody can judge stands, but is not told again until it is raised anew.
#[tokio::test]
async fn a_silent_alert_is_not_repeated_until_it_is_raised() {
    let w = World::new(json!({"channels": ["log"], "repeat": "10m"})).await;
    let mut task = minutely();
    task.schedule = spec(0).schedule;
    w.s.put("t", task).await;
    let say = async |seconds: i64, change: AlertChange| {
        w.s.set(seconds);
        let ask = w.s.manual("t", 9).await;
        let mhost_store::Answer::Start(claim) = w.s.store.ask(ask).await.unwrap() else {
            panic!("it did not start");
        };
        let mut completion = w.s.completion(&claim, Ended::Succeeded).await;
        completion.alerts = vec![change];
        w.s.store.complete(completion).await.unwrap();
    };
    let silence = |key: &str| AlertChange::Silence { key: key.into() };
    say(0, silence("site")).await;
    assert!(w.standing().await.is_empty(), "nothing stands yet");
    say(1, raise("site", Severity::Critical)).await;
    say(2, silence("site")).await;
    for seconds in [601, 602, 1300] {
        w.claim_at(seconds).await;
    }
    assert_eq!(w.kinds().await, [EventKind::Alert]);
    assert!(w.standing().await[0].silent);
    // It is judged again, and as wrong as before: no news, but the next repeat is due.
    say(1400, raise("site", Severity::Critical)).await;
    w.claim_at(1401).await;
    assert_eq!(w.kinds().await, [EventKind::Alert, EventKind::Alert]);
    say(1500, silence("site")).await;
    say(1600, resolve("site")).await;
    assert_eq!(w.kinds().await.last(), Some(&EventKind::Recovered));
    w.sound().await;
}

/// rule 10: late, too long, too fast, overdue: each once, at its time.
#[tokio::test]
async fn rule_10_each_disappointment_is_told_once_without_polling() {
    use EventKind::{Late, Overdue, Recovered, TooFast, TooLong};
    let w = World::plain().await;
    let mut spec = spec(600);
    spec.limits.time = Span::seconds(300);
    spec.policy.expect = Some(Expect {
        start_within: Some(Span::seconds(30)),
        finish_within: Some(Span::seconds(100)),
        at_least: Some(Span::seconds(10)),
    });
    w.s.put("t", spec).await;
    assert_eq!(w.wake().await, Some(600_000), "only the fire");
    // There is no slot, so it does not start.
    w.s.set(600);
    assert!(w.s.claim(0).await.start.is_empty());
    assert_eq!(w.wake().await, Some(630_000));
    for seconds in [630, 631, 632, 700] {
        w.s.set(seconds);
        w.s.claim(0).await;
    }
    assert_eq!(w.kinds().await, [Late]);
    // The success that the schedule called for did not come either.
    assert_eq!(w.wake().await, Some(900_000));
    for seconds in [900, 901, 950] {
        w.s.set(seconds);
        w.s.claim(0).await;
    }
    assert_eq!(w.kinds().await, [Late, Overdue]);
    // At last it starts, and takes too long.
    let claim = w.claim_at(960).await.remove(0);
    for seconds in [1060, 1061, 1062] {
        w.s.set(seconds);
        w.s.claim(0).await;
    }
    assert_eq!(w.kinds().await, [Late, Overdue, TooLong]);
    let mut completion = w.s.completion(&claim, Ended::Succeeded).await;
    completion.started_at = at(960);
    w.s.store.complete(completion).await.unwrap();
    assert_eq!(w.kinds().await, [Late, Overdue, TooLong, Recovered]);
    assert!(w.standing().await.is_empty());
    // The next one does nothing at all.
    w.run(1200, Ended::Succeeded).await;
    assert_eq!(w.kinds().await.last(), Some(&TooFast));
    let claim = w.claim_at(1800).await.remove(0);
    w.s.set(1820);
    let mut completion = w.s.completion(&claim, Ended::Succeeded).await;
    completion.started_at = at(1800);
    w.s.store.complete(completion).await.unwrap();
    assert_eq!(w.kinds().await.last(), Some(&Recovered));
    assert!(w.standing().await.is_empty());
    w.sound().await;
}

/// rule 10: nobody looked when it should have started, and it starts at once now.
#[tokio::test]
async fn rule_10_what_starts_late_at_the_first_look_is_late() {
    use EventKind::{Late, Recovered};
    let w = World::plain().await;
    let mut spec = spec(600);
    spec.limits.time = Span::seconds(3000);
    spec.policy.expect = Some(Expect {
        start_within: Some(Span::seconds(30)),
        finish_within: None,
        at_least: None,
    });
    w.s.put("t", spec).await;
    w.run(700, Ended::Succeeded).await;
    assert_eq!(w.kinds().await, [Late, Recovered]);
    w.run(1230, Ended::Succeeded).await;
    assert_eq!(w.kinds().await, [Late, Recovered], "in time");
    w.sound().await;
}

/// rule 10: what was paused is not missed.
#[tokio::test]
async fn rule_10_nobody_expects_a_success_of_a_paused_task() {
    let w = World::plain().await;
    let mut spec = spec(60);
    spec.limits.time = Span::seconds(30);
    w.s.put("t", spec).await;
    w.run(60, Ended::Succeeded).await;
    let enable = |enabled| Edit::SetEnabled {
        name: name("t"),
        enabled,
    };
    w.s.edit(enable(false)).await.unwrap();
    w.claim_at(5000).await;
    assert_eq!(w.kinds().await, []);
    w.s.edit(enable(true)).await.unwrap();
    w.s.claim(0).await;
    assert_eq!(
        w.kinds().await,
        [],
        "it was paused for long, and that is explained"
    );
    w.s.set(5131);
    w.s.claim(0).await;
    assert_eq!(w.kinds().await, [EventKind::Overdue]);
    // What is over is told again the next time.
    w.run(5160, Ended::Succeeded).await;
    assert_eq!(w.kinds().await.last(), Some(&EventKind::Recovered));
    w.s.set(5300);
    w.s.claim(0).await;
    assert_eq!(w.kinds().await.last(), Some(&EventKind::Overdue));
    w.sound().await;
}

#[tokio::test]
async fn a_message_is_posted_once_with_its_files() {
    let w = World::plain().await;
    w.s.put("t", minutely()).await;
    w.run(60, failed()).await;
    let event = w.notices.waiting(1).await.unwrap().remove(0).event;
    let posting = |id: &str| Posting {
        channel: name("log"),
        event: event.clone(),
        files: vec![mhost_model::alert::Attachment {
            name: "a".into(),
            media_type: "text/plain".into(),
            content: vec![7; 100_000],
        }],
        once: Some((TaskId(1), id.to_owned())),
    };
    assert!(w.notices.post(posting("x")).await.unwrap());
    assert!(!w.notices.post(posting("x")).await.unwrap());
    assert!(w.notices.post(posting("y")).await.unwrap());
    let waiting = w.notices.waiting(9).await.unwrap();
    assert_eq!(
        w.notices.enclosures(waiting[1].id).await.unwrap()[0]
            .content
            .len(),
        100_000
    );
    w.s.set(8 * 24 * 3600);
    assert!(
        w.notices.post(posting("x")).await.unwrap(),
        "a week later it is another one"
    );
    w.sound().await;
}
