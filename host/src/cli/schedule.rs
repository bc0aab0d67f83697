//! `mhost schedule …`: schedules without any task, by the code that the service runs.

use clap::Subcommand;
use mhost_model::Instant;
use mhost_sched::preview::{self, Coming};
use mhost_sched::{Compiled, parse_expr};

use super::output::Output;
use crate::app::{clock, parse_instant};
use crate::exit::{Outcomes, Problem};

#[derive(Subcommand)]
pub enum Command {
    /// When a schedule fires: as JSON, seconds since 1970
    Next(Next),
}

#[derive(clap::Args)]
pub struct Next {
    /// A cron expression, or an inline table such as '{ month = 8, day = 31, minute = 11 }'
    expr: String,
    /// IANA name of the zone
    #[arg(long)]
    tz: Option<String>,
    /// Fires strictly after this (RFC 3339, or seconds since 1970) [default: now]
    #[arg(long, value_parser = instant, allow_hyphen_values = true)]
    from: Option<Instant>,
    /// How many [default: 5, or all up to --until]
    #[arg(short = 'n')]
    count: Option<usize>,
    /// Up to and including this
    #[arg(long, value_parser = instant, allow_hyphen_values = true)]
    until: Option<Instant>,
}

fn instant(text: &str) -> Result<Instant, String> {
    parse_instant(text)
        .ok_or_else(|| "write RFC 3339, such as 2026-12-01T03:00:00Z, or seconds since 1970".into())
}

/// More than anybody reads.
const MOST: usize = 1_000_000;

pub fn run(command: Command, output: &Output) -> Outcomes<u8> {
    let Command::Next(next) = command;
    let wrong = |fault: mhost_sched::ScheduleFault| Problem::usage(fault.to_string());
    let schedule = parse_expr(&next.expr, next.tz.as_deref()).map_err(wrong)?;
    let compiled = Compiled::read(&schedule).map_err(wrong)?;
    let from = match next.from {
        Some(from) => from,
        None => clock()?.now(),
    };
    let count = next
        .count
        .unwrap_or(if next.until.is_some() { MOST } else { 5 });
    let fires: Vec<Coming> = preview::fires(&compiled, from, next.until, count.min(MOST)).collect();
    if output.is_json() {
        let seconds: Vec<i64> = fires.iter().map(|fire| fire.fire_at.timestamp()).collect();
        output.data(&seconds, |_| String::new())?;
    } else {
        output.data(&fires, |fires| human(fires))?;
    }
    Ok(0)
}

fn human(fires: &[Coming]) -> String {
    match fires.is_empty() {
        true => "No fires.\n".into(),
        false => fires.iter().map(|fire| line(fire) + "\n").collect(),
    }
}

/// A fire on its zone's wall clock, and what is unusual about it.
pub fn line(fire: &Coming) -> String {
    let notes: Vec<String> = fire.notes.iter().map(|note| note.text.clone()).collect();
    match notes.is_empty() {
        true => fire.local.clone(),
        false => format!("{}  ({})", fire.local, notes.join("; ")),
    }
}
