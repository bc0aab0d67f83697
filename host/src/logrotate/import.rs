//! Tasks from a configuration: one for each entry, with the folders of its logs as grants,
//! and a schedule as often as it can be due.

use std::collections::{BTreeMap, BTreeSet};

use mhost_format_logrotate::{Configuration, Options, Section, State, When};
use serde::Serialize;

use super::Machine;
use super::grants::{folders, reach};

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
    made.left
        .extend(read.problems.iter().map(ToString::to_string));
    made.left.extend(
        damages
            .iter()
            .map(|damage| format!("line {} of the status file: {}", damage.line, damage.why)),
    );
    let mut taken = BTreeSet::new();
    for section in &read.sections {
        let place = format!("{}:{}", section.file, section.line);
        let Some(section) = reached(section, &place, &mut made.left) else {
            continue;
        };
        let section = &section;
        let folders = folders(std::slice::from_ref(section)).there;
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

/// A section with those of its patterns whose folders are there, so that nothing has to be
/// granted for the others; `None` where none is left.
fn reached(section: &Section, place: &str, left: &mut Vec<String>) -> Option<Section> {
    let mut kept = section.clone();
    kept.patterns.retain(|pattern| {
        let why = match reach(pattern, &section.options) {
            Ok(folders) if !folders.is_empty() => return true,
            Ok(_) => "it lies in `/` itself, and the whole machine is never granted".to_owned(),
            Err(absent) => format!("the folder {absent} does not exist: import it once it does"),
        };
        left.push(format!("{place}: {pattern}: {why}"));
        false
    });
    if kept.patterns.is_empty() {
        return None;
    }
    if kept.patterns.len() < section.patterns.len() {
        let words: Vec<_> = kept.patterns.iter().map(|pattern| word(pattern)).collect();
        kept.text = words.join(" ");
    }
    kept.logs.retain(|log| reach(log, &section.options).is_ok());
    Some(kept)
}

/// A pattern as one word of a configuration.
fn word(pattern: &str) -> String {
    match pattern.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\')) {
        true => format!("\"{}\"", pattern.replace('\\', "\\\\").replace('"', "\\\"")),
        false => pattern.to_owned(),
    }
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
            cron: cron(&section.options),
            tz: super::zone(),
        },
        config: Config {
            conf_text: section.entry(&Machine::name),
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

/// As often as the entry can be due; logrotate itself mostly runs once a day. What hangs on a
/// log's size or age can be due on any of them.
fn cron(options: &Options) -> &'static str {
    let limits = [
        options.minsize,
        options.maxsize,
        options.minage.map(u64::from),
    ];
    let any_day = limits.into_iter().flatten().any(|limit| limit > 0);
    match options.when {
        When::Hourly => "0 * * * *",
        _ if any_day => "0 0 * * *",
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
            "{}:{}: the {word} of {task} is shell text (`{text}`), which a task does not run, and without which it \
             rotates nothing: grant what it does as processes.NAME, a signal to a pid file or a whole command, and set \
             config.scripts.{word} = \"NAME\"; or take it out of config.conf_text",
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
