//! Rule 10: what is worth an alert.

use mhost_model::plan::Progress;
use mhost_model::policy::{Expect, Policy, Retry};
use mhost_model::{Instant, RunId, Span};
use mhost_sched::Compiled;
use mhost_sched::watch::{Alert, ended, standing};

use crate::world::{at, task};

fn expect(start: Option<u64>, finish: Option<u64>, least: Option<u64>) -> Policy {
    Policy {
        expect: Some(Expect {
            start_within: start.map(Span::seconds),
            finish_within: finish.map(Span::seconds),
            at_least: least.map(Span::seconds),
        }),
        ..Policy::default()
    }
}

/// A daily task, due at 01:00, that last succeeded the day before it was made.
fn look(policy: Policy, running: &[(RunId, Instant)], now: &str) -> (Vec<Alert>, Option<Instant>) {
    let task = task("0 1 * * *", policy);
    let schedule = Compiled::parse(&task.spec.schedule).unwrap();
    let progress = Progress {
        next_due: Some(at("01:00")),
        last_success: Some(at("01 01:00")),
        ..Progress::default()
    };
    standing(&task, &schedule, &progress, running, at(now))
}

#[test]
fn rule_10_not_started_in_time() {
    let policy = expect(Some(60), None, None);
    assert_eq!(
        look(policy.clone(), &[], "01:01"),
        (vec![], Some(at("01:01")))
    );
    let late = Alert::NotStarted {
        fire_at: at("01:00"),
        late_by: Span::seconds(61),
    };
    assert_eq!(look(policy, &[], "01:01:01").0, [late]);
}

#[test]
fn rule_10_running_too_long() {
    let policy = expect(None, Some(60), None);
    let runs = [(RunId(1), at("00:10")), (RunId(2), at("00:11"))];
    let (alerts, next) = look(policy, &runs, "00:11:30");
    let long = Alert::RunsTooLong {
        run: RunId(1),
        started_at: at("00:10"),
    };
    assert_eq!(alerts, [long]);
    assert_eq!(next, Some(at("00:12")));
}

#[test]
fn rule_10_finished_too_fast() {
    let task = task("0 1 * * *", expect(None, None, Some(60)));
    let end = |now| ended(&task, RunId(1), at("01:00"), at(now));
    assert_eq!(end("01:01"), None);
    let fast = Alert::FinishedTooFast {
        run: RunId(1),
        took: Span::seconds(59),
    };
    assert_eq!(end("01:00:59"), Some(fast));
}

#[test]
fn rule_10_no_success_for_longer_than_the_schedule_explains() {
    let none = |policy: Policy, now| look(policy, &[], now).0;
    // An attempt has an hour, the limit of a task that names none.
    assert_eq!(none(Policy::default(), "02:00"), []);
    let late = |by| Alert::NoSuccess {
        since: at("01 01:00"),
        expected_by: at(by),
    };
    assert_eq!(none(Policy::default(), "02:00:01"), [late("02:00")]);
    let retries = Policy {
        retry: Retry {
            attempts: 3,
            ..Retry::default()
        },
        ..Policy::default()
    };
    assert_eq!(none(retries.clone(), "03 01:00"), []);
    assert_eq!(none(retries, "03 01:00:01"), [late("03 01:00")]);
}

#[test]
fn rule_10_a_paused_task_is_not_expected_to_do_anything() {
    let mut task = task("0 1 * * *", expect(Some(60), None, None));
    task.enabled = false;
    let schedule = Compiled::parse(&task.spec.schedule).unwrap();
    let (alerts, next) = standing(&task, &schedule, &Progress::default(), &[], at("20 00:00"));
    assert_eq!((alerts, next), (vec![], None));
}
