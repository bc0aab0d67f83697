//! What people are told: deliveries that fail, and alerts that stand.

use std::collections::BTreeMap;

use mhost_model::Name;
use mhost_store::{Letter, LetterState};

use super::{Finding, Weight};
use crate::app::App;
use crate::exit::Outcomes;

/// So many letters are looked through.
const LIMIT: usize = 1000;

pub(super) async fn look(app: &App) -> Outcomes<Vec<Finding>> {
    let mut findings = deliveries(app).await?;
    let standing = app.notices.alerts().await?;
    for one in standing.iter().filter(|one| one.acknowledged_at.is_none()) {
        let about = format!("alert of {}", one.task);
        let remedy = format!("mend it, or `mhost notify ack {}`", one.task);
        findings.push(Finding::wrong(
            Weight::Warning,
            about,
            one.title.clone(),
            &remedy,
        ));
    }
    Ok(findings)
}

/// A line for each channel that is defined or that something waits for.
async fn deliveries(app: &App) -> Outcomes<Vec<Finding>> {
    let definitions = app.store.definitions().await?;
    let waiting = app.notices.waiting(LIMIT).await?;
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
    Ok(findings)
}

fn count(letters: &[Letter]) -> String {
    format!("{} notices", letters.len())
}

fn why(letters: &[Letter]) -> String {
    let last = letters.last().and_then(|letter| letter.error.clone());
    last.unwrap_or_default()
}
