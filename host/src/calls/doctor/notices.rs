//! What people are told: deliveries that fail, and alerts that stand.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use mhost_model::channel::ChannelDef;
use mhost_model::notify::Standing;
use mhost_model::{Instant, Name};
use mhost_store::{Letter, LetterState};

use super::{Finding, Weight};
use crate::app::App;
use crate::exit::Outcomes;

/// So many letters are looked through.
const LIMIT: usize = 1000;
/// So many alerts of a task are named.
const MOST_NAMED: usize = 3;
/// Who waits for so much longer than the channel's group is forgotten, or held back.
const TOO_LONG: TimeDelta = TimeDelta::hours(2);

pub(super) async fn look(app: &App) -> Outcomes<Vec<Finding>> {
    let mut findings = deliveries(app).await?;
    findings.extend(alerts(&app.notices.alerts().await?));
    Ok(findings)
}

/// A line for each task, however many of its alerts stand.
fn alerts(standing: &[Standing]) -> Vec<Finding> {
    let mut by_task: BTreeMap<&Name, Vec<&Standing>> = BTreeMap::new();
    for one in standing.iter().filter(|one| one.acknowledged_at.is_none()) {
        by_task.entry(&one.task).or_default().push(one);
    }
    let finding = |(task, alerts): (&Name, Vec<&Standing>)| {
        let titles: Vec<&str> = alerts
            .iter()
            .take(MOST_NAMED)
            .map(|one| one.title.as_str())
            .collect();
        let mut text = titles.join("; ");
        if alerts.len() > MOST_NAMED {
            let more = alerts.len() - MOST_NAMED;
            text.push_str(&format!("; and {more} more: `mhost notify alerts`"));
        }
        let remedy = format!("mend it, or `mhost notify ack {task}`");
        Finding::wrong(Weight::Warning, format!("alerts of {task}"), text, &remedy)
    };
    by_task.into_iter().map(finding).collect()
}

/// A line for each channel that is defined or that something waits for.
async fn deliveries(app: &App) -> Outcomes<Vec<Finding>> {
    let definitions = app.store.definitions().await?;
    let waiting = app
        .notices
        .waiting_by_channel(LIMIT, BTreeSet::new())
        .await?;
    let long = waiting_long(&waiting, &definitions.channels, app.now());
    let mut failing: BTreeMap<Name, Vec<Letter>> = BTreeMap::new();
    let mut lost: BTreeMap<Name, Vec<Letter>> = BTreeMap::new();
    for letter in waiting.into_iter().filter(|letter| letter.error.is_some()) {
        failing
            .entry(letter.channel.clone())
            .or_default()
            .push(letter);
    }
    for letter in app.notices.letters(LIMIT).await? {
        if matches!(letter.state, LetterState::GivenUp { .. }) {
            lost.entry(letter.channel.clone()).or_default().push(letter);
        }
    }
    let mut findings: Vec<Finding> = definitions
        .channels
        .keys()
        .filter(|name| !failing.contains_key(*name) && !lost.contains_key(*name))
        .filter(|name| !long.contains_key(*name))
        .map(|name| Finding::ok(format!("channel {name}"), "nothing waits because it failed"))
        .collect();
    findings.extend(failing.iter().map(|(name, letters)| {
        let text = format!("{} cannot be delivered: {}", count(letters), why(letters));
        let remedy = format!("mend the channel; `mhost notify test {name}` tries it");
        Finding::wrong(Weight::Error, format!("channel {name}"), text, &remedy)
    }));
    findings.extend(lost.iter().map(|(name, letters)| {
        let text = format!("{} were given up: {}", count(letters), why(letters));
        let remedy = "look at them: `mhost notify list`";
        Finding::wrong(Weight::Warning, format!("channel {name}"), text, remedy)
    }));
    findings.extend(long.iter().map(|(name, (count, since))| {
        let since = since.format("%Y-%m-%d %H:%M:%SZ");
        let text = format!("{count} notices wait, the oldest since {since}, though none failed");
        let remedy = "`mhost serve` or `mhost tick` delivers them; a small `rate` holds them back";
        Finding::wrong(Weight::Warning, format!("channel {name}"), text, remedy)
    }));
    Ok(findings)
}

/// How many letters of a channel wait, and since when, where that is too long and not
/// because a try failed.
fn waiting_long(
    waiting: &[Letter],
    channels: &BTreeMap<Name, ChannelDef>,
    now: Instant,
) -> BTreeMap<Name, (usize, Instant)> {
    let mut long: BTreeMap<Name, (usize, Instant)> = BTreeMap::new();
    let old = |letter: &&Letter| {
        let group = channels
            .get(&letter.channel)
            .map(|channel| channel.group.delta());
        let rested = (now - letter.created_at).checked_sub(&group.unwrap_or_default());
        letter.error.is_none() && rested.is_some_and(|rested| rested > TOO_LONG)
    };
    for letter in waiting.iter().filter(old) {
        let (count, since) = long
            .entry(letter.channel.clone())
            .or_insert((0, letter.created_at));
        *count += 1;
        *since = letter.created_at.min(*since);
    }
    long
}

fn count(letters: &[Letter]) -> String {
    format!("{} notices", letters.len())
}

fn why(letters: &[Letter]) -> String {
    let last = letters.last().and_then(|letter| letter.error.clone());
    last.unwrap_or_default()
}
