//! Durable fires of the store alone: a group of claims in one commit, and their
//! completions, which come one by one and share the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mhost_model::plan::Ended;
use mhost_model::plugin::Digest;
use mhost_model::schedule::Schedule;
use mhost_model::task::TaskSpec;
use mhost_model::{FixedClock, Name, Span};
use mhost_sched::Scheduler;
use mhost_store::{Claim, ClaimDue, Completion, Edit, OpenOptions, RedbStore, TaskStore};
use mhost_test_support::scratch;

use super::measure::{Stretch, median, rate};

const SPAN: Duration = Duration::from_secs(10);

pub fn run() {
    for tasks in [1, 10, 100, 1_000, 4_000] {
        fires(tasks);
    }
}

/// A task that is due every second.
pub fn spec(plugin: &str, action: &str, schedule: Schedule) -> TaskSpec {
    TaskSpec::new(plugin.parse().unwrap(), action, schedule)
}

fn fires(tasks: u32) {
    let folder = scratch("scale");
    let now = chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let clock = FixedClock::new(now);
    let store = RedbStore::open(OpenOptions {
        path: folder.path().join("store.redb"),
        clock: Arc::new(clock.clone()),
        planner: Arc::new(Scheduler::default()),
        create: true,
    });
    let store = store.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let schedule = Schedule::Every {
        every: Span::seconds(1),
        from: None,
    };
    let put = (0..tasks).map(|task| Edit::PutTask {
        name: format!("t{task}").parse().unwrap(),
        spec: Box::new(spec("pack", "pack", schedule.clone())),
        pin: Digest([1; 32]),
        enabled: true,
    });
    runtime.block_on(store.edit(put.collect())).unwrap();
    let (stretch, begun) = (Stretch::begin(), Instant::now());
    let (mut count, mut rates) = (0, Vec::new());
    for second in 1.. {
        clock.set(now + chrono::TimeDelta::seconds(second));
        let round = Instant::now();
        runtime.block_on(one_second(&store, tasks));
        rates.push(f64::from(tasks) / round.elapsed().as_secs_f64());
        count += u64::from(tasks);
        if begun.elapsed() > SPAN {
            break;
        }
    }
    let fastest = rates.iter().copied().fold(0.0, f64::max);
    println!(
        "{tasks} at once: median {:.0} and fastest {fastest:.0} a second; {}",
        median(rates),
        rate(count, stretch.end())
    );
}

async fn one_second(store: &RedbStore, tasks: u32) {
    let claimed = store.claim_due(ClaimDue {
        node: store.node(),
        slots: BTreeMap::from([("default".parse::<Name>().unwrap(), tasks)]),
        lease: Span::seconds(60),
        limit: tasks as usize + 1,
    });
    let claimed = claimed.await.unwrap();
    assert_eq!(claimed.start.len(), tasks as usize);
    let ends = claimed.start.iter().map(|claim| store.complete(end(claim)));
    for completed in futures::future::join_all(ends).await {
        completed.unwrap();
    }
}

fn end(claim: &Claim) -> Completion {
    Completion {
        key: claim.key(),
        ended: Ended::Succeeded,
        cancelled_because: None,
        started_at: claim.run.fire_at,
        finished_at: claim.run.fire_at,
        report: Some(Default::default()),
        receipt: Some(Default::default()),
        state: BTreeMap::new(),
        log: Vec::new(),
        alerts: Vec::new(),
        observed: Vec::new(),
    }
}
