//! What a port said.

use mhost_sdk::probe::TcpFound;

use super::{certificate, shown, summed, web};
use crate::config::Target;
use crate::finding::Finding;

pub fn judge(target: &Target, name: String, found: &TcpFound, now: u64) -> Finding {
    let mut finding = Finding::new(name).timed(&found.phases);
    finding.address = Some(found.address.clone());
    finding.version = found.tls.as_ref().map(|tls| tls.version.clone());
    let (certificate, problem, warning) = match &found.tls {
        Some(tls) => certificate::look(&target.certificate, tls, now),
        None => (None, None, None),
    };
    finding.certificate = certificate;
    let said = String::from_utf8_lossy(&found.received);
    let subject = format!("it said `{}`, which does", shown(&said));
    finding.verdict = summed(
        web::wrong_text(target, &said, &subject).or(problem),
        warning,
    );
    finding
}
