//! New data of the time zones (rule 5): what is still to come moves, and what was due by the
//! former data stays provable.

use std::sync::Arc;

use mhost_conformance::{IntervalPlanner, Subject, at, name, spec};
use mhost_model::plan::{
    Armed, Decision, Ended, Era, OpenRun, Planner, Progress, Verdict, ZoneChange,
};
use mhost_model::schedule::Schedule;
use mhost_model::task::Task;
use mhost_model::{FixedClock, Instant};
use mhost_store::{Moved, OpenOptions, RedbStore};

/// Fires once a day, as early as a release of the data says.
struct Daily {
    data: &'static str,
    second: i64,
}

const DAY: i64 = 86_400;

impl Planner for Daily {
    fn arm(&self, task: &Task, now: Instant) -> Armed {
        let days = (now.timestamp() - self.second).div_euclid(DAY) + 1;
        let next = Instant::from_timestamp(days * DAY + self.second, 0);
        let next = next.filter(|_| task.enabled);
        (next, next)
    }

    fn due(&self, task: &Task, progress: &Progress, slots: u32, now: Instant) -> Decision {
        IntervalPlanner.due(task, progress, slots, now)
    }

    fn ended(&self, t: &Task, p: &Progress, r: &OpenRun, e: &Ended, now: Instant) -> Verdict {
        IntervalPlanner.ended(t, p, r, e, now)
    }

    fn zone_data(&self) -> &str {
        self.data
    }

    fn zone(&self, _: &Schedule) -> Option<String> {
        Some("Here".into())
    }

    fn zone_changes(&self, _: &str) -> Vec<ZoneChange> {
        vec![self.change()]
    }

    fn realigned(&self, task: &Task, progress: &Progress, now: Instant) -> Option<Armed> {
        let armed = self.arm(task, now);
        (armed.0 != progress.next_due).then_some(armed)
    }
}

impl Daily {
    fn change(&self) -> ZoneChange {
        ZoneChange {
            at: 0,
            offset: self.second as i32,
        }
    }
}

fn open(path: &std::path::Path, data: &'static str, second: i64, clock: &FixedClock) -> Subject {
    let store = RedbStore::open(OpenOptions {
        planner: Arc::new(Daily { data, second }),
        ..crate::common::options(path, clock, true)
    });
    Subject {
        store: Arc::new(store.unwrap()),
        clock: clock.clone(),
    }
}

#[tokio::test]
async fn rule_5_new_zone_data_move_what_is_to_come_and_say_so() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("store.redb");
    let clock = FixedClock::new(at(0));
    let s = open(&path, "1", 0, &clock);
    assert_eq!(s.store.renew_zones().await.unwrap(), None);
    s.put("t", spec(DAY as u64)).await;
    s.set(100);
    drop(s);

    let s = open(&path, "2", 3600, &clock);
    let renewed = s.store.renew_zones().await.unwrap().unwrap();
    assert_eq!(
        (renewed.former.as_str(), renewed.present.as_str()),
        ("1", "2")
    );
    let moved = Moved {
        task: name("t"),
        was: Some(at(DAY)),
        is: Some(at(3600)),
    };
    assert_eq!(renewed.moved, [moved]);
    assert_eq!(s.store.renew_zones().await.unwrap(), None);
    let status = s.task("t").await;
    assert_eq!(status.progress.next_due, Some(at(3600)));
    let history = s.store.history(status.task.id).await.unwrap();
    let era = |from, until: Option<i64>, zone| Era {
        from: at(from),
        until: until.map(at),
        schedule: status.task.spec.schedule.clone(),
        anchor: at(0),
        zone,
    };
    let then = Daily {
        data: "1",
        second: 0,
    };
    let former = era(0, Some(100), Some(vec![then.change()]));
    assert_eq!(history.eras, [former, era(100, None, None)]);
    // The same zone in newer data still: nothing moves, and the era goes on.
    drop(s);
    let s = open(&path, "3", 3600, &clock);
    let renewed = s.store.renew_zones().await.unwrap().unwrap();
    assert!(renewed.moved.is_empty());
    let again = s.store.history(status.task.id).await.unwrap();
    assert_eq!(again, history);
    assert!(s.store.verify().await.unwrap().is_empty());
}
