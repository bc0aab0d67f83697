//! A thousand fires a second for a minute, and how late they start.

use std::time::Duration;

use mhost_model::run::Outcome;
use mhost_model::schedule::Schedule;
use mhost_model::{Clock as _, Instant, Span, SystemClock};

use super::host::{Bench, nothing, rows};
use super::measure::{cpu_of, load, pause};

const TASKS: i64 = 1_000;
const MINUTE: Duration = Duration::from_secs(60);

pub fn run() {
    for (what, apart) in [("spread over the second", 1), ("all at one instant", 0)] {
        let bench = Bench::new();
        let first = SystemClock.now() + chrono::TimeDelta::seconds(12);
        let tasks = (0..TASKS).map(|task| {
            let from = first + chrono::TimeDelta::milliseconds(task * apart);
            let spec = nothing(Schedule::Every {
                every: Span::seconds(1),
                from: Some(from),
            });
            (format!("t{task}"), spec)
        });
        bench.fill(64, tasks);
        let (service, _) = bench.serve();
        pause((first - SystemClock.now()).to_std().unwrap_or_default());
        let before = cpu_of(service.0.id());
        pause(MINUTE);
        let cpu = cpu_of(service.0.id()).saturating_sub(before);
        let until = SystemClock.now();
        service.kill();
        told(&bench, what, first, until, cpu);
    }
}

fn told(bench: &Bench, what: &str, first: Instant, until: Instant, cpu: Duration) {
    let mut late = bench.with_store(async |store| {
        let rows = rows(store).await;
        let due = |row: &&mhost_model::run::Run| row.fire_at >= first && row.fire_at < until;
        let rows = rows.iter().filter(due);
        let ran = rows
            .clone()
            .filter(|row| row.outcome() == Some(Outcome::Succeeded));
        let late = ran.filter_map(|row| Some((row.started_at? - row.fire_at).num_milliseconds()));
        let late = late.collect::<Vec<i64>>();
        assert!(
            !late.is_empty(),
            "none succeeded, such as {:?}",
            rows.clone().next()
        );
        late
    });
    late.sort_unstable();
    let part = |per_mille: usize| late[(late.len() - 1) * per_mille / 1000];
    println!(
        "{what}: {} of {} fires succeeded; late by {} ms in median, {} ms p99, {} ms at most; {:.0} µs of processor each; load {}",
        late.len(),
        (until - first).num_seconds() * TASKS,
        part(500),
        part(990),
        part(1000),
        cpu.as_secs_f64() * 1e6 / late.len() as f64,
        load().trim()
    );
}
