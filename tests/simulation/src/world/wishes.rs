//! What an operator may wish for: schedules of every form, policies of every kind.

use mhost_model::policy::{Delivery, Missed, Overlap, Policy, Retry};
use mhost_model::schedule::{AfterOn, Fields, Schedule};
use mhost_model::task::TaskSpec;
use mhost_model::{Instant, Span};

use super::{World, at};

const CRONS: [&str; 26] = [
    "*/5 * * * *",
    "* * * * *",
    "7 * * * *",
    "0,30 */2 * * *",
    "30 2 * * *",
    "15 2 * * *",
    "0 3 * * *",
    "30 1 * * *",
    "0-50/10 1-3 * * *",
    "45 23 * * *",
    "10 0 * * *",
    "*/30 1-3 * * *",
    "0 */6 * * MON-FRI",
    "30 2 * * SUN",
    "5 4 */2 * SAT,SUN",
    "0 12 1,15 * FRI",
    "0 0 L * *",
    "0 9 15W * *",
    "0 8 * * MON#1",
    "0 8 * * 5L",
    "0 0 29 2 *",
    "20 2 * MAR,OCT,NOV *",
    "@hourly",
    "@daily",
    "0 */20 * * * *",
    "30 15 2 * * *",
];
const ZONES: [Option<&str>; 6] = [
    None,
    Some("Europe/Kyiv"),
    Some("America/New_York"),
    Some("Australia/Lord_Howe"),
    Some("Asia/Kolkata"),
    Some("Europe/Kyiv"),
];
/// What a schedule of the clock may be called, and what one that waits for those may.
const TIMED: [&str; 6] = ["n0", "n1", "n2", "n3", "n4", "n5"];
const WAITING: [&str; 3] = ["d0", "d1", "d2"];
const OTHER: [&str; 2] = ["m0", "c0"];

impl World {
    pub fn some_name(&mut self) -> String {
        let names: &[&str] = match self.dice.below(10) {
            0..=6 => &TIMED,
            7..=8 => &WAITING,
            _ => &OTHER,
        };
        (*self.dice.pick(names)).to_owned()
    }

    pub fn some_spec(&mut self, name: &str) -> TaskSpec {
        // The schedule is drawn before the policy.
        let schedule = self.some_schedule(name);
        TaskSpec {
            policy: self.some_policy(),
            ..TaskSpec::new("pack".parse().unwrap(), "pack", schedule)
        }
    }

    fn some_schedule(&mut self, name: &str) -> Schedule {
        match name.as_bytes()[0] {
            b'd' => Schedule::After {
                after: self.dice.pick(&TIMED).parse().unwrap(),
                on: *self
                    .dice
                    .pick(&[AfterOn::Succeeded, AfterOn::Failed, AfterOn::Any]),
            },
            b'm' => Schedule::Manual,
            b'c' => Schedule::OnChange {
                on_change: "content".parse().unwrap(),
                settle: Span::seconds(2),
            },
            _ => self.some_times(),
        }
    }

    fn some_times(&mut self) -> Schedule {
        let tz = self.dice.pick(&ZONES).map(str::to_owned);
        match self.dice.below(10) {
            0..=4 => Schedule::Cron {
                cron: (*self.dice.pick(&CRONS)).to_owned(),
                tz,
            },
            5..=6 => Schedule::Every {
                every: *self
                    .dice
                    .pick(&[61, 300, 1_020, 10_800, 86_400].map(Span::seconds)),
                from: self.some_origin(),
            },
            7..=8 => Schedule::Fields(self.some_fields(tz)),
            _ => Schedule::Once {
                at: at((self.now + self.dice.range(-100_000, 10_000_000)) / 1000 * 1000),
            },
        }
    }

    fn some_origin(&mut self) -> Option<Instant> {
        let ahead = self.dice.range(-10_000, 10_000) * 1000;
        self.dice
            .one_in(3)
            .then(|| at((self.now + ahead) / 1000 * 1000))
    }

    fn some_fields(&mut self, tz: Option<String>) -> Fields {
        let mut some = |one_in, low, high| {
            let value = self.dice.range(low, high) as u32;
            self.dice.one_in(one_in).then_some(value)
        };
        let fields = Fields {
            month: some(8, 1, 13),
            day: some(5, 1, 29),
            hour: some(2, 0, 24),
            minute: some(2, 0, 60),
            tz,
        };
        match (fields.month, fields.day, fields.hour, fields.minute) {
            (None, None, None, None) => Fields {
                hour: Some(2),
                ..fields
            },
            _ => fields,
        }
    }

    fn some_policy(&mut self) -> Policy {
        let dice = &mut self.dice;
        let windows = [0, 600, 7_200, 86_400].map(Span::seconds);
        let missed = [
            Missed::Latest,
            Missed::Skip,
            Missed::All(0),
            Missed::All(2),
            Missed::All(5),
        ];
        let overlap = [
            Overlap::Skip,
            Overlap::Skip,
            Overlap::QueueOne,
            Overlap::Queue(3),
            Overlap::Queue(0),
            Overlap::CancelPrevious,
            Overlap::Allow,
        ];
        let jitter = [None, None, Some(Span::seconds(100)), Some(Span::seconds(4))];
        Policy {
            missed: *dice.pick(&missed),
            catch_up_window: *dice.pick(&windows),
            overlap: *dice.pick(&overlap),
            pool: dice
                .pick(&["default", "default", "p", "q"])
                .parse()
                .unwrap(),
            delivery: *dice.pick(&[Delivery::AtLeastOnce, Delivery::AtMostOnce]),
            retry: Retry {
                attempts: *dice.pick(&[1, 1, 2, 4]),
                backoff: *dice.pick(&[1, 30, 600].map(Span::seconds)),
                max_backoff: *dice.pick(&[40, 3_600].map(Span::seconds)),
                past_next_fire: dice.one_in(3),
            },
            jitter: *dice.pick(&jitter),
            expect: None,
        }
    }
}
