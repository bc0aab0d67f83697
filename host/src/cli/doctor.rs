//! `mhost doctor`.

use super::Context;
use crate::calls::doctor::{self, Doctor, Finding, Weight};
use crate::exit::{Kind, Outcomes};
use crate::session;

pub async fn run(context: &Context) -> Outcomes<u8> {
    let findings = match session::ask(&context.home, Doctor {}).await {
        Ok(findings) => findings,
        // What sends people here must not send them here again.
        Err(problem) => doctor::without_store(&context.home, problem)?,
    };
    context
        .output
        .data(&findings, |findings| findings.iter().map(line).collect())?;
    let worst = findings.iter().map(|finding| finding.weight).max();
    Ok(if worst == Some(Weight::Error) {
        Kind::Failed.code()
    } else {
        0
    })
}

fn line(finding: &Finding) -> String {
    let word = match finding.weight {
        Weight::Ok => "ok      ",
        Weight::Warning => "warning ",
        Weight::Error => "ERROR   ",
    };
    let remedy = finding
        .remedy
        .as_ref()
        .map_or_else(String::new, |remedy| format!("\n         -> {remedy}"));
    format!(
        "{word} {}: {}{remedy}\n",
        finding.about,
        super::output::one_line(&finding.text)
    )
}
