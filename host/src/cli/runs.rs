//! `mhost runs …`.

use clap::Subcommand;
use mhost_model::receipt::Receipt;
use mhost_model::run::Outcome;
use mhost_model::{ByteSize, Instant, Name, RunId};

use super::watched::{uptime, views_of};
use super::{Context, details, output};
use crate::app::parse_instant;
use crate::calls::MOST;
use crate::calls::gaps::{FindGaps, Gaps};
use crate::calls::runs::{CancelRun, ListRuns, RunLogLines, RunView, ShowRun};
use crate::calls::watched::Uptime;
use crate::exit::{Kind, Outcomes};
use crate::home::Home;
use crate::session;

#[derive(Subcommand)]
pub enum Command {
    /// Runs, newest first
    List {
        /// Only of this task
        #[arg(long)]
        task: Option<Name>,
        /// Only with one of these outcomes
        #[arg(long, value_delimiter = ',', value_parser = outcome)]
        outcome: Vec<Outcome>,
        /// Only those due at or after (RFC 3339, or seconds since 1970)
        #[arg(long, value_parser = instant)]
        since: Option<Instant>,
        /// Only those due before
        #[arg(long, value_parser = instant)]
        until: Option<Instant>,
        /// Only runs with a smaller id, for the next page
        #[arg(long)]
        before: Option<RunId>,
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
    },
    /// One run, with its report and its receipt
    Show { id: RunId },
    /// The log of a run
    Log {
        id: RunId,
        /// Begin with this line, counted from 0
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// At most so many lines
        #[arg(long, short = 'n', default_value_t = 100_000)]
        limit: usize,
    },
    /// Ask a run to end
    Cancel { id: RunId },
    /// Prove that every due time of a task has its run: list those without one
    Gaps {
        /// The task
        task: Name,
        /// Only times due at or after (RFC 3339, or seconds since 1970)
        #[arg(long, value_parser = instant, allow_hyphen_values = true)]
        since: Option<Instant>,
        /// Only times due before
        #[arg(long, value_parser = instant, allow_hyphen_values = true)]
        until: Option<Instant>,
    },
    /// Uptime and latencies of what tasks watch, over an hour, a day and a month
    Uptime {
        /// Only of this task
        #[arg(long)]
        task: Option<Name>,
    },
}

fn instant(text: &str) -> Result<Instant, String> {
    parse_instant(text)
        .ok_or_else(|| "write RFC 3339, such as 2026-12-01T03:00:00Z, or seconds since 1970".into())
}

fn outcome(text: &str) -> Result<Outcome, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        "use succeeded, failed, timed-out, cancelled, skipped, coalesced or lost".into()
    })
}

pub async fn run(command: Command, context: &Context) -> Outcomes<u8> {
    let home = &context.home;
    match command {
        Command::List {
            task,
            outcome,
            since,
            until,
            before,
            limit,
        } => {
            let outcomes = outcome.into_iter().collect();
            let asked = ListRuns {
                task,
                outcomes,
                since,
                until,
                before,
                limit,
            };
            let views = all_of(asked, home).await?;
            context
                .output
                .data(&views, |views| match views.is_empty() {
                    true => "No runs.\n".into(),
                    false => list(views),
                })?;
        }
        Command::Show { id } => {
            let view = session::ask(home, ShowRun { run: id }).await?;
            context.output.data(&view, show)?;
        }
        Command::Log { id, from, limit } => {
            let lines = session::ask(
                home,
                RunLogLines {
                    run: id,
                    from,
                    limit,
                },
            )
            .await?;
            context
                .output
                .data(&lines, |lines| lines.iter().map(log_line).collect())?;
        }
        Command::Uptime { task } => {
            let summaries = session::ask(home, Uptime { task }).await?;
            context
                .output
                .data(&views_of(&summaries), |_| uptime(&summaries))?;
        }
        Command::Cancel { id } => {
            let view = session::ask(home, CancelRun { run: id }).await?;
            context.output.data(&view, |view| {
                match view.outcome {
                    // It stood in a queue, or between two attempts.
                    Some(_) => format!("Run {} is cancelled.\n", view.run),
                    None => format!("Run {} was asked to end.\n", view.run),
                }
            })?;
        }
        Command::Gaps { task, since, until } => {
            let call = FindGaps { task, since, until };
            let found = session::ask(home, call).await?;
            context.output.data(&found, gaps)?;
            return Ok(match found.gap_count {
                0 => 0,
                _ => Kind::Failed.code(),
            });
        }
    }
    Ok(0)
}

/// As many as were asked for, however many answers that takes.
async fn all_of(asked: ListRuns, home: &Home) -> Outcomes<Vec<RunView>> {
    let mut views: Vec<RunView> = Vec::new();
    loop {
        let call = ListRuns {
            before: views.last().map(|view| view.run).or(asked.before),
            limit: (asked.limit - views.len()).min(MOST),
            ..asked.clone()
        };
        let page = call.limit;
        let found = session::ask(home, call).await?;
        let last = found.len() < page;
        views.extend(found);
        if last || views.len() >= asked.limit {
            return Ok(views);
        }
    }
}

/// What is shown of a list of times.
const SHOWN: usize = 100;

fn gaps(found: &Gaps) -> String {
    if let Some(why) = &found.none_because {
        return format!("{}: no due times: {why}.\n", found.task);
    }
    let Some(known_after) = found.known_after else {
        return format!("{}: no due time yet.\n", found.task);
    };
    let since = found.since.unwrap_or(known_after);
    let mut text = format!("{}: {}", found.task, times(found.accounted));
    text.push_str(&format!(" since {}", output::time(Some(since))));
    if found.until.is_some() {
        text.push_str(&format!(" and before {}", output::time(found.until)));
    }
    text.push_str(match found.accounted {
        1 => " has its run",
        _ => " have their runs",
    });
    text.push_str(match found.gap_count {
        0 => "; none is without.\n",
        _ => ".\n",
    });
    let mut list = |what: &str, count: u64, named: &[Instant]| {
        if count > 0 {
            text.push_str(&format!("{count} {what}:\n"));
        }
        for time in named.iter().take(SHOWN) {
            text.push_str(&format!("  {}\n", output::time(Some(*time))));
        }
        if count > SHOWN as u64 {
            text.push_str(&format!("  and {} more\n", count - SHOWN as u64));
        }
    };
    list("without a run", found.gap_count, &found.gaps);
    list(
        "with a run, and no due time",
        found.stray_count,
        &found.strays,
    );
    if let Some(since) = found.waiting_since {
        text.push_str(&format!(
            "{} since {} without a run yet: for the service or the next `mhost tick`, once a slot is free and their jitter is over.\n",
            times(found.waiting as u64),
            output::time(Some(since))
        ));
    }
    text
}

fn times(count: u64) -> String {
    match count {
        1 => "1 due time".into(),
        _ => format!("{count} due times"),
    }
}

fn log_line(line: &mhost_model::run::LogLine) -> String {
    let level = format!("{:?}", line.level).to_lowercase();
    let text = output::printable(&line.text);
    format!(
        "{} {level:<5} {}: {text}\n",
        line.at.format("%H:%M:%S%.3f"),
        output::one_line(&line.source)
    )
}

/// A line for each run.
pub fn list(views: &[RunView]) -> String {
    output::table(
        ["RUN", "TASK", "ACTION", "DUE", "OUTCOME", "TOOK", "SUMMARY"],
        views.iter().map(|view| {
            [
                view.run.to_string(),
                view.task.to_string(),
                view.action.clone(),
                output::time(Some(view.fire_at)),
                if view.dry_run {
                    format!("{} (dry)", view.word())
                } else {
                    view.word().to_owned()
                },
                output::duration(view.took()),
                output::brief(&gist(view), 72),
            ]
        }),
    )
}

/// What is most worth saying of a run.
fn gist(view: &RunView) -> String {
    let error = view.error.as_ref().map(|error| error.message.clone());
    let summary = view.report.as_ref().map(|report| report.summary.clone());
    let reason = view.reason.clone();
    // Where something else ended it, the error is of an attempt before, or says no more.
    let told = match view.outcome {
        Some(Outcome::Cancelled | Outcome::Skipped | Outcome::Lost) => reason.or(error),
        _ => error.or(reason),
    };
    told.or(summary).unwrap_or_default()
}

/// A run for a person, whole.
pub fn show(view: &RunView) -> String {
    let mut text = format!(
        "run {}: {} {} {}",
        view.run,
        view.task,
        view.action,
        view.word()
    );
    if view.dry_run {
        text.push_str(" (dry run)");
    }
    if let Some(took) = view.took() {
        text.push_str(&format!(" in {}", output::duration(Some(took))));
    }
    text.push('\n');
    let mut line = |key: &str, value: &str| {
        text.push_str(&format!(
            "  {key:<11} {}\n",
            output::printable(value).replace('\n', "\n              ")
        ));
    };
    line(
        "due",
        &format!(
            "{}, {}, attempt {}",
            output::time(Some(view.fire_at)),
            format!("{:?}", view.trigger).to_lowercase(),
            view.attempt
        ),
    );
    if let Some(reason) = &view.reason {
        line("reason", reason);
    }
    if let Some(error) = &view.error {
        line("error", &error.message);
    }
    if let Some(retry_at) = view.retry_at {
        line("next try", &output::time(Some(retry_at)));
    }
    if let Some(report) = &view.report {
        line("report", &report.summary);
        for (name, value) in &report.metrics {
            line("", &format!("{name} = {value}"));
        }
        for artifact in &report.artifacts {
            line("made", &format!("{} {}", artifact.kind, artifact.name));
        }
        if let Some(table) = report.details.as_ref().and_then(details::table) {
            text.push_str(&table);
        }
    }
    if let Some(receipt) = &view.receipt {
        text.push_str(&receipt_text(receipt));
    }
    text
}

fn receipt_text(receipt: &Receipt) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        text.push_str(&format!("  {key:<11} {}\n", output::one_line(&value)));
    };
    let words = |set: &std::collections::BTreeSet<String>| {
        set.iter().cloned().collect::<Vec<_>>().join(", ")
    };
    for (grant, used) in &receipt.used {
        let parts = if used.parts.is_empty() {
            String::new()
        } else {
            format!(" ({})", words(&used.parts))
        };
        line("used", format!("{grant}: {}{parts}", words(&used.verbs)));
    }
    if !receipt.unused.is_empty() {
        line("unused", words(&receipt.unused));
    }
    for denial in &receipt.denied {
        line("denied", denial.to_string());
    }
    for withheld in receipt.withheld.iter().take(20) {
        line("withheld", withheld.clone());
    }
    if receipt.withheld.len() > 20 {
        line("", format!("and {} more", receipt.withheld.len() - 20));
    }
    line(
        "work",
        format!(
            "{} read, {} written, {} files changed, {} host calls",
            ByteSize(receipt.bytes_read),
            ByteSize(receipt.bytes_written),
            receipt.files_changed,
            receipt.host_calls
        ),
    );
    line("peak memory", ByteSize(receipt.peak_memory).to_string());
    line(
        "time",
        format!(
            "{:.1} ms in the plugin, {:.1} ms in the host",
            receipt.guest_time_us as f64 / 1000.0,
            receipt.host_time_us as f64 / 1000.0
        ),
    );
    if receipt.log_bytes_cut > 0 {
        line(
            "log",
            format!(
                "{} kept, {} cut",
                ByteSize(receipt.log_bytes),
                ByteSize(receipt.log_bytes_cut)
            ),
        );
    }
    text
}
