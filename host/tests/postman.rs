//! The postman under a clock that the test sets, with a carrier that does as it is told.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mhost::post::{Carrier, Post, Round};
use mhost_channels::{Bundle, Failure};
use mhost_model::alert::Severity;
use mhost_model::channel::ChannelDef;
use mhost_model::notify::{Event, EventKind};
use mhost_model::{Clock as _, FixedClock, Instant};
use mhost_sched::Scheduler;
use mhost_store::{Edit, LetterState, OpenOptions, Posting, RedbStore};

/// Fails as often as it is told, and remembers what it was given, and when.
#[derive(Default)]
struct Script {
    failures: Mutex<VecDeque<Option<Duration>>>,
    carried: Mutex<Vec<(i64, Vec<String>)>>,
}

/// The carrier that the postman holds; the script stays the test's.
struct Scripted(Arc<Script>);

#[async_trait]
impl Carrier for Scripted {
    async fn carry(&self, _: &ChannelDef, bundle: &Bundle, now: Instant) -> Result<(), Failure> {
        let titles = bundle.items.iter().map(|item| item.event.title.clone());
        let seconds = (now - at(0)).num_seconds();
        self.0
            .carried
            .lock()
            .unwrap()
            .push((seconds, titles.collect()));
        if bundle.channel.as_str() == "broken" {
            return Err(refused());
        }
        match self.0.failures.lock().unwrap().pop_front() {
            None => Ok(()),
            Some(retry_after) => Err(Failure {
                retry_after,
                ..refused()
            }),
        }
    }
}

fn refused() -> Failure {
    Failure {
        why: "nobody answers".into(),
        retry_after: None,
    }
}

/// One channel never ends, what comes through the others is heard.
struct Hanging(tokio::sync::mpsc::UnboundedSender<String>);

#[async_trait]
impl Carrier for Hanging {
    async fn carry(&self, _: &ChannelDef, bundle: &Bundle, _: Instant) -> Result<(), Failure> {
        if bundle.channel.as_str() == "hanging" {
            std::future::pending::<()>().await;
        }
        self.0.send(bundle.title()).unwrap();
        Ok(())
    }
}

fn at(seconds: i64) -> Instant {
    Instant::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

struct World {
    post: Post,
    clock: FixedClock,
    script: Arc<Script>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FixedClock::new(at(0));
        let store = Arc::new(open(folder.path(), &clock));
        let script = Arc::new(Script::default());
        let post = Post::new(
            store.clone(),
            store,
            Arc::new(clock.clone()),
            Arc::new(Scripted(Arc::clone(&script))),
        );
        put(&post, "log", "10s").await;
        Self {
            post,
            clock,
            script,
            _folder: folder,
        }
    }

    async fn tell(&self, title: &str) {
        tell(&self.post, self.clock.now(), "log", title).await;
    }

    /// Goes from wake to wake until nothing is left or the time is up, as the postman does.
    async fn until(&self, seconds: i64) {
        loop {
            match self.post.round(false).await.unwrap() {
                Round { tried: 1.., .. } => {}
                Round {
                    next: Some(next), ..
                } if next <= at(seconds) => {
                    assert!(next > self.clock.now(), "it would not wait");
                    self.clock.set(next);
                }
                _ => break,
            }
        }
        self.clock.set(at(seconds));
    }

    fn carried(&self) -> Vec<(i64, Vec<String>)> {
        std::mem::take(&mut self.script.carried.lock().unwrap())
    }

    fn fail(&self, times: usize, retry_after: Option<u64>) {
        let failure = retry_after.map(Duration::from_secs);
        let mut failures = self.script.failures.lock().unwrap();
        failures.extend(std::iter::repeat_n(failure, times));
    }
}

async fn put(post: &Post, name: &str, group: &str) {
    let channel = serde_json::json!({"kind": "syslog", "group": group, "rate": 2});
    let channel = Box::new(ChannelDef::read(channel).unwrap());
    let edit = Edit::PutChannel(name.parse().unwrap(), channel);
    post.store.edit(vec![edit]).await.unwrap();
}

async fn tell(post: &Post, at: Instant, channel: &str, title: &str) {
    let posting = Posting {
        channel: channel.parse().unwrap(),
        event: Event::new(EventKind::Failed, at, Severity::Critical, title),
        files: Vec::new(),
        once: None,
    };
    assert!(post.notices.post(posting).await.unwrap());
}

fn open(folder: &Path, clock: &FixedClock) -> RedbStore {
    RedbStore::open(OpenOptions {
        path: folder.join("store.redb"),
        clock: Arc::new(clock.clone()),
        planner: Arc::new(Scheduler::default()),
        create: true,
    })
    .unwrap()
}

fn times(carried: &[(i64, Vec<String>)]) -> Vec<i64> {
    carried.iter().map(|(at, _)| *at).collect()
}

#[tokio::test]
async fn what_comes_together_is_carried_together_after_the_group() {
    let w = World::new().await;
    w.tell("a").await;
    w.clock.set(at(4));
    w.tell("b").await;
    w.until(60).await;
    assert_eq!(w.carried(), [(10, vec!["a".to_owned(), "b".to_owned()])]);
}

#[tokio::test]
async fn tries_come_later_and_later_and_take_what_came_meanwhile() {
    let w = World::new().await;
    w.fail(4, None);
    w.tell("a").await;
    w.until(60).await;
    w.tell("b").await;
    w.until(4000).await;
    let carried = w.carried();
    let waits: Vec<i64> = times(&carried)
        .windows(2)
        .map(|two| two[1] - two[0])
        .collect();
    // 30 s, doubled each time, up to a tenth more.
    for (wait, least) in waits.iter().zip([30, 60, 120, 240]) {
        assert!((least..=least + least / 10).contains(wait), "{waits:?}");
    }
    assert_eq!(carried.len(), 5);
    assert_eq!(carried[4].1, ["a", "b"]);
    assert_eq!(w.post.notices.waiting(9).await.unwrap(), []);
}

#[tokio::test]
async fn a_receiver_that_asks_for_rest_gets_it() {
    let w = World::new().await;
    w.fail(1, Some(700));
    w.tell("a").await;
    w.until(2000).await;
    assert_eq!(times(&w.carried()), [10, 710]);
}

#[tokio::test]
async fn the_hour_has_an_end() {
    let w = World::new().await;
    for minute in 0..5 {
        w.until(minute * 60).await;
        w.tell(&minute.to_string()).await;
    }
    w.until(8000).await;
    let carried = w.carried();
    assert_eq!(times(&carried), [10, 70, 3610]);
    assert_eq!(carried[2].1, ["2", "3", "4"], "the rest goes together");
}

#[tokio::test]
async fn after_a_week_it_is_given_up() {
    let w = World::new().await;
    w.fail(10_000, None);
    w.tell("a").await;
    w.until(9 * 24 * 3600).await;
    let letter = w.post.notices.letters(1).await.unwrap().remove(0);
    assert!(
        matches!(letter.state, LetterState::GivenUp { .. }),
        "{letter:?}"
    );
    let tries = times(&w.carried());
    assert!(
        tries.len() < 200 && *tries.last().unwrap() > 7 * 24 * 3600,
        "{}",
        tries.len()
    );
    assert_eq!(letter.error.as_deref(), Some("nobody answers"));
}

#[tokio::test]
async fn what_came_later_is_not_given_up_with_what_is_a_week_old() {
    const DAY: i64 = 24 * 3600;
    let w = World::new().await;
    w.fail(10_000, None);
    w.tell("old").await;
    w.until(6 * DAY).await;
    w.tell("new").await;
    w.until(7 * DAY + 7200).await;
    let letters = w.post.notices.letters(2).await.unwrap();
    assert!(matches!(letters[1].state, LetterState::GivenUp { .. }));
    assert_eq!(letters[0].state, LetterState::Waiting, "{:?}", letters[0]);
    w.carried();
    w.script.failures.lock().unwrap().clear();
    w.until(8 * DAY).await;
    assert_eq!(w.carried()[0].1, ["new"]);
}

#[tokio::test]
async fn however_much_waits_for_a_broken_channel_another_is_served() {
    let w = World::new().await;
    put(&w.post, "broken", "0s").await;
    let titles: Vec<String> = (0..1100).map(|at| at.to_string()).collect();
    let letters = titles
        .iter()
        .map(|title| tell(&w.post, at(0), "broken", title));
    futures::future::join_all(letters).await;
    w.until(60).await;
    w.carried();
    w.tell("a").await;
    w.until(80).await;
    let carried = w.carried();
    assert!(
        carried.iter().any(|(_, titles)| titles == &["a"]),
        "{carried:?}"
    );
}

#[tokio::test]
async fn a_channel_that_hangs_holds_up_nobody_else() {
    let World {
        post,
        clock,
        _folder,
        ..
    } = World::new().await;
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let post = Post::new(
        post.store,
        Arc::clone(&post.notices),
        Arc::new(clock.clone()),
        Arc::new(Hanging(sender)),
    );
    for name in ["hanging", "quick"] {
        put(&post, name, "0s").await;
    }
    let teller = Post::new(
        Arc::clone(&post.store),
        Arc::clone(&post.notices),
        Arc::new(clock),
        Arc::clone(&post.carrier),
    );
    tell(&teller, at(0), "hanging", "never").await;
    let (handle, orders) = mhost::post::channel();
    mhost::post::spawn(post, handle.clone(), orders);
    for title in ["first", "second"] {
        tell(&teller, at(0), "quick", title).await;
        handle.stir();
        let patience = Duration::from_secs(60);
        let heard = tokio::time::timeout(patience, heard.recv()).await;
        assert_eq!(heard.unwrap().unwrap(), title);
    }
}

#[tokio::test]
async fn what_is_for_a_channel_that_is_gone_is_given_up() {
    let w = World::new().await;
    w.tell("a").await;
    let edit = Edit::RemoveChannel("log".parse().unwrap());
    w.post.store.edit(vec![edit]).await.unwrap();
    w.until(60).await;
    assert_eq!(w.carried(), []);
    let letter = w.post.notices.letters(1).await.unwrap().remove(0);
    assert!(letter.error.unwrap().contains("removed"));
}

#[tokio::test]
async fn a_process_that_ends_does_not_wait_for_the_group() {
    let w = World::new().await;
    w.tell("a").await;
    w.post.last_rounds().await;
    assert_eq!(times(&w.carried()), [0]);
    w.fail(100, None);
    w.tell("b").await;
    w.post.last_rounds().await;
    assert_eq!(
        w.carried().len(),
        1,
        "one try, and the next process goes on"
    );
}
