//! `mhost import logrotate`: what logrotate is configured to do, as tasks.

use std::io::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::super::{Context, output};
use crate::exit::{Outcomes, Problem};
use crate::logrotate::{self, import};

#[derive(clap::Args)]
pub struct Logrotate {
    /// The configuration: a file, or a folder of them
    #[arg(default_value = "/etc/logrotate.conf")]
    config: PathBuf,
    /// The status file, which says when each log was rotated
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "/var/lib/logrotate/status"
    )]
    state: PathBuf,
    /// Add the tasks to mhost.toml in the state folder; without it nothing changes
    #[arg(long)]
    write: bool,
}

#[derive(Serialize)]
struct Imported {
    /// As it stands in `mhost.toml`.
    toml: String,
    tasks: Vec<String>,
    /// What could not be carried over, and why.
    left: Vec<String>,
    /// The file that the tasks were added to.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<PathBuf>,
}

pub fn run(args: Logrotate, context: &Context) -> Outcomes<u8> {
    let path = std::path::absolute(&args.config)
        .map_err(|error| Problem::io("find", &args.config, &error))?;
    let path = path
        .to_str()
        .ok_or_else(|| Problem::usage(format!("{} is no UTF-8 text", path.display())))?;
    let (read, _) = logrotate::read(&[path.to_owned()]);
    let status = std::fs::read_to_string(&args.state).unwrap_or_default();
    let tasks = import::tasks(&read, &status);
    if tasks.tasks.is_empty() {
        let why = tasks
            .left
            .first()
            .cloned()
            .unwrap_or_else(|| "it names no logs".to_owned());
        return Err(Problem::usage(format!(
            "nothing can be imported from {path}: {why}"
        )));
    }
    let mut imported = Imported {
        toml: tasks.toml,
        tasks: tasks.tasks,
        left: tasks.left,
        written: None,
    };
    if args.write {
        imported.written = Some(write(context, &imported)?);
    }
    context.output.data(&imported, human)?;
    for left in &imported.left {
        output::note(&format!("not carried over: {left}"));
    }
    Ok(0)
}

/// Adds the tasks to the configuration, which must still be one with them.
fn write(context: &Context, imported: &Imported) -> Outcomes<PathBuf> {
    let file = context.home.config();
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Problem::io("read", &file, &error)),
    };
    for task in &imported.tasks {
        if before.contains(&format!("[tasks.{task}]")) {
            return Err(
                Problem::usage(format!("{} has a task `{task}` already", file.display()))
                    .hint("remove it there, or import without --write and take over what you want"),
            );
        }
    }
    context.home.create()?;
    let text = format!(
        "{before}{}{}",
        if before.is_empty() { "" } else { "\n" },
        imported.toml
    );
    let folder = file.parent().unwrap_or(context.home.root());
    let failed = |error: std::io::Error| Problem::io("write", &file, &error);
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    new.persist(&file).map_err(|error| failed(error.error))?;
    Ok(file)
}

fn human(imported: &Imported) -> String {
    match &imported.written {
        None => imported.toml.clone(),
        Some(file) => format!(
            "{} tasks were added to {}: look at them, then\n\n  mhost apply --dry-run\n  mhost apply\n",
            imported.tasks.len(),
            file.display()
        ),
    }
}
