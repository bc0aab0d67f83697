//! What happens to the service, in an order that a seed decides.

use std::process::Child;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use mhost_test_support::{Dice, Mount};
use rustix::process::Signal;

use super::arena::Arena;
use super::ledger::Settled;

/// Lets time pass: here it is what is tested.
pub fn pause(span: Duration) {
    let (_sender, receiver) = channel::<()>();
    let _ = receiver.recv_timeout(span);
}

#[derive(Default)]
struct Told {
    kills: usize,
    stops: usize,
    long_stops: usize,
    ticks: usize,
    killed_ticks: usize,
    full: usize,
}

/// Goes on for so long; answers what happened, in words, and what was settled by then.
pub fn happen(
    arena: &mut Arena,
    disk: Option<&Mount>,
    seed: u64,
    span: Duration,
) -> (String, Settled) {
    let (mut dice, mut told) = (Dice::new(seed), Told::default());
    let begun = Instant::now();
    let mut settled = Settled::default();
    while begun.elapsed() < span {
        pause(Duration::from_millis(200 + dice.below(2_000)));
        if !arena.serves() {
            arena.serve();
            continue;
        }
        match dice.below(10) {
            0..=3 => {
                arena.kill();
                told.kills += 1;
                if dice.below(2) == 0 {
                    ticks(arena, &mut dice, &mut told);
                }
            }
            4 => stop(arena, 500, &mut told.stops),
            5 => stop(arena, 4_500, &mut told.long_stops),
            6..=7 => ticks(arena, &mut dice, &mut told),
            8 => settled.look(arena),
            _ => match disk {
                Some(disk) => {
                    fill(disk, &mut dice);
                    told.full += 1;
                }
                None => settled.look(arena),
            },
        }
    }
    settled.look(arena);
    let Told {
        kills,
        stops,
        long_stops,
        ticks,
        killed_ticks,
        full,
    } = told;
    let told = format!(
        "{kills} kills, {stops} stops and {long_stops} longer than a lease, {ticks} ticks of which {killed_ticks} were killed, {full} times a full disk"
    );
    (told, settled)
}

/// The process is suspended, and a tick comes as soon as it goes on.
fn stop(arena: &mut Arena, millis: u64, count: &mut usize) {
    arena.signal(Signal::STOP);
    pause(Duration::from_millis(millis));
    let tick = arena.command(&["tick"]).spawn();
    arena.signal(Signal::CONT);
    tick.unwrap().wait().unwrap();
    *count += 1;
}

/// Several at once; some are killed in the middle.
fn ticks(arena: &Arena, dice: &mut Dice, told: &mut Told) {
    let start = |_| arena.command(&["tick"]).spawn().unwrap();
    let children: Vec<Child> = (0..6).map(start).collect();
    pause(Duration::from_millis(dice.below(300)));
    for mut child in children {
        told.ticks += 1;
        if dice.below(3) == 0 {
            child.kill().unwrap();
            told.killed_ticks += 1;
        }
        child.wait().unwrap();
    }
}

fn fill(disk: &Mount, dice: &mut Dice) {
    disk.fill();
    pause(Duration::from_millis(500 + dice.below(2_500)));
    disk.empty();
}
