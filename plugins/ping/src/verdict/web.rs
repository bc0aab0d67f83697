//! Answers of web servers.

use mhost_sdk::probe::HttpFound;
use serde_json::Value;

use super::{any, certificate, json_path, shown, summed};
use crate::config::{JsonRule, Target};
use crate::finding::Finding;

pub fn judge(target: &Target, name: String, found: &HttpFound, now: u64) -> Finding {
    let mut finding = Finding::new(name).timed(&found.phases);
    finding.status = Some(found.status);
    finding.version = Some(found.version.clone());
    finding.address = Some(found.address.clone());
    finding.url = (found.redirects > 0).then(|| found.url.clone());
    let (certificate, problem, warning) = match &found.tls {
        Some(tls) => certificate::look(&target.certificate, tls, now),
        None => (None, None, None),
    };
    finding.certificate = certificate;
    let problem = wrong_status(target, found)
        .or_else(|| wrong_transport(target, found))
        .or_else(|| wrong_header(target, found))
        .or_else(|| too_long(target, found))
        .or_else(|| wrong_body(target, found))
        .or(problem);
    finding.verdict = summed(problem, warning);
    finding
}

fn wrong_status(target: &Target, found: &HttpFound) -> Option<String> {
    let status = found.status;
    let mut expected = target.expect_status.iter();
    if expected.any(|expected| expected.fits(status)) {
        return None;
    }
    let expected = target.expect_status.iter().map(ToString::to_string);
    let expected: Vec<_> = expected.collect();
    let location = header(found, "location").next();
    let led = match location {
        Some(to) if status / 100 == 3 => {
            let to = shown(to);
            format!(
                " (it leads to `{to}`, which is not followed: name that instead, or set `redirects`)"
            )
        }
        _ => String::new(),
    };
    Some(format!(
        "it answered {status}{led}, expected {}",
        expected.join(" or ")
    ))
}

fn wrong_transport(target: &Target, found: &HttpFound) -> Option<String> {
    let versions = &target.expect_version;
    if !versions.is_empty() && !versions.contains(&found.version) {
        let expected = versions.join(" or ");
        return Some(format!("it spoke {}, expected {expected}", found.version));
    }
    match (target.expect_tls, &found.tls) {
        (Some(true), None) => Some("it answered in the clear, and not over TLS".to_owned()),
        (Some(false), Some(_)) => Some("it answered over TLS, and not in the clear".to_owned()),
        _ => None,
    }
}

fn header<'a>(found: &'a HttpFound, name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = found
        .headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str())
}

fn wrong_header(target: &Target, found: &HttpFound) -> Option<String> {
    for (name, pattern) in &target.expect_header {
        let mut values = header(found, name).peekable();
        if values.peek().is_none() {
            return Some(format!("its answer has no header `{name}`"));
        }
        let pattern = std::slice::from_ref(pattern);
        if !values.any(|value| any(pattern, value)) {
            return Some(format!(
                "its header `{name}` does not match `{}`",
                pattern[0]
            ));
        }
    }
    let rejected = target.reject_header.iter().find(|(name, pattern)| {
        header(found, name).any(|value| any(std::slice::from_ref(*pattern), value))
    });
    rejected.map(|(name, pattern)| format!("its header `{name}` matches `{pattern}`"))
}

fn too_long(target: &Target, found: &HttpFound) -> Option<String> {
    let limit = target.max_body.filter(|_| found.cut)?;
    Some(format!("its answer is longer than {limit}"))
}

fn wrong_body(target: &Target, found: &HttpFound) -> Option<String> {
    if !target.looks_into_the_body() {
        return None;
    }
    let text = String::from_utf8_lossy(&found.body);
    let subject = match found.cut {
        true => format!("the first {} bytes of its answer do", found.body.len()),
        false => "its answer does".to_owned(),
    };
    wrong_text(target, &text, &subject).or_else(|| wrong_json(target, &found.body))
}

/// What is wrong with a text; `subject` is who says it, with a verb: `its answer does`.
pub fn wrong_text(target: &Target, text: &str, subject: &str) -> Option<String> {
    if let Some(expected) = target.expect_body.as_deref()
        && !text.contains(expected)
    {
        return Some(format!("{subject} not hold `{}`", shown(expected)));
    }
    let matches = |pattern: &&String| any(std::slice::from_ref(*pattern), text);
    let mut expected = target.expect_match.iter();
    if let Some(pattern) = expected.find(|pattern| !matches(pattern)) {
        return Some(format!("{subject} not match `{}`", shown(pattern)));
    }
    let rejected = target.reject_match.iter().find(matches);
    rejected.map(|pattern| format!("{subject} match `{}`, which it should not", shown(pattern)))
}

fn wrong_json(target: &Target, body: &[u8]) -> Option<String> {
    if target.expect_json.is_empty() {
        return None;
    }
    let document: Value = match serde_json::from_slice(body) {
        Ok(document) => document,
        Err(error) => return Some(format!("its answer is no JSON: {error}")),
    };
    let rules = target.expect_json.iter();
    rules.filter_map(|rule| unmet(rule, &document)).next()
}

fn unmet(rule: &JsonRule, document: &Value) -> Option<String> {
    let path = &rule.path;
    let Ok(Some(value)) = json_path::parse(path).map(|steps| json_path::find(document, &steps))
    else {
        return Some(format!("its answer has nothing at `{path}`"));
    };
    let is = rule.is.as_ref().filter(|expected| !same(value, expected));
    if let Some(expected) = is {
        let found = shown(&value.to_string());
        return Some(format!(
            "its answer has `{found}` at `{path}`, expected `{expected}`"
        ));
    }
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let pattern = rule.matches.as_ref()?;
    (!any(std::slice::from_ref(pattern), &text)).then(|| {
        let found = shown(&text);
        format!("its answer has `{found}` at `{path}`, which does not match `{pattern}`")
    })
}

/// 1 and 1.0 are one number.
fn same(value: &Value, expected: &Value) -> bool {
    value == expected
        || matches!((value.as_f64(), expected.as_f64()), (Some(value), Some(expected)) if value == expected)
}
