//! What `task next` shows: what the scheduler would do, with what is unusual named.

use mhost_model::policy::{Missed, Policy};
use mhost_sched::Compiled;
use mhost_sched::preview::coming;

use crate::world::{World, at, name};

/// The coming fires as `01:00 [notes]`.
fn shown(world: &World, now: &str, count: usize) -> Vec<String> {
    let schedule = Compiled::parse(&world.task.spec.schedule).unwrap();
    let fires = coming(&world.task, &schedule, &world.progress, at(now), count);
    let fires = fires.iter().map(|fire| {
        let notes: Vec<&str> = fire.notes.iter().map(|note| note.text.as_str()).collect();
        match notes.is_empty() {
            true => name(fire.fire_at),
            false => format!("{} [{}]", name(fire.fire_at), notes.join("; ")),
        }
    });
    fires.collect()
}

#[test]
fn rule_3_missed_fires_are_named() {
    let mut world = World::new("0 * * * *", Policy::default());
    assert_eq!(shown(&world, "00:30", 2), ["01:00", "02:00"]);
    assert_eq!(
        shown(&world, "03:30", 2),
        [
            "03:00 [catch-up: due for 30m already, runs at once; 2 missed before it: coalesced, not run]",
            "04:00"
        ]
    );
    world.task.spec.policy.missed = Missed::Skip;
    assert_eq!(
        shown(&world, "03:30", 1),
        ["04:00 [3 missed before it: skipped]"]
    );
    world.task.spec.policy.missed = Missed::All(2);
    assert_eq!(
        shown(&world, "03:00", 3),
        [
            "02:00 [catch-up: due for 1h already, runs at once; 1 missed before it: coalesced, not run]",
            "03:00 [catch-up: due for 0s already, runs at once]",
            "04:00"
        ]
    );
}

#[test]
fn rule_4_a_fire_that_waits_for_its_pool_is_named() {
    let mut world = World::new("0 * * * *", Policy::default());
    world.tick(0, at("01:05"));
    assert_eq!(
        shown(&world, "01:05", 1),
        ["01:00 [due for 5m already: waits for a slot of the pool `default`]"]
    );
}

#[test]
fn rule_9_a_fire_that_waits_for_its_jitter_is_not_late() {
    let policy = Policy {
        jitter: Some("50m".parse().unwrap()),
        ..Policy::default()
    };
    let world = World::new("0 * * * *", policy);
    let fires = shown(&world, "01:00:01", 2);
    assert!(fires[0].starts_with("01:00 [starts "), "{fires:?}");
    assert!(!fires[0].contains("already"), "{fires:?}");
    assert!(fires[1].starts_with("02:00 "), "{fires:?}");
}

#[test]
fn rule_3_what_a_paused_or_held_task_would_be_due_for() {
    let mut world = World::new("0 * * * *", Policy::default());
    world.task.enabled = false;
    (world.progress.next_due, world.progress.wake_at) = (None, None);
    assert_eq!(shown(&world, "05:30", 1), ["06:00 [paused: does not run]"]);
    let mut world = World::new("0 * * * *", Policy::default());
    world.task.quarantine = Some("it asks for more".into());
    assert_eq!(
        shown(&world, "05:30", 1),
        ["06:00 [does not run before it is approved: it asks for more]"]
    );
}
