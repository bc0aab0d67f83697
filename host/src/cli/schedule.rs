//! `mhost schedule …`: schedules without any task, by the code that the service runs.

use clap::Subcommand;
use mhost_model::Instant;
use mhost_model::schedule::Schedule;
use mhost_sched::preview::{self, Coming};
use mhost_sched::{Compiled, parse_expr};

use super::output::{self, Output};
use crate::app::{clock, parse_instant};
use crate::calls::tasks::timeless;
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

/// Without `-n` and `--until`.
const FEW: usize = 5;

pub fn run(command: Command, output: &Output) -> Outcomes<u8> {
    let Command::Next(next) = command;
    let wrong = |fault: mhost_sched::ScheduleFault| Problem::usage(fault.to_string());
    let schedule = parse_expr(&next.expr, next.tz.as_deref()).map_err(wrong)?;
    let compiled = Compiled::read(&schedule).map_err(wrong)?;
    let from = match next.from {
        Some(from) => from,
        None => clock()?.now(),
    };
    let all = next.until.map_or(FEW, |_| usize::MAX);
    let count = next.count.unwrap_or(all);
    // A second's schedule over a year has millions: nothing is gathered.
    if output.is_json() {
        let fires = preview::times(&compiled, from, next.until, count);
        output::array(fires.map(|fire| fire.timestamp()))?;
        return Ok(0);
    }
    let mut fires = preview::fires(&compiled, from, next.until, count).peekable();
    if fires.peek().is_none() {
        output::print(&none(&schedule, count))?;
    }
    output::lines(fires.map(|fire| line(&fire)))?;
    Ok(0)
}

/// Why there are none.
fn none(schedule: &Schedule, count: usize) -> String {
    let why = match timeless(schedule) {
        Some(when) => format!("no due times: it {when}"),
        None if count == 0 => "none was asked for".to_owned(),
        None => match Compiled::parse(schedule) {
            Err(fault) => fault.to_string(),
            Ok(_) => "none in that time".to_owned(),
        },
    };
    format!("No fires: {why}.\n")
}

/// A fire on its zone's wall clock, and what is unusual about it.
pub fn line(fire: &Coming) -> String {
    let notes: Vec<String> = fire.notes.iter().map(|note| note.text.clone()).collect();
    match notes.is_empty() {
        true => fire.local.clone(),
        false => format!("{}  ({})", fire.local, notes.join("; ")),
    }
}
