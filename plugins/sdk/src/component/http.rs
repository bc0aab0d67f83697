//! Many HTTP exchanges at the same time: one loop waits for whichever is ready,
//! or for the nearest deadline.

use std::time::Duration;

use wasip2::clocks::monotonic_clock;
use wasip2::io::poll::{Pollable, poll};

use super::exchange::Exchange;
use crate::http::{Request, Response};
use crate::{Error, Result};

enum Slot {
    Going(Exchange, u64),
    Done(Result<Response>),
}

/// The answers, in the order of the requests.
pub fn fetch(requests: &[Request]) -> Vec<Result<Response>> {
    let mut slots: Vec<Slot> = requests.iter().map(start).collect();
    while wait(&slots) {
        for (slot, request) in slots.iter_mut().zip(requests) {
            step(slot, request);
        }
    }
    slots
        .into_iter()
        .zip(requests)
        .map(|(slot, request)| match slot {
            Slot::Done(answer) => answer,
            Slot::Going(..) => Err(late(request)),
        })
        .collect()
}

fn start(request: &Request) -> Slot {
    let now = monotonic_clock::now();
    let deadline = now.saturating_add(nanoseconds(request.timeout));
    match Exchange::start(request, now) {
        Ok(exchange) => Slot::Going(exchange, deadline),
        Err(error) => Slot::Done(Err(error)),
    }
}

/// Waits for progress or the nearest deadline; false where nothing is going on.
fn wait(slots: &[Slot]) -> bool {
    let going = slots.iter().filter_map(|slot| match slot {
        Slot::Going(exchange, deadline) => Some((exchange.ready(), *deadline)),
        Slot::Done(_) => None,
    });
    let (mut pollables, deadlines): (Vec<Pollable>, Vec<u64>) = going.unzip();
    let Some(nearest) = deadlines.into_iter().min() else {
        return false;
    };
    pollables.push(monotonic_clock::subscribe_instant(nearest));
    poll(&pollables.iter().collect::<Vec<_>>());
    true
}

/// Takes what is there, without waiting; ends what is late.
fn step(slot: &mut Slot, request: &Request) {
    let Slot::Going(exchange, deadline) = slot else {
        return;
    };
    let answer = match exchange.step(request) {
        Some(answer) => answer,
        None if monotonic_clock::now() >= *deadline => Err(late(request)),
        None => return,
    };
    *slot = Slot::Done(answer);
}

fn late(request: &Request) -> Error {
    Error::TimedOut(format!(
        "`{} {}` was not answered within {:?}",
        request.method, request.url, request.timeout
    ))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
