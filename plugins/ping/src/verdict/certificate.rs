//! Certificates: their ends, and whether they are trusted.

use mhost_sdk::probe::{TlsFacts, TlsFound};

use super::summed;
use crate::config::{Certificate, Target};
use crate::finding::{Finding, Validity};

pub fn judge(target: &Target, name: String, found: &TlsFound, now: u64) -> Finding {
    let mut finding = Finding::new(name).timed(&found.phases);
    finding.version = Some(found.tls.version.clone());
    finding.address = Some(found.address.clone());
    let expected = target.tls.as_ref().map(|tls| tls.certificate());
    let (certificate, problem, warning) = look(&expected.unwrap_or_default(), &found.tls, now);
    finding.certificate = certificate;
    finding.verdict = summed(problem, warning);
    finding
}

/// What matters of the peer's own certificate.
pub fn own(tls: &TlsFacts, now: u64) -> Option<Validity> {
    tls.chain.first().map(|own| Validity::of(own, now))
}

/// A certificate between the peer's and the root that ends before the peer's own does: it
/// is not renewed with it. Those that have ended already are there for old clients, as the
/// chain is trusted without them, or else its distrust says so.
fn above(expected: &Certificate, tls: &TlsFacts, now: u64) -> Option<String> {
    let (own, above) = tls.chain.split_first()?;
    let between = above.iter().filter(|one| {
        one.subject != one.issuer && one.not_after > now && one.not_after < own.not_after
    });
    let first = between.min_by_key(|one| one.not_after)?;
    let ends = Validity::of(first, now);
    let limit = expected.warn_days.max(expected.min_days);
    (ends.days_left < i64::from(limit)).then(|| {
        format!(
            "the certificate `{}` above its own ends in {} days, fewer than {limit}: have the chain renewed",
            super::shown(&ends.subject),
            ends.days_left
        )
    })
}

/// What matters of the certificate, what is wrong with it, and what will be soon.
pub fn look(
    expected: &Certificate,
    tls: &TlsFacts,
    now: u64,
) -> (Option<Validity>, Option<String>, Option<String>) {
    let Some(own) = tls.chain.first() else {
        return (None, Some("it showed no certificate".to_owned()), None);
    };
    let validity = Validity::of(own, now);
    let days = validity.days_left;
    let ends = |limit: u32| {
        (limit > 0 && days < i64::from(limit))
            .then(|| format!("its certificate ends in {days} days, fewer than {limit}: renew it"))
    };
    let problem = if now >= own.not_after && (expected.trusted || expected.min_days > 0) {
        Some(format!("its certificate ended {} days ago", -days))
    } else if own.not_before > now && expected.trusted {
        Some("its certificate is not valid yet".to_owned())
    } else {
        let distrust = tls.distrust.as_ref().filter(|_| expected.trusted);
        ends(expected.min_days)
            .or_else(|| distrust.map(|why| format!("its certificate is not trusted: {why}")))
    };
    let warning = ends(expected.warn_days).or_else(|| above(expected, tls, now));
    (Some(validity), problem, warning)
}
