//! Whether a repository is whole: its structure, and the data of some or all packs.

mod packs;

use std::error::Error;

use mhost_model::ports::repository::{Share, Verdict, Watch};
use mhost_model::{Fault, FaultResult};
use rustic_core::{CheckOptions, CheckResults, RusticError};

use crate::crypto::Sealer;
use crate::fault;
use crate::place::Place;
use crate::session::Session;

/// Reads the whole structure, and a share of the packs (at least one unless 0 %).
/// Damage is a finding, not an error.
pub fn run(
    session: &Session,
    place: &Place,
    share: Share,
    watch: &dyn Watch,
) -> FaultResult<Verdict> {
    sensible(share)?;
    let mut verdict = structure(session)?;
    if share != Share::Percent(0) {
        let sealer = Sealer::new(&session.repo.key());
        let data = packs::check(&session.repo, &sealer, place.medium.as_ref(), share, watch)?;
        verdict.sound &= data.findings.is_empty();
        verdict.bytes_read = data.bytes_read;
        verdict.findings.extend(data.findings);
    }
    Ok(verdict)
}

fn sensible(share: Share) -> FaultResult<()> {
    match share {
        Share::Percent(percent) if percent > 100 => Err(Fault::Invalid(format!(
            "{percent} % of the data cannot be read: give 0 to 100"
        ))),
        Share::Part { part, of } if part == 0 || part > of || of > 256 => Err(Fault::Invalid(
            format!("part {part} of {of} cannot be read: give parts from 1 on, of at most 256"),
        )),
        _ => Ok(()),
    }
}

fn structure(session: &Session) -> FaultResult<Verdict> {
    match session.repo.check(CheckOptions::default()) {
        Ok(results) => Ok(verdict(&results)),
        Err(error) => match fault::of("the structure cannot be followed", &error) {
            Fault::Damaged(finding) => Ok(Verdict {
                sound: false,
                findings: vec![finding],
                bytes_read: 0,
            }),
            fault => Err(fault),
        },
    }
}

/// What `rustic_core` merely warns of (a pack that a backup is adding just now)
/// is told, but is no damage.
fn verdict(results: &CheckResults) -> Verdict {
    Verdict {
        sound: results.is_ok().is_ok(),
        findings: results.0.iter().map(|(_, finding)| told(finding)).collect(),
        bytes_read: 0,
    }
}

fn told(finding: &(impl Error + 'static)) -> String {
    let text = finding
        .to_string()
        .replace("'rustic repair", "'restic repair");
    let cause = finding
        .source()
        .and_then(|cause| cause.downcast_ref::<Box<RusticError>>());
    match (text.split_once(" : "), cause) {
        (Some((what, _)), Some(cause)) => {
            format!("{what}: {}", fault::one_line(&cause.display_log()))
        }
        _ => text,
    }
}
