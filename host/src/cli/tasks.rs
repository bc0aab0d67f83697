//! `mhost task …`.

use clap::Subcommand;
use mhost_model::Name;
use mhost_model::run::RunState;

use super::{Context, output};
use crate::calls::tasks::{
    ApproveTask, EnableTask, Fires, ListTasks, NextFires, RemoveTask, ShowTask, TaskRow, TaskView,
};
use crate::exit::Outcomes;
use crate::session;

#[derive(Subcommand)]
pub enum Command {
    /// All tasks: when each is due and how it went last
    List {
        /// Only tasks after this name, for the next page
        #[arg(long)]
        after: Option<Name>,
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 1000)]
        limit: usize,
    },
    /// One task, whole
    Show { name: Name },
    /// Let the timers run a task
    #[command(visible_alias = "resume")]
    Enable {
        name: Name,
        /// Make good what came due while it was paused, as its policy says of missed fires
        #[arg(long)]
        catch_up: bool,
    },
    /// Keep the timers from running a task
    #[command(visible_alias = "pause")]
    Disable { name: Name },
    /// Remove a task; its runs stay in the ledger
    Remove { name: Name },
    /// The coming fires in the task's zone, with what is unusual about each
    Next {
        name: Name,
        /// How many
        #[arg(short = 'n', default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        count: u16,
    },
    /// Let a task in quarantine run its plugin's present component
    Approve {
        name: Name,
        /// Only this component: the first digits of its digest, as `plugin list` shows them
        #[arg(long, value_name = "DIGEST", value_parser = digits)]
        digest: Option<String>,
    },
}

pub async fn run(command: Command, context: &Context) -> Outcomes<u8> {
    let home = &context.home;
    match command {
        Command::List { after, limit } => {
            let rows = session::ask(home, ListTasks { after, limit }).await?;
            context.output.data(&rows, |rows| list(rows))?;
        }
        Command::Show { name } => {
            let view = session::ask(home, ShowTask { name }).await?;
            context.output.data(&view, show)?;
        }
        Command::Enable { name, catch_up } => switch(name, true, catch_up, context).await?,
        Command::Disable { name } => switch(name, false, false, context).await?,
        Command::Remove { name } => {
            let row = session::ask(home, RemoveTask { name }).await?;
            context.output.data(&row, |row| {
                format!("{} is removed; its runs stay in the ledger.\n", row.name)
            })?;
        }
        Command::Next { name, count } => {
            let fires = session::ask(
                home,
                NextFires {
                    name,
                    count: count.into(),
                },
            )
            .await?;
            context.output.data(&fires, next)?;
        }
        Command::Approve { name, digest } => {
            let row = session::ask(home, ApproveTask { name, digest }).await?;
            context.output.data(&row, |row| {
                format!("{} is approved{}.\n", row.name, due(row))
            })?;
        }
    }
    Ok(0)
}

async fn switch(name: Name, enabled: bool, catch_up: bool, context: &Context) -> Outcomes<()> {
    let call = EnableTask {
        name,
        enabled,
        catch_up,
    };
    let row = session::ask(&context.home, call).await?;
    context.output.data(&row, |row| match row.enabled {
        true => format!("{} is enabled{}.\n", row.name, due(row)),
        false => format!("{} is disabled.\n", row.name),
    })
}

/// When it is due, where it is at a time.
fn due(row: &TaskRow) -> String {
    match row.next_due {
        Some(_) => format!("; it is due {}", output::time(row.next_due)),
        None => String::new(),
    }
}

/// So many digits that no other component begins with them by chance.
fn digits(text: &str) -> Result<String, String> {
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (12..=64).contains(&text.len()) && hexadecimal {
        true => Ok(text.to_owned()),
        false => Err("write 12 to 64 hexadecimal digits".into()),
    }
}

fn list(rows: &[TaskRow]) -> String {
    let own = |row: &TaskRow| row.plugin == crate::housekeeping::PLUGIN;
    let hint = match rows.iter().all(own) {
        true => "No tasks of yours yet: write them into mhost.toml, then `mhost apply`.\n",
        false => "",
    };
    hint.to_owned()
        + &output::table(
            ["TASK", "PLUGIN", "ACTION", "NEXT DUE", "LAST", "STATE"],
            rows.iter().map(|row| {
                [
                    row.name.to_string(),
                    row.plugin.clone(),
                    row.action.clone(),
                    output::time(row.next_due),
                    row.last_outcome
                        .map_or_else(|| "-".into(), |outcome| outcome.to_string()),
                    state(row),
                ]
            }),
        )
}

/// A backup that was never restored from for a try says so.
fn state(row: &TaskRow) -> String {
    let state = condition(row);
    match row.drilled {
        Some(false) => format!("{state}, never drilled"),
        Some(true) | None => state,
    }
}

fn condition(row: &TaskRow) -> String {
    match row {
        TaskRow {
            quarantine: Some(_),
            ..
        } => "quarantine".into(),
        TaskRow { running: true, .. } => "running".into(),
        TaskRow { enabled: false, .. } => "disabled".into(),
        TaskRow { failures: 0, .. } => "ok".into(),
        TaskRow { failures, .. } => format!("{failures} failed"),
    }
}

fn show(view: &TaskView) -> String {
    let TaskView { task, progress } = view;
    let mut rows = vec![
        ("task", format!("{} (id {})", task.name, task.id)),
        (
            "plugin",
            format!(
                "{} {}, component {}",
                task.spec.plugin,
                task.spec.action,
                task.pin.short()
            ),
        ),
        ("enabled", if task.enabled { "yes" } else { "no" }.into()),
        ("next due", output::time(progress.next_due)),
        (
            "last",
            progress
                .last_outcome
                .map_or_else(|| "-".into(), |outcome| outcome.to_string()),
        ),
        ("last success", output::time(progress.last_success)),
    ];
    if let Some(description) = &task.spec.description {
        rows.insert(1, ("about", description.clone()));
    }
    if let Some(quarantine) = &task.quarantine {
        rows.push(("quarantine", quarantine.clone()));
    }
    for run in &progress.open {
        let state = match &run.state {
            RunState::Running { .. } => "is on".into(),
            RunState::Queued => "waits for its turn".into(),
            RunState::Waiting { retry_at } => {
                format!("is tried again at {}", output::time(Some(*retry_at)))
            }
            RunState::Settled { outcome } => outcome.to_string(),
        };
        rows.push((
            "open",
            format!("run {}, attempt {}, {state}", run.id, run.attempt),
        ));
    }
    let head: String = rows
        .iter()
        .map(|(key, value)| format!("{key:<13} {}\n", output::one_line(value)))
        .collect();
    format!(
        "{head}\n{}",
        output::printable(&crate::config::export_task(task))
    )
}

fn next(fires: &Fires) -> String {
    if let Some(why) = &fires.none_because {
        return format!("{}: no coming fires: {why}.\n", fires.task);
    }
    if fires.fires.is_empty() {
        return format!("{}: no coming fires.\n", fires.task);
    }
    fires
        .fires
        .iter()
        .map(|fire| super::schedule::line(fire) + "\n")
        .collect()
}
