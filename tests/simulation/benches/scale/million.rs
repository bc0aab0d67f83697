//! A million tasks: memory, start, lists, and what an idle service costs.

use std::time::{Duration, Instant};

use mhost_model::schedule::Schedule;

use super::host::{Bench, nothing};
use super::measure::{cpu_of, pause, resident};

const TASKS: u64 = 1_000_000;

pub fn run() {
    let bench = Bench::new();
    // Due in half a year: nothing happens while this is measured.
    let spec = |task: u64| {
        let (minute, hour) = (task % 60, task / 60 % 24);
        nothing(Schedule::Cron {
            cron: format!("{minute} {hour} {} {} *", task % 28 + 1, month()),
            tz: Some("Europe/Kyiv".into()),
        })
    };
    let begun = Instant::now();
    bench.fill(
        16,
        (0..TASKS).map(|task| (format!("task-{task:07}"), spec(task))),
    );
    let file = std::fs::metadata(bench.state().join("mhost.redb")).unwrap();
    println!(
        "made in {:.0} s; the file has {} MiB",
        begun.elapsed().as_secs_f64(),
        file.len() >> 20
    );
    let (service, took) = bench.serve();
    println!("first start: {:.2} s", took.as_secs_f64());
    service.kill();
    let (service, took) = bench.serve();
    let (pid, limit) = (service.0.id(), Duration::from_secs(60));
    println!(
        "start after a kill: {:.2} s; {} MiB resident",
        took.as_secs_f64(),
        resident(pid)
    );
    let before = cpu_of(pid);
    pause(limit);
    let idle = cpu_of(pid).saturating_sub(before);
    println!("idle for a minute: {} ms of processor", idle.as_millis());
    for after in ["", "task-0500000", "task-0999000"] {
        let begun = Instant::now();
        let mut args = vec!["task", "list", "-n", "1000"];
        if !after.is_empty() {
            args.extend(["--after", after]);
        }
        let page = bench.json(&args);
        println!(
            "a page of {} tasks after `{after}`: {:.0} ms",
            page.as_array().unwrap().len(),
            begun.elapsed().as_secs_f64() * 1000.0
        );
    }
    println!("afterwards {} MiB resident", resident(pid));
}

/// One that is half a year away.
fn month() -> u32 {
    use chrono::Datelike as _;
    use mhost_model::Clock as _;
    (mhost_model::SystemClock.now().month() + 5) % 12 + 1
}
