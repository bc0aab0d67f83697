//! Rule 1 as a property: whatever happens, every due time ends in one place.

use std::collections::BTreeMap;

use mhost_model::Instant;
use mhost_model::plan::{Decision, Ended, Planner};
use mhost_model::policy::{Delivery, Missed, Overlap, Policy, Retry};
use mhost_model::run::{Outcome, RunState};
use mhost_model::{Name, Span};
use mhost_sched::Compiled;
use proptest::prelude::*;

use crate::world::{World, failure};

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// The clock goes on by so many seconds, or is set back.
    Clock(i64),
    /// A look at what is due, with so many slots.
    Look(u32),
    /// The `n`th of the running runs ends.
    End(usize, Ended),
}

fn event() -> impl Strategy<Value = Event> {
    let ended = prop_oneof![
        Just(Ended::Succeeded),
        Just(failure(true)),
        Just(failure(false)),
        Just(Ended::TimedOut),
        Just(Ended::Cancelled),
        Just(Ended::Crashed),
    ];
    prop_oneof![
        3 => (1i64..400).prop_map(Event::Clock),
        1 => (400i64..100_000).prop_map(Event::Clock),
        1 => (-5_000i64..0).prop_map(Event::Clock),
        6 => (0u32..4).prop_map(Event::Look),
        3 => (0usize..3, ended).prop_map(|(n, ended)| Event::End(n, ended)),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let missed = prop_oneof![
        Just(Missed::Latest),
        Just(Missed::Skip),
        (0u32..5).prop_map(Missed::All)
    ];
    let overlap = prop_oneof![
        Just(Overlap::Skip),
        Just(Overlap::QueueOne),
        (0u32..4).prop_map(Overlap::Queue),
        Just(Overlap::CancelPrevious),
        Just(Overlap::Allow),
    ];
    let delivery = prop_oneof![Just(Delivery::AtLeastOnce), Just(Delivery::AtMostOnce)];
    let jitter = proptest::option::of((0u64..300).prop_map(Span::seconds));
    let rest = (0u64..100_000, 1u32..4, any::<bool>(), jitter);
    (missed, overlap, delivery, rest).prop_map(|(missed, overlap, delivery, rest)| {
        let (window, attempts, past_next_fire, jitter) = rest;
        let retry = Retry {
            attempts,
            past_next_fire,
            ..Retry::default()
        };
        Policy {
            missed,
            catch_up_window: Span::seconds(window),
            overlap,
            delivery,
            retry,
            jitter,
            pool: "default".parse::<Name>().unwrap(),
            expect: None,
        }
    })
}

fn expr() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("{ every = \"61s\" }"),
        Just("*/7 * * * *"),
        Just("0 */3 * * *"),
        Just("{ minute = 49 }"),
        Just("{ at = \"2026-03-02T01:00:00Z\" }"),
    ]
}

fn happens(world: &mut World, now: &mut Instant, event: Event) {
    match event {
        Event::Clock(seconds) => *now += chrono::TimeDelta::seconds(seconds),
        Event::End(n, ended) => {
            if let Some(fire) = world.running().get(n).copied() {
                world.end(fire, ended, *now);
            }
        }
        Event::Look(slots) => look(world, slots, *now),
    }
}

/// Looks until nothing more is due, and checks each answer.
fn look(world: &mut World, mut slots: u32, now: Instant) {
    loop {
        let (due, running) = (world.progress.next_due, world.running().len());
        let decision = world.tick(slots, now);
        if let (Some(before), Some(after)) = (due, decision.next_due) {
            assert!(after >= before, "next_due went back");
        }
        let started = (decision.start.len() + decision.resume.len()) as u32;
        assert!(started <= slots, "more runs than slots");
        let one_by_one = world.task.spec.policy.overlap != Overlap::Allow;
        assert!(!one_by_one || started == 0 || (running, started) == (0, 1));
        slots -= started;
        if decision.wake_at != Some(now) {
            break;
        }
    }
    let Decision {
        next_due, wake_at, ..
    } = world.tick(slots, now);
    let again = world
        .scheduler
        .due(&world.task, &world.progress, slots, now);
    let quiet = Decision {
        next_due,
        wake_at,
        ..Decision::default()
    };
    assert_eq!(again, quiet, "the same question had two answers");
}

/// The obvious account: every due time before `next_due` stands in one row or one
/// open run, and none from it on does.
fn account(world: &World) {
    let mut places = BTreeMap::<Instant, usize>::new();
    for (fire, rows) in &world.rows {
        *places.entry(*fire).or_default() += rows.len();
        let reasoned = |outcome| {
            matches!(
                outcome,
                Outcome::Skipped | Outcome::Coalesced | Outcome::Lost
            )
        };
        let bare = rows.iter().any(|(o, why)| reasoned(*o) && why.is_empty());
        assert!(!bare, "a row without its reason");
    }
    for run in &world.progress.open {
        assert!(!matches!(run.state, RunState::Settled { .. }));
        *places.entry(run.fire_at).or_default() += 1;
    }
    let created = world.task.created_at;
    let compiled = Compiled::parse(&world.task.spec.schedule).unwrap();
    let until = world.progress.next_due.unwrap_or(Instant::MAX_UTC);
    let due: BTreeMap<_, _> = compiled
        .fires(created, created)
        .take_while(|fire| *fire < until)
        .map(|fire| (fire, 1))
        .collect();
    assert_eq!(places, due);
    let next = compiled.fires(created, created).find(|fire| *fire >= until);
    assert_eq!(world.progress.next_due, next);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rule_1_every_due_time_ends_in_exactly_one_place(
        expr in expr(),
        policy in policy(),
        events in proptest::collection::vec(event(), 1..60),
    ) {
        let mut world = World::new(expr, policy);
        let mut now = world.task.created_at;
        for event in events {
            happens(&mut world, &mut now, event);
        }
        account(&world);
    }
}
