//! `mhost import logrotate`: what logrotate is configured to do, as tasks.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

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
    let status = match std::fs::read(&args.state) {
        Ok(status) => String::from_utf8_lossy(&status).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Problem::io("read", &args.state, &error)),
    };
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

/// Adds the tasks to the configuration, which must still be TOML with them. It keeps its mode
/// and owner, and where it is a link, what it leads to is written.
fn write(context: &Context, imported: &Imported) -> Outcomes<PathBuf> {
    let named = context.home.config();
    context.home.create()?;
    let (file, before, found) = match std::fs::canonicalize(&named) {
        Ok(file) => {
            let failed = |error: std::io::Error| Problem::io("read", &file, &error);
            let text = std::fs::read_to_string(&file).map_err(failed)?;
            let found = std::fs::metadata(&file).map_err(failed)?;
            (file, text, Some(found))
        }
        Err(error) if error.kind() == ErrorKind::NotFound && !named.is_symlink() => {
            (named, String::new(), None)
        }
        Err(error) => return Err(Problem::io("read", &named, &error)),
    };
    let gap = match before.as_str() {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let text = format!("{before}{gap}{}", imported.toml);
    check(&file, &before, &text, imported)?;
    let folder = file.parent().unwrap_or(context.home.root());
    let failed = |error: std::io::Error| Problem::io("write", &file, &error);
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    if let Some(found) = found {
        let made = new.as_file().metadata().map_err(failed)?;
        if (made.uid(), made.gid()) != (found.uid(), found.gid()) {
            fchown(new.as_file(), Some(found.uid()), Some(found.gid())).map_err(failed)?;
        }
        let mode = new.as_file().set_permissions(found.permissions());
        mode.map_err(failed)?;
    }
    new.as_file().sync_all().map_err(failed)?;
    new.persist(&file).map_err(|error| failed(error.error))?;
    Ok(file)
}

/// Refuses what would spoil the file: a task of the same name, or a table that tasks cannot be
/// added to.
fn check(file: &Path, before: &str, after: &str, imported: &Imported) -> Outcomes<()> {
    let name = file.display();
    let before: toml::Table = toml::from_str(before)
        .map_err(|error| Problem::usage(format!("{name} is no TOML before: {error}")))?;
    let tasks = before.get("tasks").and_then(toml::Value::as_table);
    let twice = imported
        .tasks
        .iter()
        .find(|task| tasks.is_some_and(|tasks| tasks.contains_key(*task)));
    let hint = "remove it there, or import without --write and take over what you want";
    if let Some(task) = twice {
        let text = format!("{name} has a task `{task}` already");
        return Err(Problem::usage(text).hint(hint));
    }
    match toml::from_str::<toml::Table>(after) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = format!("the tasks cannot be added at the end of {name}: {error}");
            Err(Problem::usage(text).hint("import without --write, and take over what you want"))
        }
    }
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
