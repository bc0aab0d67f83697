//! `mhost apply` and `mhost export`.

use std::path::PathBuf;

use super::{Context, output};
use crate::calls::apply::{Applied, Apply, Export};
use crate::exit::{Outcomes, Problem};
use crate::session;

#[derive(clap::Args)]
pub struct Args {
    /// The configuration [default: mhost.toml in the state folder]
    file: Option<PathBuf>,
    /// Only show the difference
    #[arg(long)]
    dry_run: bool,
    /// Make good what came due while a task was paused, or had not started when its schedule is
    /// changed, as the task's policy says of missed fires
    #[arg(long)]
    catch_up: bool,
}

pub async fn run(args: Args, context: &Context) -> Outcomes<u8> {
    let file = match args.file {
        Some(file) => file,
        None if context.home.config().exists() => context.home.config(),
        None => {
            return Err(Problem::usage("no configuration was named").hint(format!(
                "`mhost apply FILE`, or write {}",
                context.home.config().display()
            )));
        }
    };
    let call = Apply {
        catch_up: args.catch_up,
        ..Apply::read(&file, args.dry_run)?
    };
    let applied = session::ask(&context.home, call).await?;
    for warning in &applied.warnings {
        output::note(&format!("{}\n", output::printable(&warning.to_string())));
    }
    context.output.data(&applied, human)?;
    Ok(0)
}

fn human(applied: &Applied) -> String {
    let mut text = String::new();
    for change in &applied.changes {
        text.push_str(&format!("{}\n", output::printable(&change.to_string())));
    }
    text.push_str(match (applied.changes.len(), applied.applied) {
        (0, _) => "Nothing to change: the store matches the file.\n",
        (_, true) => "Applied.\n",
        (_, false) => "Nothing was changed (--dry-run).\n",
    });
    text
}

pub async fn export(context: &Context) -> Outcomes<u8> {
    let exported = session::ask(&context.home, Export {}).await?;
    context
        .output
        .data(&exported.tables, |_| exported.toml.clone())?;
    Ok(0)
}
