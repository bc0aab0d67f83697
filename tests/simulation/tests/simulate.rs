//! Tens of thousands of random steps, each compared with what rules 1 to 9 let expect;
//! and the proof that the comparison notices when a rule is broken.
//!
//! `MHOST_SIMULATION_SEED=N` replays one seed, `MHOST_SIMULATION_STEPS=N` sets how many
//! steps there are in all (`just simulate`).

use mhost_simulation::{Flaw, Tally, simulate};

/// Steps of one world: long enough for retries, catch-ups and pools to meet.
const WORLD: usize = 500;
/// Steps of the suite.
const STEPS: usize = 40_000;
/// So many worlds are tried until a flaw must have shown.
const WORLDS: u64 = 60;

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

fn check(seed: u64, steps: usize) -> Tally {
    simulate(seed, steps, None).unwrap_or_else(|violation| panic!("{violation}"))
}

#[test]
fn rules_1_to_9_hold_in_every_world() {
    if let Some(seed) = variable("MHOST_SIMULATION_SEED") {
        println!("{:?}", check(seed, WORLD));
        return;
    }
    let steps = variable("MHOST_SIMULATION_STEPS").map_or(STEPS, |steps| steps as usize);
    // The suite sees the same worlds each time; a longer run sees others too.
    let mut all = Tally::default();
    for seed in 0..(steps / WORLD) as u64 {
        all += check(seed, WORLD);
    }
    println!("{all:?}");
    // What never happens was not tested.
    let happened = [
        all.rows,
        all.starts,
        all.retries,
        all.missed,
        all.lost,
        all.set_off,
        all.stale,
        all.crashes,
        all.jumps_back,
        all.edits,
        all.caught_up,
        all.forgotten,
        all.proved,
    ];
    assert!(happened.iter().all(|count| *count >= 20), "{all:?}");
}

/// Each flaw is a planner (or a store) that breaks one rule; the simulation must
/// say which.
#[test]
fn a_broken_rule_is_noticed() {
    for flaw in Flaw::ALL {
        let broken = (0..WORLDS).find_map(|seed| simulate(seed, WORLD, Some(flaw)).err());
        let violation = broken.unwrap_or_else(|| panic!("{flaw:?} goes unnoticed"));
        assert_eq!(violation.rule, flaw.rule(), "{flaw:?}: {violation}");
    }
}
