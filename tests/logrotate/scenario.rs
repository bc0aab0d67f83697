//! Scenarios as text. A file holds many:
//!
//! ```text
//! ### name of the scenario
//! [options] force, root, command, times 2, code 1, owner 1, state-mode 0644
//! [files]
//! app.log 0640 0:0 3d content of the file
//! [state]
//! /logs/app.log 26h
//! [conf]
//! /logs/app.log {
//! }
//! [mhost]
//! app.log.1
//! ```
//!
//! A file has a name, a mode, an owner, an age and a content (`dir`, `fifo`, `-> target`
//! and `= other`, a hard link, are no contents); `{today}`, `{yesterday}` and `{days N}` in
//! names are dates as `dateext` writes them. Names that end with `.gz` are compressed.
//! `owner` is that of the configuration. With `[mhost]`, mhost means to differ: these names are
//! left.

use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta};

/// How mhost is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    Exec,
    Command,
}

#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: String,
    pub through: Through,
    pub force: bool,
    pub root: bool,
    pub times: u32,
    pub code: Option<i32>,
    /// Who owns the configuration.
    pub owner: u32,
    pub state_mode: u32,
    pub arguments: Vec<String>,
    pub files: Vec<File>,
    /// Logs and how long ago they were rotated, seconds.
    pub state: Vec<(String, i64)>,
    pub configuration: String,
    pub expected: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct File {
    pub name: String,
    pub mode: u32,
    pub owner: (u32, u32),
    /// Seconds.
    pub age: i64,
    pub content: String,
}

/// All scenarios of a file.
pub fn read(file: &Path) -> Vec<Scenario> {
    let text = fs::read_to_string(file).unwrap();
    let parts = text.split("### ").skip(1);
    let group = file.file_stem().unwrap().to_str().unwrap();
    parts.map(|part| one(group, part)).collect()
}

fn one(group: &str, text: &str) -> Scenario {
    let (name, rest) = text.split_once('\n').unwrap();
    let mut scenario = Scenario {
        name: format!("{group}: {}", name.trim()),
        through: Through::Exec,
        force: false,
        root: false,
        times: 1,
        code: None,
        owner: 0,
        state_mode: 0o640,
        arguments: Vec::new(),
        files: Vec::new(),
        state: Vec::new(),
        configuration: String::new(),
        expected: Vec::new(),
    };
    let mut part = "";
    for line in rest.lines() {
        let head = line
            .split_once(']')
            .filter(|(head, _)| PARTS.contains(head));
        let line = match head {
            Some((head, rest)) => {
                part = head;
                rest
            }
            None => line,
        };
        if head.is_none() || !line.trim().is_empty() {
            scenario.take(part, line);
        }
    }
    scenario
}

const PARTS: [&str; 5] = ["[options", "[files", "[state", "[conf", "[mhost"];

impl Scenario {
    fn take(&mut self, part: &str, line: &str) {
        match part {
            "[options" => line.split(',').for_each(|word| self.option(word.trim())),
            "[conf" => self.configuration.push_str(&format!("{line}\n")),
            _ if line.trim().is_empty() => {}
            "[files" => self.files.push(file(line)),
            "[state" => {
                let (log, age) = line.rsplit_once(' ').unwrap();
                self.state.push((log.to_owned(), seconds(age)));
            }
            "[mhost" => self.expected.push(dated(line.trim())),
            part => panic!("{}: {part} {line}", self.name),
        }
    }

    fn option(&mut self, word: &str) {
        match word.split_once(' ').unwrap_or((word, "")) {
            ("", _) => {}
            ("force", _) => self.force = true,
            ("root", _) => self.root = true,
            ("command", _) => self.through = Through::Command,
            ("times", count) => self.times = count.parse().unwrap(),
            ("code", code) => self.code = Some(code.parse().unwrap()),
            ("owner", owner) => self.owner = owner.parse().unwrap(),
            ("state-mode", mode) => self.state_mode = u32::from_str_radix(mode, 8).unwrap(),
            ("argument", argument) => self.arguments.push(argument.to_owned()),
            (word, _) => panic!("{}: no option {word}", self.name),
        }
    }
}

fn file(line: &str) -> File {
    // Dates have blanks in their braces.
    let mut words = line.replace("{days ", "{days-");
    words = dated(&words);
    let mut words = words.splitn(5, ' ');
    let mut next = || words.next().unwrap_or_default();
    let name = next().to_owned();
    let mode = u32::from_str_radix(next(), 8).unwrap();
    let (user, group) = next().split_once(':').unwrap();
    File {
        name,
        mode,
        owner: (user.parse().unwrap(), group.parse().unwrap()),
        age: seconds(next()),
        content: next().to_owned(),
    }
}

/// `3d`, `26h`, `90s`.
fn seconds(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let factor = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "s" => 1,
        unit => panic!("no unit {unit}"),
    };
    number.parse::<i64>().unwrap() * factor
}

/// Dates in the place of their words.
fn dated(text: &str) -> String {
    use mhost_model::{Clock as _, SystemClock};
    let now = SystemClock.now().timestamp();
    let day = |days: i64| {
        let at = DateTime::from_timestamp(now, 0).unwrap() - TimeDelta::days(days);
        at.format("%Y%m%d").to_string()
    };
    let mut text = text
        .replace("{today}", &day(0))
        .replace("{yesterday}", &day(1));
    while let Some(at) = text.find("{days") {
        let end = at + text[at..].find('}').unwrap();
        let days = text[at + 6..end].parse().unwrap();
        text.replace_range(at..=end, &day(days));
    }
    text
}
