//! What many tasks and many fires cost, as rows of the table in `docs/benchmarks.md`, beside
//! what cron does for each fire and what a queue in PostgreSQL does.
//!
//! `cargo build --release && cargo bench --profile release --bench scale
//! [-- SECTION…]` (`just scale`); sections are `fires`, `service`,
//! `second`, `million`, `cron` and `postgres`, all where none is named. Machines are
//! shared, so each row has the processor's time beside the clock's, and the load.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // A bench that cannot go on has failed.

#[path = "scale/cron.rs"]
mod cron;
#[path = "scale/fires.rs"]
mod fires;
#[path = "scale/host.rs"]
mod host;
#[path = "scale/measure.rs"]
mod measure;
#[path = "scale/million.rs"]
mod million;
#[path = "scale/postgres.rs"]
mod postgres;
#[path = "scale/second.rs"]
mod second;

const SECTIONS: [(&str, fn()); 6] = [
    ("cron", cron::run),
    ("postgres", postgres::run),
    ("fires", fires::run),
    ("service", host::run),
    ("second", second::run),
    ("million", million::run),
];

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    println!("load at the beginning: {}", measure::load());
    for (name, run) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|section| section == name) {
            println!("\n{name}");
            run();
        }
    }
    println!("\nload at the end: {}", measure::load());
}
