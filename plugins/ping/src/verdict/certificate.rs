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
    let warning = ends(expected.warn_days);
    (Some(validity), problem, warning)
}
