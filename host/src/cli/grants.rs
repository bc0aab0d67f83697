//! `mhost grants …`.

use clap::Subcommand;
use mhost_model::Name;

use super::{Context, output};
use crate::calls::grants::{GrantsView, ShowGrants, TightenGrants, Tightened};
use crate::config;
use crate::exit::Outcomes;
use crate::session;

#[derive(Subcommand)]
pub enum Command {
    /// The grants of a task, and what its newest successful run did with each
    Show { task: Name },
    /// Propose the smallest grants that recent runs needed; changes nothing
    Tighten {
        task: Name,
        /// How many successful runs to learn from
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
        runs: u16,
    },
}

pub async fn run(command: Command, context: &Context) -> Outcomes<u8> {
    match command {
        Command::Show { task } => {
            let view = session::ask(&context.home, ShowGrants { task }).await?;
            context.output.data(&view, show)?;
        }
        Command::Tighten { task, runs } => {
            let call = TightenGrants {
                task,
                runs: runs.into(),
            };
            let tight = session::ask(&context.home, call).await?;
            context.output.data(&tight, proposal)?;
        }
    }
    Ok(0)
}

/// A line for each grant: what it is, and what was done with it.
fn show(view: &GrantsView) -> String {
    let grants = serde_json::to_value(&view.grants).unwrap_or_default();
    let mut rows = Vec::new();
    for (kind, all) in grants.as_object().into_iter().flatten() {
        match all {
            serde_json::Value::Object(named) => rows.extend(named.iter().map(|(name, grant)| {
                let place = format!("{kind}.{name}");
                let used = view.used.get(&place);
                [
                    place,
                    config::inline(grant),
                    used.map_or_else(|| "-".into(), words),
                ]
            })),
            other => rows.push([
                kind.clone(),
                config::inline(other),
                view.used.get(kind).map_or_else(|| "-".into(), words),
            ]),
        }
    }
    if rows.is_empty() {
        return format!("{} has no grants: it can reach nothing.\n", view.task);
    }
    output::table(
        ["GRANT", "ALLOWS", "USED BY ITS NEWEST SUCCESSFUL RUN"],
        rows,
    )
}

fn words(used: &mhost_model::receipt::Use) -> String {
    let verbs: Vec<&str> = used.verbs.iter().map(String::as_str).collect();
    let parts: Vec<&str> = used.parts.iter().map(String::as_str).collect();
    match parts.is_empty() {
        true => verbs.join(" "),
        false => format!("{} ({})", verbs.join(" "), parts.join(" ")),
    }
}

fn proposal(tight: &Tightened) -> String {
    let head = format!(
        "{} successful runs of {} were looked at.\n",
        tight.runs, tight.task
    );
    if tight.loosened.is_empty() {
        return head + "They needed everything that is granted.\n";
    }
    let took: String = tight
        .loosened
        .iter()
        .map(|one| format!("  - {}: {}\n", one.grant, one.what))
        .collect();
    let toml = config::export_grants(&tight.task, &tight.grants);
    format!(
        "{head}They did not need:\n{took}\nThe smallest grants that would have been enough:\n\n{toml}"
    )
}
