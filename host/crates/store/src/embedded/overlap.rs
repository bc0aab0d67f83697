//! Rule 4 for a run that something other than the clock asked for: whether it starts,
//! waits, or is passed over. The clock's own fires are the planner's.

use mhost_model::RunId;
use mhost_model::policy::Overlap;

use super::record::{OpenRec, OpenState};

/// What becomes of a run that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    Start,
    Queue,
    Skip(String),
    /// All open runs go first; then it starts or queues.
    Replace,
}

/// `open` are the task's runs that are not settled; `slot` says whether its pool
/// takes one more.
pub fn admit(overlap: Overlap, open: &[OpenRec], slot: bool, force: bool) -> Admission {
    let at_once = match slot {
        true => Admission::Start,
        false => Admission::Queue,
    };
    let Some(first) = open.first() else {
        return at_once;
    };
    if force {
        return at_once;
    }
    match overlap {
        Overlap::Allow => at_once,
        Overlap::CancelPrevious => Admission::Replace,
        Overlap::Skip => Admission::Skip(format!("run {} is not over", RunId(first.id))),
        Overlap::QueueOne => behind(open, 1),
        Overlap::Queue(places) => behind(open, places as usize),
    }
}

fn behind(open: &[OpenRec], places: usize) -> Admission {
    let queued = open.iter().filter(|open| open.state == OpenState::Queued);
    match queued.count() {
        queued if queued < places => Admission::Queue,
        _ => Admission::Skip(format!("its queue of {places} is full")),
    }
}

#[cfg(test)]
mod tests {
    use mhost_model::run::Trigger;

    use super::*;

    fn open(states: &[OpenState]) -> Vec<OpenRec> {
        let open = states.iter().zip(1..).map(|(state, id)| OpenRec {
            id,
            fire_at: 0,
            attempt: 1,
            fence: 1,
            trigger: Trigger::Manual,
            state: *state,
        });
        open.collect()
    }

    #[test]
    fn rule_4_for_asked_runs() {
        use OpenState::{Queued, Running, Waiting};
        let skip = |text: &str| Admission::Skip(text.into());
        let retry = Waiting { retry_at: 0 };
        let cases: [(Overlap, &[OpenState], bool, bool, Admission); 13] = [
            (Overlap::Skip, &[], true, false, Admission::Start),
            (Overlap::Skip, &[], false, false, Admission::Queue),
            (
                Overlap::Skip,
                &[Running],
                true,
                false,
                skip("run 1 is not over"),
            ),
            (
                Overlap::Skip,
                &[retry],
                true,
                false,
                skip("run 1 is not over"),
            ),
            (Overlap::Skip, &[Running], true, true, Admission::Start),
            (Overlap::Skip, &[Running], false, true, Admission::Queue),
            (Overlap::QueueOne, &[Running], true, false, Admission::Queue),
            (
                Overlap::QueueOne,
                &[Running, Queued],
                true,
                false,
                skip("its queue of 1 is full"),
            ),
            (
                Overlap::Queue(2),
                &[Running, Queued],
                true,
                false,
                Admission::Queue,
            ),
            (
                Overlap::Queue(0),
                &[Running],
                true,
                false,
                skip("its queue of 0 is full"),
            ),
            (
                Overlap::CancelPrevious,
                &[Running],
                true,
                false,
                Admission::Replace,
            ),
            (Overlap::Allow, &[Running], true, false, Admission::Start),
            (Overlap::Allow, &[Running], false, false, Admission::Queue),
        ];
        for (overlap, states, slot, force, expected) in cases {
            let admitted = admit(overlap, &open(states), slot, force);
            assert_eq!(admitted, expected, "{overlap:?} {states:?} {slot} {force}");
        }
    }
}
