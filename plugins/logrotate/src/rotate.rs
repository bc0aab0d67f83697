//! The action: reads the configuration, takes section after section through its rotation,
//! remembers, keeps within the budget, and reports.

use chrono::{NaiveDateTime, Timelike as _};
use mhost_sdk::progress::Unit;
use mhost_sdk::{Context, Failure, Report};

use crate::budget;
use crate::config::Config;
use crate::ground::Ground;
use crate::hooks::Scripts;
use crate::mark::Marks;
use crate::memory::Memory;
use crate::read::{Read, read};
use crate::report::{self, Done};
use crate::section::{self, Item, Work};
use crate::zone::Zone;

/// The moment of the run.
pub struct Clock<'c> {
    pub zone: Zone<'c>,
    /// In the zone, to the second.
    pub now: NaiveDateTime,
    pub millis: u64,
}

impl<'c> Clock<'c> {
    fn new(zone: Zone<'c>, millis: u64) -> Self {
        let now = zone.local(millis);
        Self {
            zone,
            now: now.with_nanosecond(0).unwrap_or(now),
            millis,
        }
    }

    /// The hour that has begun.
    pub fn hour(&self) -> NaiveDateTime {
        let hour = self.now.with_minute(0).and_then(|at| at.with_second(0));
        hour.unwrap_or(self.now)
    }

    /// Seconds since 1970.
    pub fn epoch(&self) -> i64 {
        i64::try_from(self.millis / 1000).unwrap_or(i64::MAX)
    }
}

/// Rotates.
pub fn rotate(context: &Context, config: Config) -> Result<Report, Failure> {
    config.check()?;
    let clock = Clock::new(Zone::named(context, config.tz.as_deref())?, context.now());
    let ground = Ground::new(context, &config);
    let mut memory = Memory::load(&ground, config.state.as_deref(), config.state_lock)?;
    memory.seed(&config.seed);
    let read = read(&ground, &config, &clock);
    for problem in &read.problems {
        context.warn(problem.to_string());
    }
    let before = budget::inventory(&ground, &read.sections, &clock);
    let marks = Marks::new(&ground, clock.now);
    let scripts = Scripts::new(&config);
    let work = Work {
        ground: &ground,
        clock: &clock,
        scripts: &scripts,
        marks: &marks,
        force: config.force,
        links: config.links,
        parents: config.parents,
        typed: read.typed,
    };
    let items = sections(&work, &read, &mut memory);
    let touched = |item: &&Item| item.turn.as_ref().is_some_and(|turn| turn.touched);
    let turns = items.iter().filter(touched).map(|item| item.log.as_str());
    let saved = memory
        .leave_turns(turns)
        .and_then(|()| memory.save(clock.now, |log| items.iter().any(|item| item.log == log)));
    let evicted = budget::keep(&work, &config, &read.sections);
    // What was done must be remembered before it is said to be over.
    let left = saved.and_then(|()| marks.leave().map_err(Failure::from));
    ground.forget();
    let after = budget::inventory(&ground, &read.sections, &clock);
    let done = Done {
        items,
        read,
        before: before.bytes(),
        after: after.bytes(),
        evicted,
        damaged: memory.damaged().to_vec(),
        unsaved: left.as_ref().err().map(|failure| failure.message.clone()),
    };
    let report = report::report(&ground, &done);
    if let Err(failure) = left {
        return Err(failure.with_partial(report));
    }
    report::judge(&config, &done, report)
}

fn sections(work: &Work<'_, '_>, read: &Read, memory: &mut Memory<'_>) -> Vec<Item> {
    let ground = work.ground;
    let mut items = Vec::new();
    let total = Some(read.sections.len() as u64);
    for (at, section) in read.sections.iter().enumerate() {
        if ground.context.cancelled() {
            break;
        }
        ground
            .context
            .report_progress("rotating", at as u64, total, Unit::Items);
        ground.say(&format!(
            "rotate {} ({} logs)",
            section.text.trim(),
            section.logs.len()
        ));
        items.extend(section::run(work, section, memory));
    }
    items
}
