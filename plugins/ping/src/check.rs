//! The action: asks every target, and judges all together with what was known before.

use std::collections::{BTreeMap, HashMap};

use mhost_sdk::watch::{Condition, Observation};
use mhost_sdk::{Context, Doing, Error, Failure, Report, Result};

use crate::alerts::{self, News};
use crate::config::{Config, Target, Window};
use crate::finding::{Finding, State, Verdict};
use crate::holds::Holders;
use crate::standing::{Check, Memory, Policy};
use crate::{report, round};

/// Checks.
pub fn check(context: &Context, config: Config) -> std::result::Result<Report, Failure> {
    let labels = config.labels();
    if let Some(why) = config.mistake(&labels) {
        return Err(Failure {
            cause: Some(Box::new(Error::Invalid(why.clone()))),
            ..Failure::permanent(why)
        });
    }
    context.check_cancelled()?;
    let mut memories = recall(context, &labels);
    let now = context.now();
    let silent = windows(context, &config, now)?;
    let held = holders(context, &config, &labels);
    let mut findings =
        round::ask_all(context, &config, &labels).doing(|| "ask the targets".to_owned())?;
    let held = match findings
        .iter()
        .any(|finding| finding.verdict != Verdict::Good)
    {
        true => held.or(holders(context, &config, &labels)),
        false => held,
    };
    let unreachable = unreachable(&config, &labels, &findings);
    for (at, finding) in findings.iter_mut().enumerate() {
        let stand = Stand {
            config: &config,
            target: &config.targets[at],
            silent: silent.get(&at).copied(),
            held: held.of(at),
            unreachable: unreachable[at],
            now,
        };
        stand.settle(&mut memories[at], finding);
    }
    warn_of_slow(context, &findings);
    alerts::tell(context, &findings);
    observe(context, &findings, &memories);
    report::judge(&findings, report::report(context, &findings))
}

/// What is known of the targets. Without it the check is one like the first.
fn recall(context: &Context, labels: &[String]) -> Vec<Memory> {
    let recalled = context.watch().recall(labels).unwrap_or_else(|error| {
        context.warn(format!(
            "what was known of the targets cannot be read: {error}"
        ));
        Vec::new()
    });
    let mut memories: Vec<Memory> = recalled
        .into_iter()
        .map(|bytes| {
            let read = bytes.map(|bytes| serde_json::from_slice(&bytes));
            read.and_then(std::result::Result::ok).unwrap_or_default()
        })
        .collect();
    memories.resize(labels.len(), Memory::default());
    memories
}

/// Who is at work on what. Where nobody can say, nobody is.
fn holders(context: &Context, config: &Config, labels: &[String]) -> Holders {
    Holders::ask(context, config, labels).unwrap_or_else(|error| {
        context.warn(format!("who holds the targets cannot be told: {error}"));
        Holders::default()
    })
}

/// Which targets are in a maintenance window, and until when.
fn windows(
    context: &Context,
    config: &Config,
    now: u64,
) -> std::result::Result<HashMap<usize, u64>, Failure> {
    let mut known: BTreeMap<String, Option<u64>> = BTreeMap::new();
    let mut end = |window: &Window| -> Result<Option<u64>> {
        let schedule = window.schedule.to_string();
        let key = format!("{schedule} {}", window.length);
        if let Some(end) = known.get(&key) {
            return Ok(*end);
        }
        let length = window.length.duration();
        let end = context.watch().in_window(&schedule, length, now)?;
        known.insert(key, end);
        Ok(end)
    };
    let doing = || "tell the maintenance windows".to_owned();
    let mut all = None;
    for window in &config.maintenance {
        all = all.max(end(window).doing(doing)?);
    }
    let mut silent = HashMap::new();
    for (at, target) in config.targets.iter().enumerate() {
        let mut until = all;
        for window in &target.maintenance {
            until = until.max(end(window).doing(doing)?);
        }
        if let Some(until) = until {
            silent.insert(at, until);
        }
    }
    Ok(silent)
}

/// Which targets failed together with all that they hang on.
fn unreachable(config: &Config, labels: &[String], findings: &[Finding]) -> Vec<bool> {
    if config
        .targets
        .iter()
        .all(|target| target.parents.is_empty())
    {
        return vec![false; findings.len()];
    }
    let places: HashMap<&str, usize> = labels
        .iter()
        .enumerate()
        .map(|(at, label)| (label.as_str(), at))
        .collect();
    let cut_off = |(target, finding): (&Target, &Finding)| {
        let parents = target.parents.iter();
        let mut failed = parents.map(|name| {
            let place = places.get(name.as_str());
            place.is_some_and(|at| findings[*at].bad())
        });
        finding.bad() && !target.parents.is_empty() && failed.all(|failed| failed)
    };
    config.targets.iter().zip(findings).map(cut_off).collect()
}

/// What decides about one target beside its check.
struct Stand<'c> {
    config: &'c Config,
    target: &'c Target,
    /// The end of its maintenance.
    silent: Option<u64>,
    /// The task that is at work on it.
    held: Option<&'c str>,
    unreachable: bool,
    now: u64,
}

impl Stand<'_> {
    fn policy(&self) -> Policy {
        let (config, target) = (self.config, self.target);
        Policy {
            failures_to_down: target
                .failures_to_down
                .unwrap_or(config.failures_to_down)
                .max(1),
            successes_to_up: target
                .successes_to_up
                .unwrap_or(config.successes_to_up)
                .max(1),
            flapping: config.flapping,
        }
    }

    /// Gives the finding its state, and the memory what is to be known next time.
    fn settle(&self, memory: &mut Memory, finding: &mut Finding) {
        self.keep_certificate(memory, finding);
        let verdict = std::mem::take(&mut finding.verdict);
        let (check, why) = match &verdict {
            Verdict::None => {
                finding.state = State::Skipped;
                return;
            }
            Verdict::Good => (Check::Good, None),
            Verdict::Warned(why) => (Check::Warned, Some(why)),
            Verdict::Bad(why) => (Check::Bad, Some(why)),
        };
        finding.error = why.cloned();
        finding.state = match self.excused(check) {
            Some((state, why)) => {
                finding.note = Some(why);
                memory.enter(state, self.now);
                state
            }
            None => memory.take(check, &self.policy(), self.now),
        };
        finding.up = match finding.state {
            State::Up | State::Degraded => true,
            State::Flapping => check != Check::Bad,
            _ => false,
        };
        finding.since = Some(memory.since);
        self.say_how_far(memory, check, finding);
        let why = finding.error.as_deref();
        let why = why
            .filter(|_| finding.state != State::Flapping)
            .or(finding.note.as_deref());
        finding.news = match self.silent.is_none() && self.held.is_none() {
            // What stands says why it went down, and not that it answers for now.
            true if finding.state == State::Down && check != Check::Bad => News::None,
            true => News::of(finding.state, memory, &self.policy(), why),
            false => News::Silence,
        };
        finding.verdict = verdict;
    }

    /// Why a bad check does not count, and how the target stands then.
    fn excused(&self, check: Check) -> Option<(State, String)> {
        if check != Check::Bad {
            return None;
        }
        if let Some(until) = self.silent {
            let note = format!("in maintenance until {}", report::time(until));
            return Some((State::Maintenance, note));
        }
        if let Some(task) = self.held {
            return Some((State::Held, format!("`{task}` is at work on it")));
        }
        self.unreachable.then(|| {
            let parents = self.target.parents.join("`, `");
            (State::Unreachable, format!("`{parents}` failed too"))
        })
    }

    /// Says what is missing to the next state.
    fn say_how_far(&self, memory: &Memory, check: Check, finding: &mut Finding) {
        let policy = self.policy();
        if finding.state == State::Degraded && check == Check::Bad {
            let (bad, needed) = (memory.bad, policy.failures_to_down);
            finding.note = Some(format!("failed {bad} of {needed} times until it is down"));
        } else if finding.state == State::Down && check != Check::Bad {
            let (good, needed) = (memory.good, policy.successes_to_up);
            finding.note = Some(format!("answered {good} of {needed} times until it is up"));
            finding.error = Some("it answers again, but not for long enough".to_owned());
        } else if finding.state == State::Flapping {
            finding.note = Some("it turned from good to bad and back too often".to_owned());
        }
    }

    /// A certificate is known, and its end told, also while its server cannot be asked.
    fn keep_certificate(&self, memory: &mut Memory, finding: &mut Finding) {
        match &finding.certificate {
            Some(seen) => {
                // Days are counted anew each time, and seconds need no writing.
                let mut kept = seen.clone();
                kept.days_left = 0;
                kept.last_seen = Some(self.now - self.now % DAY);
                memory.certificate = Some(kept);
            }
            None => {
                if let Some(mut kept) = memory.certificate.clone() {
                    kept.count(self.now);
                    finding.certificate = Some(kept);
                }
            }
        }
    }
}

const DAY: u64 = 86_400_000;

fn warn_of_slow(context: &Context, findings: &[Finding]) {
    for finding in findings.iter().filter(|finding| finding.slow) {
        let why = finding.error.as_deref().unwrap_or_default();
        context.warn(format!(
            "`{}` is slow: {}",
            finding.name,
            why.trim_start_matches("it is slow: ")
        ));
    }
}

/// Hands over what is to be kept. A check is worth its answers even where this fails.
fn observe(context: &Context, findings: &[Finding], memories: &[Memory]) {
    let asked = findings.iter().zip(memories);
    let asked = asked.filter(|(finding, _)| finding.state != State::Skipped);
    let observations: Vec<_> = asked
        .map(|(finding, memory)| Observation {
            subject: finding.name.clone(),
            condition: match (finding.state, finding.bad()) {
                _ if finding.unasked => Condition::Unknown,
                (State::Unreachable | State::Maintenance | State::Held | State::Skipped, _) => {
                    Condition::Unknown
                }
                (_, true) => Condition::Down,
                (State::Up, _) => Condition::Up,
                _ => Condition::Degraded,
            },
            latency_us: finding
                .latency_ms
                .filter(|_| !finding.bad())
                .map(|latency| (latency * 1000.0) as u64),
            memory: serde_json::to_vec(memory).unwrap_or_default(),
        })
        .collect();
    for portion in observations.chunks(PORTION) {
        if let Err(error) = context.watch().observe(portion) {
            context.warn(format!("what was found is not kept: {error}"));
            return;
        }
    }
}

/// So many observations are handed over at a time.
const PORTION: usize = 2000;
