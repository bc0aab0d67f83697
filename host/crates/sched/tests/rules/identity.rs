//! Rules 2 and 5 as the planner shows them: the next due time hangs on the fire
//! before alone, and new zone data move it.

use mhost_model::plan::{Ended, Planner};
use mhost_model::policy::Policy;

use crate::world::{World, at, task};

#[test]
fn rule_2_the_next_due_time_hangs_on_no_run() {
    for end in ["01:00:01", "01:59", "05:17"] {
        let mut world = World::new("0 * * * *", Policy::default());
        world.tick(1, at("01:00"));
        world.end(at("01:00"), Ended::Succeeded, at(end));
        assert_eq!(world.progress.next_due, Some(at("02:00")), "{end}");
    }
}

#[test]
fn rule_2_intervals_count_from_the_anchor_and_do_not_drift() {
    let mut world = World::new("{ every = \"25m\" }", Policy::default());
    for (now, fire) in [("00:26", "00:25"), ("00:55", "00:50"), ("02:00", "01:40")] {
        assert_eq!(world.tick(9, at(now)).start, [at(fire)]);
        world.end(at(fire), Ended::Succeeded, at(now));
    }
    assert_eq!(world.progress.next_due, Some(at("02:05")));
}

#[test]
fn rule_5_new_zone_data_move_a_due_time_that_has_not_come() {
    let mut world = World::new("0 12 * * *", Policy::default());
    let world_now = at("01:00");
    let moved = |world: &World, now| world.scheduler.realigned(&world.task, &world.progress, now);
    assert_eq!(moved(&world, world_now), None);
    // As an older release of the zones' data had it.
    world.progress.next_due = Some(at("11:00"));
    let noon = Some(at("12:00"));
    assert_eq!(moved(&world, world_now), Some((noon, noon)));
    assert_eq!(moved(&world, at("11:30")), None);
    // The fire that has run is not due again, though the clock was set back.
    world.progress.last_fire = Some(at("12:00"));
    world.progress.next_due = Some(at("03 11:00"));
    let tomorrow = Some(at("03 12:00"));
    assert_eq!(moved(&world, world_now), Some((tomorrow, tomorrow)));
}

#[test]
fn a_stored_schedule_that_is_none_any_more_is_held() {
    let world = World::new("0 12 * * *", Policy::default());
    let mut odd = task("0 12 * * *", Policy::default());
    odd.spec.schedule = mhost_model::schedule::Schedule::Cron {
        cron: "0 12 * * *".into(),
        tz: Some("Gone/Away".into()),
    };
    let decision = world.scheduler.due(&odd, &world.progress, 1, at("13:00"));
    assert_eq!(decision.next_due, Some(at("12:00")));
    assert_eq!((decision.wake_at, decision.start.len()), (None, 0));
    assert_eq!(world.scheduler.arm(&odd, at("13:00")), (None, None));
}
