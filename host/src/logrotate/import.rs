//! Tasks from a configuration: one for each entry, with the folders of its logs as grants,
//! and a schedule as often as it can be due.

use std::collections::{BTreeMap, BTreeSet};

use mhost_format_logrotate::{Configuration, Section, Severity, State, When};
use serde::Serialize;

use super::grants::folders;

/// What was made.
#[derive(Debug, Default)]
pub struct Tasks {
    pub toml: String,
    pub tasks: Vec<String>,
    /// What could not be carried over, and why.
    pub left: Vec<String>,
}

#[derive(Serialize)]
struct File {
    tasks: BTreeMap<String, Task>,
}

#[derive(Serialize)]
struct Task {
    description: String,
    plugin: &'static str,
    action: &'static str,
    schedule: Schedule,
    config: Config,
    grants: Grants,
}

#[derive(Serialize)]
struct Schedule {
    cron: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tz: Option<String>,
}

#[derive(Serialize)]
struct Config {
    conf_text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tz: Option<String>,
    roots: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    seed: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Grants {
    dirs: BTreeMap<String, Dir>,
}

#[derive(Serialize)]
struct Dir {
    path: String,
    access: &'static str,
}

/// Makes the tasks; `status` is the text of logrotate's status file.
pub fn tasks(read: &Configuration, status: &str) -> Tasks {
    let (state, damages) = State::read(status);
    let mut made = Tasks::default();
    let problems = read
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error);
    made.left.extend(problems.map(ToString::to_string));
    made.left.extend(
        damages
            .iter()
            .map(|damage| format!("line {} of the status file: {}", damage.line, damage.why)),
    );
    let mut taken = BTreeSet::new();
    for section in &read.sections {
        let place = format!("{}:{}", section.file, section.line);
        let folders = folders(std::slice::from_ref(section));
        if folders.is_empty() {
            made.left.push(format!(
                "{place}: the folder of {} does not exist",
                section.text.trim()
            ));
            continue;
        }
        let name = name(section, &mut taken);
        left_out(section, &name, &mut made.left);
        let file = File {
            tasks: [(name.clone(), task(section, &place, folders, &state))].into(),
        };
        match toml::to_string(&file) {
            Ok(toml) => {
                let gap = if made.toml.is_empty() { "" } else { "\n" };
                made.toml.push_str(&format!("{gap}{toml}"));
                made.tasks.push(name);
            }
            Err(error) => made.left.push(format!("{place}: {error}")),
        }
    }
    made
}

fn task(section: &Section, place: &str, folders: BTreeSet<String>, state: &State) -> Task {
    let names = folders
        .into_iter()
        .enumerate()
        .map(|(number, folder)| match number {
            0 => ("logs".to_owned(), folder),
            number => (format!("logs-{number}"), folder),
        });
    let names: Vec<_> = names.collect();
    let seed = section.logs.iter().filter_map(|log| {
        let at = state.logs.get(log)?;
        Some((log.clone(), State::time_text(*at)))
    });
    let dir = |path: &String| Dir {
        path: path.clone(),
        access: "read-write",
    };
    Task {
        description: format!(
            "Rotates {}, as {place} says",
            section
                .text
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        ),
        plugin: "logrotate",
        action: "rotate",
        schedule: Schedule {
            cron: cron(section.options.when),
            tz: super::zone(),
        },
        config: Config {
            conf_text: format!(
                "{} {{\n{}}}\n",
                section.text.trim(),
                section.options.directives()
            ),
            tz: super::zone(),
            seed: seed.collect(),
            roots: names
                .iter()
                .map(|(name, folder)| (folder.clone(), format!("/{name}")))
                .collect(),
        },
        grants: Grants {
            dirs: names
                .iter()
                .map(|(name, folder)| (name.clone(), dir(folder)))
                .collect(),
        },
    }
}

/// As often as the entry can be due; logrotate itself mostly runs once a day.
fn cron(when: When) -> &'static str {
    match when {
        When::Hourly => "0 * * * *",
        When::Monthly => "0 0 1 * *",
        When::Yearly => "0 0 1 1 *",
        _ => "0 0 * * *",
    }
}

/// A name from the configuration's file, or the log's.
fn name(section: &Section, taken: &mut BTreeSet<String>) -> String {
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let first = section
        .patterns
        .first()
        .map(|pattern| base(pattern))
        .unwrap_or_default();
    let file = base(&section.file);
    let word = if file.contains("logrotate") {
        first
    } else {
        file
    };
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let word: String = word.chars().map(plain).collect();
    let word: Vec<_> = word.split('-').filter(|part| !part.is_empty()).collect();
    let base = format!(
        "rotate-{}",
        if word.is_empty() {
            "logs".to_owned()
        } else {
            word.join("-")
        }
    );
    let mut name = base.clone();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{base}-{number}");
    }
    name
}

/// Shell text is nothing that a task has.
fn left_out(section: &Section, task: &str, left: &mut Vec<String>) {
    for (event, script) in &section.options.scripts {
        let word = event.word();
        let text: Vec<_> = script.text.split_whitespace().collect();
        let text: String = text.join(" ").chars().take(120).collect();
        left.push(format!(
            "{}:{}: the {word} of {task} is shell text (`{text}`), which a task does not run: grant what it does \
             as processes.NAME, a signal to a pid file or a whole command, and set config.scripts.{word} = \"NAME\"",
            script.file, script.line
        ));
    }
    if let Some(address) = &section.options.mail {
        left.push(format!(
            "{}:{}: {task} mails to {address}: define a channel to there, grant it as channels = [\"NAME\"], and set \
             config.scripts.mail = {{ channel = \"NAME\" }}",
            section.file, section.line
        ));
    }
    let owner = section
        .options
        .create
        .filter(|owner| owner.mode.is_none() && owner.uid.is_some_and(|uid| uid > 0));
    if owner.is_some() {
        left.push(format!(
            "{}:{}: {task} creates logs for another owner without saying their mode: write the mode too",
            section.file, section.line
        ));
    }
    if let Err(command) = &section.options.compressor.format
        && section.options.compress
    {
        left.push(format!(
            "{}:{}: {task} compresses by `{command}`, which mhost does not have: choose gzip, zstd or xz",
            section.file, section.line
        ));
    }
}
