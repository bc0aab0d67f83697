//! What people are told: an alert for each target that is down, flaps, or is not as it
//! should be for long enough. What stands is kept in the task's state, so that it is taken
//! back also where its target is none any more.

use std::collections::BTreeSet;

use mhost_sdk::alerts::Severity;
use mhost_sdk::{Context, Result};
use serde_json::json;

use crate::finding::{Finding, State};
use crate::standing::{Memory, Policy};

/// Where the names of the alerts that were raised are kept: a list in each of some places, as a
/// value has at most 1 MiB.
const KEPT: &str = "alerts/";
/// So many names are kept in one place.
const PORTION: usize = 4000;
/// A sentence is cut after so many characters.
const LONGEST: usize = 300;

/// What is to become of a target's alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum News {
    /// What stands goes on.
    #[default]
    None,
    /// What stands goes on, and is not told again meanwhile.
    Silence,
    Raise(Severity, String),
    Over,
}

impl News {
    /// What a state means to people. A target that is in nobody's hands counts alone, so
    /// this is not asked for those that are held, or in a window of maintenance.
    pub fn of(state: State, memory: &Memory, policy: &Policy, why: Option<&str>) -> Self {
        let said = |word: &str| match why {
            Some(why) => format!("{word}: {}", cut(why)),
            None => word.to_owned(),
        };
        match state {
            State::Up => Self::Over,
            State::Unreachable => Self::Silence,
            State::Down => Self::Raise(Severity::Critical, said("down")),
            State::Flapping => Self::Raise(Severity::Degraded, said("flapping")),
            State::Degraded if memory.ill >= policy.failures_to_down => {
                Self::Raise(Severity::Degraded, said("degraded"))
            }
            _ => Self::None,
        }
    }
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Raises and resolves. A check is worth its answers even where this fails.
pub fn tell(context: &Context, findings: &[Finding]) {
    if context.dry_run() {
        return;
    }
    if let Err(error) = change(context, findings) {
        context.warn(format!("people are not told of all targets: {error}"));
    }
}

fn change(context: &Context, findings: &[Finding]) -> Result<()> {
    let before = standing(context)?;
    let mut now = before.clone();
    let said = say(context, findings, &mut now);
    // What was said before an error stands, and is to be taken back one day.
    if now != before {
        keep(context, &now)?;
    }
    said
}

/// Says what changed; `now` is what stands by then. What is over comes first: the host
/// takes only so many alerts of a run.
fn say(context: &Context, findings: &[Finding], now: &mut BTreeSet<String>) -> Result<()> {
    // Most checks have nothing to take back, and many targets to look through.
    let targets: BTreeSet<&str> = match now.is_empty() {
        true => BTreeSet::new(),
        false => findings.iter().map(|one| one.name.as_str()).collect(),
    };
    let gone = now.iter().filter(|name| !targets.contains(name.as_str()));
    let gone: Vec<String> = gone.cloned().collect();
    for name in gone {
        context
            .alerts()
            .resolve(&name, "it is no target any more")?;
        now.remove(&name);
    }
    for finding in findings.iter().filter(|one| one.news == News::Over) {
        if now.contains(&finding.name) {
            context.alerts().resolve(&finding.name, "up again")?;
            now.remove(&finding.name);
        }
    }
    for finding in findings.iter().filter(|one| one.news == News::Silence) {
        if now.contains(&finding.name) {
            context.alerts().silence(&finding.name)?;
        }
    }
    for finding in findings {
        if let News::Raise(severity, message) = &finding.news {
            let details = json!({
                "target": finding.name,
                "state": finding.state,
                "since": finding.since,
            });
            let alerts = context.alerts();
            alerts.raise_json(&finding.name, *severity, message, &details)?;
            now.insert(finding.name.clone());
        }
    }
    Ok(())
}

/// The names of the alerts that were raised and not taken back.
fn standing(context: &Context) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for key in places(context)? {
        // What cannot be read would only leave alerts standing.
        let part = context.state().get_json::<Vec<String>>(&key);
        names.extend(part.ok().flatten().unwrap_or_default());
    }
    Ok(names)
}

fn places(context: &Context) -> Result<Vec<String>> {
    let mut keys = context.state().keys()?;
    keys.retain(|key| key.starts_with(KEPT));
    Ok(keys)
}

/// Also of a run that fails, as those are which raise alerts.
fn keep(context: &Context, names: &BTreeSet<String>) -> Result<()> {
    for key in places(context)? {
        context.state().delete(&key)?;
    }
    let names: Vec<&String> = names.iter().collect();
    for (number, part) in names.chunks(PORTION).enumerate() {
        context
            .state()
            .set_json(&format!("{KEPT}{number}"), &part)?;
    }
    context.keep_state()
}
