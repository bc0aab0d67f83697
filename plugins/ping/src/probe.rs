//! Asking below HTTP: ports, certificates, names.

use mhost_sdk::probe::TlsAnswer;
use mhost_sdk::{Context, Result};

use crate::config::{Dns, Target, Tls, split_address};
use crate::finding::{Finding, Validity};

/// What a TCP answer is searched in.
const MOST: u32 = 4096;

/// Asks once.
pub fn ask(context: &Context, target: &Target) -> Finding {
    let answer = match (&target.tcp, &target.tls, &target.dns) {
        (Some(address), ..) => tcp(context, target, address),
        (_, Some(settings), _) => tls(context, target, settings),
        (_, _, Some(settings)) => dns(context, target, settings),
        _ => Ok(Finding::new(target.label())),
    };
    answer.unwrap_or_else(|error| Finding::failed(target.label(), error))
}

fn tcp(context: &Context, target: &Target, address: &str) -> Result<Finding> {
    let (host, port) = split_address(address).unwrap_or((address, 0));
    let send = target.body.as_deref().map(str::as_bytes);
    let most = if target.expect_body.is_some() {
        MOST
    } else {
        0
    };
    let timeout = target.timeout.duration();
    let answer = context.probe().tcp(host, port, send, most, timeout)?;
    let problem = target.expect_body.as_deref().and_then(|expected| {
        let said = String::from_utf8_lossy(&answer.received);
        let start: String = said.chars().take(60).collect();
        (!said.contains(expected))
            .then(|| format!("it said `{start}`, which does not hold `{expected}`"))
    });
    Ok(Finding::new(target.label())
        .timed(&answer.timings)
        .judged(problem))
}

fn tls(context: &Context, target: &Target, settings: &Tls) -> Result<Finding> {
    let answer = context.probe().tls(
        &settings.host,
        settings.port,
        settings.server_name.as_deref(),
        target.timeout.duration(),
    )?;
    let now = context.now();
    let mut finding = Finding::new(target.label()).timed(&answer.timings);
    finding.certificate = answer.chain.first().map(|own| Validity::of(own, now));
    let problem = untrustworthy(settings, &answer, finding.certificate.as_ref(), now);
    Ok(finding.judged(problem))
}

fn untrustworthy(
    settings: &Tls,
    answer: &TlsAnswer,
    validity: Option<&Validity>,
    now: u64,
) -> Option<String> {
    let (Some(own), Some(validity)) = (answer.chain.first(), validity) else {
        return Some("it showed no certificate".to_owned());
    };
    let days = validity.days_left;
    if now >= own.not_after {
        return Some(format!("its certificate ended {} days ago", -days));
    }
    if own.not_before > now {
        return Some("its certificate is not valid yet".to_owned());
    }
    if days < i64::from(settings.min_days) {
        return Some(format!(
            "its certificate ends in {days} days, fewer than {}: renew it",
            settings.min_days
        ));
    }
    let distrust = answer.distrust.as_ref().filter(|_| settings.trusted)?;
    Some(format!("its certificate is not trusted: {distrust}"))
}

fn dns(context: &Context, target: &Target, settings: &Dns) -> Result<Finding> {
    let kind = settings.record.into();
    let timeout = target.timeout.duration();
    let answer = context.probe().resolve(&settings.name, kind, timeout)?;
    let problem = match &settings.expect {
        None if answer.records.is_empty() => Some("it has no such record".to_owned()),
        Some(expected) if !answer.records.contains(expected) => Some(format!(
            "its records are [{}], without `{expected}`",
            answer.records.join(", ")
        )),
        _ => None,
    };
    let mut finding = Finding::new(target.label()).timed(&answer.timings);
    finding.records = answer.records;
    Ok(finding.judged(problem))
}
