//! Judges answers: whether they are as expected. Nothing here asks anybody.

mod certificate;
pub mod json_path;
mod names;
mod port;
mod web;

use mhost_sdk::probe::{Answer, Found};

use crate::config::Target;
use crate::finding::{Finding, Verdict};

/// Of what a peer says, so much stands in a report, characters.
const MOST_SHOWN: usize = 120;

/// What an answer means for a target.
pub fn judge(target: &Target, name: String, answer: Answer, now: u64) -> Finding {
    let mut finding = match answer.found {
        Ok(Found::Http(found)) => web::judge(target, name, &found, now),
        Ok(Found::Tcp(found)) => port::judge(target, name, &found, now),
        Ok(Found::Tls(found)) => certificate::judge(target, name, &found, now),
        Ok(Found::Dns(found)) => names::judge(target, name, &found),
        Ok(Found::Icmp(found)) => {
            let mut finding = Finding::new(name).timed(&found.phases);
            finding.address = Some(found.address);
            finding.verdict = Verdict::Good;
            finding
        }
        Err(error) => {
            let presented = answer.presented;
            return Finding {
                certificate: presented.and_then(|tls| certificate::own(&tls, now)),
                ..Finding::failed(name, error)
            };
        }
    };
    mind_the_time(target, &mut finding);
    finding
}

/// A slow answer is a warning, or as bad as none.
pub fn mind_the_time(target: &Target, finding: &mut Finding) {
    let Some(latency) = finding.latency_ms.filter(|_| !finding.bad()) else {
        return;
    };
    let over = |limit: Option<u64>| limit.filter(|limit| latency > *limit as f64);
    if let Some(limit) = over(target.fail_ms) {
        finding.verdict = Verdict::Bad(format!("it took {latency:.0} ms, more than {limit}"));
    } else if let Some(limit) = over(target.warn_ms) {
        finding.slow = true;
        finding.verdict =
            Verdict::Warned(format!("it is slow: {latency:.0} ms, more than {limit}"));
    }
}

/// The first problem, the first warning, or all is well.
fn summed(problem: Option<String>, warning: Option<String>) -> Verdict {
    match (problem, warning) {
        (Some(problem), _) => Verdict::Bad(problem),
        (None, Some(warning)) => Verdict::Warned(warning),
        (None, None) => Verdict::Good,
    }
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MOST_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Whether one of the patterns matches. Each was compiled when the targets were read.
fn any(patterns: &[String], text: &str) -> bool {
    let mut compiled = patterns.iter().filter_map(|pattern| regex(pattern));
    compiled.any(|pattern| pattern.is_match(text))
}

fn regex(pattern: &str) -> Option<regex_lite::Regex> {
    regex_lite::Regex::new(pattern).ok()
}
