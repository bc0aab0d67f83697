//! What a schedule costs: compiling it, and finding the next due time.

#![allow(clippy::unwrap_used)] // A bench that cannot go on has failed.

use divan::{Bencher, black_box};
use mhost_model::Instant;
use mhost_sched::{Compiled, parse_expr};

const EXPRESSIONS: [&str; 6] = [
    "*/5 * * * *",
    "30 2 * * MON-FRI",
    "0 3 LW * *",
    "0 0 29 2 *",
    "0 0 */29 2 MON",
    "{ month = 8, day = 31, minute = 11 }",
];

fn main() {
    divan::main();
}

fn compile(expr: &str) -> Compiled {
    let schedule = parse_expr(expr, Some("Europe/Kyiv")).expect("a valid expression");
    Compiled::parse(&schedule).expect("a valid schedule")
}

#[divan::bench(args = EXPRESSIONS)]
fn parse(bencher: Bencher, expr: &str) {
    bencher.bench(|| compile(black_box(expr)));
}

#[divan::bench(args = EXPRESSIONS)]
fn next(bencher: Bencher, expr: &str) {
    let compiled = compile(expr);
    let now: Instant = "2026-03-28T23:59:58Z".parse().expect("an instant");
    bencher.bench(|| compiled.next_after(black_box(now), now));
}
