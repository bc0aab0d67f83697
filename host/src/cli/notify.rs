//! `mhost notify`: what people are told, and whether it reaches them.

use mhost_model::Name;
use mhost_model::notify::Standing;
use mhost_store::{Letter, LetterState};

use super::Context;
use super::output;
use crate::calls::notify::{Acknowledge, ListAlerts, ListLetters, TestChannel};
use crate::exit::Outcomes;
use crate::session;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Send one message through a channel, now
    Test { channel: Name },
    /// The outbox: what waits to be delivered, why, and what was delivered lately
    List {
        /// Only what waits
        #[arg(long)]
        waiting: bool,
        /// At most so many, newest first
        #[arg(long, short = 'n', default_value_t = 50, value_name = "N")]
        limit: usize,
    },
    /// The alerts that stand
    Alerts,
    /// Say that you know: what stands is not told again
    Ack {
        /// A task; all where absent
        task: Option<Name>,
        /// One alert of the task; all of them where absent
        key: Option<String>,
    },
}

pub async fn run(command: Command, context: &Context) -> Outcomes<u8> {
    let home = &context.home;
    match command {
        Command::Test { channel } => {
            let tested = session::ask(home, TestChannel { channel }).await?;
            context.output.data(&tested, |tested| {
                format!("Sent through {} ({}).\n", tested.channel, tested.kind)
            })?;
        }
        Command::List { waiting, limit } => {
            let letters = session::ask(home, ListLetters { waiting, limit }).await?;
            context.output.data(&letters, |letters| list(letters))?;
        }
        Command::Alerts => {
            let standing = session::ask(home, ListAlerts {}).await?;
            context
                .output
                .data(&standing, |standing| alerts(standing))?;
        }
        Command::Ack { task, key } => {
            let known = session::ask(home, Acknowledge { task, key }).await?;
            context.output.data(&known, |known| {
                let lines = known
                    .iter()
                    .map(|one| format!("Acknowledged: {}\n", output::one_line(&one.title)));
                match known.is_empty() {
                    true => "Nothing waits to be acknowledged.\n".into(),
                    false => lines.collect(),
                }
            })?;
        }
    }
    Ok(0)
}

fn list(letters: &[Letter]) -> String {
    if letters.is_empty() {
        return "The outbox is empty.\n".into();
    }
    output::table(
        ["ID", "CHANNEL", "AT", "EVENT", "STATE", "TITLE"],
        letters.iter().map(|letter| {
            [
                letter.id.to_string(),
                letter.channel.to_string(),
                output::time(Some(letter.created_at)),
                letter.event.kind.to_string(),
                state(letter),
                output::brief(&letter.event.title, 60),
            ]
        }),
    )
}

fn state(letter: &Letter) -> String {
    let why = || output::brief(letter.error.as_deref().unwrap_or_default(), 80);
    match letter.state {
        LetterState::Waiting => match letter.retry_at {
            Some(at) => format!(
                "tried {}x, again {}: {}",
                letter.attempts,
                output::time(Some(at)),
                why()
            ),
            None => "waiting".into(),
        },
        LetterState::Delivered { at, .. } => format!("delivered {}", output::time(Some(at))),
        LetterState::GivenUp { .. } => format!("given up: {}", why()),
    }
}

fn alerts(standing: &[Standing]) -> String {
    if standing.is_empty() {
        return "No alert stands.\n".into();
    }
    output::table(
        [
            "TASK",
            "KEY",
            "SEVERITY",
            "SINCE",
            "TOLD",
            "ACKNOWLEDGED",
            "TITLE",
        ],
        standing.iter().map(|one| {
            [
                one.task.to_string(),
                one.key.clone(),
                one.severity.as_str().to_owned(),
                output::time(Some(one.since)),
                format!("{}x", one.told),
                output::time(one.acknowledged_at),
                output::brief(&one.title, 72),
            ]
        }),
    )
}
