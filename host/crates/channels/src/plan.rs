//! What is to be delivered now: a pure function of what waits, what was delivered, and the
//! time. Events of one channel go together; a channel that failed rests, and what comes
//! meanwhile waits with the rest; a channel that has said enough this hour waits too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use mhost_model::channel::ChannelDef;
use mhost_model::notify::EventKind;
use mhost_model::{Instant, Name};

/// Something that waits to be delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    pub id: u64,
    pub channel: Name,
    pub kind: EventKind,
    pub created_at: Instant,
    /// Tries so far.
    pub attempts: u32,
    /// After a failure: not before.
    pub retry_at: Option<Instant>,
}

/// Events that are delivered together, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub channel: Name,
    pub ids: Vec<u64>,
}

/// What follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub deliver: Vec<Batch>,
    /// For channels that are gone.
    pub orphans: Vec<u64>,
    /// When to ask again, if nothing else happens.
    pub next: Option<Instant>,
}

/// The most events of one message.
const MOST: usize = 50;
const HOUR: TimeDelta = TimeDelta::hours(1);
/// The wait after the first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// After so long nobody needs it any more.
pub const GIVE_UP: TimeDelta = TimeDelta::days(7);

/// When the next try is due, after the try number `attempts` failed at `now`. `id` spreads
/// the tries of many machines and channels by up to a tenth, always in the same way.
pub fn backoff(attempts: u32, id: u64, asked: Option<Duration>, now: Instant) -> Instant {
    let doubled = FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    let wait = doubled.min(LONGEST);
    let spread = wait / 1000 * u32::try_from(id.wrapping_mul(7919) % 100).unwrap_or(0);
    let wait = (wait + spread).max(asked.unwrap_or_default());
    let wait = TimeDelta::from_std(wait).unwrap_or(HOUR);
    now.checked_add_signed(wait).unwrap_or(now)
}

/// `delivered` holds when each channel was used within the last hour. With `flush`, groups
/// are not waited for: the process is about to end.
pub fn plan(
    pending: &[Pending],
    delivered: &BTreeMap<Name, Vec<Instant>>,
    channels: &BTreeMap<Name, ChannelDef>,
    now: Instant,
    flush: bool,
) -> Plan {
    let mut plan = Plan::default();
    let names: BTreeSet<&Name> = pending.iter().map(|one| &one.channel).collect();
    for name in names {
        let waiting: Vec<&Pending> = pending.iter().filter(|one| one.channel == *name).collect();
        let Some(channel) = channels.get(name) else {
            plan.orphans.extend(waiting.iter().map(|one| one.id));
            continue;
        };
        let used = delivered.get(name).map_or(&[][..], Vec::as_slice);
        let queue = Queue {
            channel,
            waiting,
            used,
            now,
        };
        match queue.wait(flush) {
            Some(at) if at > now => plan.next = Some(plan.next.map_or(at, |next| next.min(at))),
            _ => plan.deliver.extend(queue.batches(name)),
        }
    }
    plan
}

/// What waits for one channel.
struct Queue<'a> {
    channel: &'a ChannelDef,
    waiting: Vec<&'a Pending>,
    used: &'a [Instant],
    now: Instant,
}

impl Queue<'_> {
    /// Until when it must wait; none if it need not.
    fn wait(&self, flush: bool) -> Option<Instant> {
        let rest = self.waiting.iter().filter_map(|one| one.retry_at).max();
        if rest.is_some_and(|rest| rest > self.now) {
            return rest;
        }
        if self.channel.is_dead_man() {
            return None;
        }
        let quota = self.quota();
        let grouped = || {
            // A message is not news that others could join.
            let news = |one: &&&Pending| one.attempts == 0 && one.kind != EventKind::Message;
            let alone = self.waiting.iter().all(|one| news(&one));
            let oldest = self
                .waiting
                .iter()
                .filter(news)
                .map(|one| one.created_at)
                .min();
            oldest
                .filter(|_| alone)
                .and_then(|at| at.checked_add_signed(self.channel.group.delta()))
        };
        let group = if flush { None } else { grouped() };
        quota.into_iter().chain(group).max()
    }

    /// When the hour has room again; none if it has.
    fn quota(&self) -> Option<Instant> {
        let mut hour: Vec<Instant> = self
            .used
            .iter()
            .copied()
            .filter(|at| *at > self.now - HOUR)
            .collect();
        hour.sort();
        let rate = usize::try_from(self.channel.rate)
            .unwrap_or(usize::MAX)
            .max(1);
        let over = hour.len().checked_sub(rate)?;
        hour.get(over).map(|at| *at + HOUR)
    }

    /// Messages and signs of life go one by one, everything else together. One batch at a
    /// time where the rate counts: the next one is planned when this one is through.
    fn batches(&self, name: &Name) -> Vec<Batch> {
        let batch = |ids: Vec<u64>| Batch {
            channel: name.clone(),
            ids,
        };
        if self.channel.is_dead_man() {
            return self.waiting.iter().map(|one| batch(vec![one.id])).collect();
        }
        let news: Vec<u64> = self
            .waiting
            .iter()
            .filter(|one| one.kind != EventKind::Message)
            .map(|one| one.id)
            .take(MOST)
            .collect();
        let first = self
            .waiting
            .first()
            .filter(|one| one.kind == EventKind::Message);
        match first {
            Some(message) => vec![batch(vec![message.id])],
            None => vec![batch(news)],
        }
    }
}

#[cfg(test)]
mod tests {
    use mhost_model::Span;
    use mhost_model::channel::{Syslog, Transport};
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn channels(group: u64, rate: u32) -> BTreeMap<Name, ChannelDef> {
        let log = ChannelDef {
            transport: Transport::Syslog(Syslog {
                socket: "/s".into(),
                facility: mhost_model::channel::Facility::User,
            }),
            group: Span::seconds(group),
            rate,
        };
        let dead = ChannelDef::read(serde_json::json!({"kind": "dead-man", "url": "http://x"}));
        [(name("log"), log), (name("dead"), dead.unwrap())].into()
    }

    fn news(id: u64, created: i64) -> Pending {
        Pending {
            id,
            channel: name("log"),
            kind: EventKind::Failed,
            created_at: at(created),
            attempts: 0,
            retry_at: None,
        }
    }

    fn planned(
        pending: &[Pending],
        now: i64,
        rate: u32,
        used: &[i64],
    ) -> (Vec<Vec<u64>>, Option<i64>) {
        let used = [(name("log"), used.iter().map(|s| at(*s)).collect())].into();
        let plan = plan(pending, &used, &channels(10, rate), at(now), false);
        let ids = plan.deliver.into_iter().map(|batch| batch.ids).collect();
        let next = plan.next.map(|next| (next - at(0)).num_seconds());
        (ids, next)
    }

    #[test]
    fn what_comes_together_is_told_together() {
        let two = [news(1, 0), news(2, 4)];
        assert_eq!(planned(&two, 5, 60, &[]), (vec![], Some(10)));
        assert_eq!(planned(&two, 10, 60, &[]), (vec![vec![1, 2]], None));
        let flushed = plan(&two, &BTreeMap::new(), &channels(10, 60), at(5), true);
        assert_eq!(
            flushed.deliver[0].ids,
            [1, 2],
            "a process that ends waits for no group"
        );
    }

    #[test]
    fn a_channel_that_failed_rests_with_all_that_waits() {
        let mut first = news(1, 0);
        (first.attempts, first.retry_at) = (1, Some(at(60)));
        let both = [first, news(2, 30)];
        assert_eq!(planned(&both, 45, 60, &[]), (vec![], Some(60)));
        assert_eq!(planned(&both, 60, 60, &[]), (vec![vec![1, 2]], None));
    }

    #[test]
    fn there_is_an_end_to_messages_an_hour() {
        let one = [news(1, 0)];
        assert_eq!(planned(&one, 100, 2, &[10, 20]), (vec![], Some(3610)));
        assert_eq!(planned(&one, 3610, 2, &[10, 20]), (vec![vec![1]], None));
        assert_eq!(planned(&one, 100, 3, &[10, 20]), (vec![vec![1]], None));
    }

    #[test]
    fn messages_and_signs_of_life_go_one_by_one() {
        let mut message = news(1, 0);
        message.kind = EventKind::Message;
        assert_eq!(
            planned(&[message.clone(), news(2, 0)], 0, 60, &[]),
            (vec![vec![1]], None)
        );
        let mut signs = [news(1, 0), news(2, 0)];
        signs
            .iter_mut()
            .for_each(|sign| sign.channel = name("dead"));
        assert_eq!(planned(&signs, 0, 1, &[]), (vec![vec![1], vec![2]], None));
    }

    #[test]
    fn what_is_for_nobody_is_found() {
        let mut lost = news(1, 0);
        lost.channel = name("gone");
        let plan = plan(&[lost], &BTreeMap::new(), &channels(0, 1), at(0), false);
        assert_eq!((plan.orphans, plan.deliver), (vec![1], vec![]));
    }

    #[test]
    fn the_wait_doubles_up_to_an_hour() {
        let wait = |attempts| (backoff(attempts, 0, None, at(0)) - at(0)).num_seconds();
        assert_eq!([1, 2, 3, 4].map(wait), [30, 60, 120, 240]);
        assert_eq!((wait(8), wait(99)), (3600, 3600));
        let asked = backoff(1, 0, Some(Duration::from_secs(500)), at(0));
        assert_eq!(asked, at(500));
    }

    proptest! {
        /// Nothing waits for ever, and nothing is delivered twice in one plan.
        #[test]
        fn everything_is_delivered_or_asked_for_again(
            waiting in prop::collection::vec((0i64..100, 0u32..3, prop::option::of(0i64..500)), 1..20),
            used in prop::collection::vec(-4000i64..100, 0..9),
            rate in 1u32..5,
            now in 100i64..200,
        ) {
            let pending: Vec<Pending> = waiting.iter().zip(1..).map(|((created, attempts, retry), id)| Pending {
                attempts: *attempts,
                retry_at: retry.filter(|_| *attempts > 0).map(at),
                ..news(id, *created)
            }).collect();
            let (batches, next) = planned(&pending, now, rate, &used);
            prop_assert!(batches.is_empty() != next.is_none(), "{batches:?} {next:?}");
            prop_assert!(next.is_none_or(|next| next > now));
            let mut ids: Vec<u64> = batches.concat();
            let all = ids.len();
            ids.dedup();
            prop_assert_eq!(ids.len(), all);
        }
    }
}
