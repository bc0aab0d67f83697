//! Answers of name servers.

use mhost_sdk::probe::DnsFound;

use super::{any, summed};
use crate::config::{Dns, Rules, Target};
use crate::finding::Finding;

/// So many records stand in a report.
const MOST_RECORDS: usize = 50;

pub fn judge(target: &Target, name: String, found: &DnsFound) -> Finding {
    let mut finding = Finding::new(name).timed(&found.phases);
    finding.address = Some(found.address.clone()).filter(|address| !address.is_empty());
    finding.records = found.data.iter().take(MOST_RECORDS).cloned().collect();
    let problem = target.dns.as_ref().and_then(|dns| wrong(dns, found));
    finding.verdict = summed(problem, None);
    finding
}

fn wrong(dns: &Dns, found: &DnsFound) -> Option<String> {
    let rcodes = &dns.rcodes;
    let right = match rcodes.is_empty() {
        true => found.rcode == "NOERROR",
        false => rcodes
            .iter()
            .any(|rcode| rcode.eq_ignore_ascii_case(&found.rcode)),
    };
    if !right {
        let expected = match rcodes.is_empty() {
            true => "NOERROR".to_owned(),
            false => rcodes.join(" or "),
        };
        return Some(format!("it answered {}, expected {expected}", found.rcode));
    }
    wrong_data(dns, &found.data).or_else(|| {
        let sections = [
            ("answer", &dns.answer, &found.answer),
            ("authority", &dns.authority, &found.authority),
            ("additional", &dns.additional, &found.additional),
        ];
        let wrong = sections
            .iter()
            .map(|(word, rules, records)| unruly(word, rules, records));
        wrong.flatten().next()
    })
}

fn wrong_data(dns: &Dns, data: &[String]) -> Option<String> {
    let expected = dns.expect.iter().chain(&dns.expect_all);
    if let Some(missing) = expected.clone().find(|one| !has(data, one)) {
        return Some(format!(
            "its records are [{}], without `{missing}`",
            data.join(", ")
        ));
    }
    // What sections must hold says itself what is right.
    let ruled = [&dns.answer, &dns.authority, &dns.additional];
    let ruled = ruled.iter().any(|rules| rules.patterns().next().is_some());
    let unasked = expected.count() == 0 && !ruled && dns.rcodes.is_empty();
    (data.is_empty() && unasked).then(|| "it has no such record".to_owned())
}

/// Names may be written with or without the last dot.
fn has(data: &[String], expected: &str) -> bool {
    let bare = |text: &str| text.trim_end_matches('.').to_owned();
    data.iter()
        .any(|one| one == expected || bare(one) == bare(expected))
}

fn unruly(section: &str, rules: &Rules, records: &[String]) -> Option<String> {
    let matches = |patterns: &[String], record: &String| any(patterns, record);
    let first = |patterns: &[String]| records.iter().find(|record| matches(patterns, record));
    if let Some(record) = first(&rules.fail_if_matches) {
        return Some(format!(
            "the {section} record `{record}` matches, and should not"
        ));
    }
    let all = |patterns: &[String]| records.iter().all(|record| matches(patterns, record));
    let some = !records.is_empty();
    if some && !rules.fail_if_all_match.is_empty() && all(&rules.fail_if_all_match) {
        return Some(format!("all {section} records match, and should not"));
    }
    if !some && !rules.fail_if_not_matches.is_empty() {
        return Some(format!("there is no {section} record to match"));
    }
    let missed = rules.fail_if_not_matches.iter().find_map(|pattern| {
        let one = std::slice::from_ref(pattern);
        records.iter().find(|record| !matches(one, record))
    });
    if let Some(record) = missed {
        return Some(format!("the {section} record `{record}` does not match"));
    }
    let none = &rules.fail_if_none_matches;
    (!none.is_empty() && first(none).is_none())
        .then(|| format!("no {section} record matches `{}`", none.join("` or `")))
}
