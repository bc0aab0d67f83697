//! What a configuration asks for: the folders of its logs and archives, and its scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use mhost_format_logrotate::{Configuration, Event, Names, Section, is_pattern};
use mhost_model::Name;
use mhost_model::grant::{Access, CommandGrant, DirGrant, Grants, ProcessGrant};

use super::standing;
use crate::exit::{Outcomes, Problem};

/// Grants, and how the run finds what was granted.
#[derive(Debug, Default)]
pub struct Granted {
    pub grants: Grants,
    /// Folders, and the guest paths that they have in the run.
    pub roots: BTreeMap<String, String>,
    /// Scripts, and the grants that stand for them.
    pub scripts: BTreeMap<String, serde_json::Value>,
}

/// The folders that a configuration's logs and archives lie in, as few and as deep as
/// possible. A log and its archives are reached through one folder, because names do not
/// move between grants.
pub fn folders(sections: &[Section]) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for section in sections {
        let paths = section
            .logs
            .iter()
            .chain(section.patterns.iter().filter(|path| path.starts_with('/')));
        for log in paths {
            let log = fixed(log);
            let folder = log.rsplit_once('/').map_or("", |(folder, _)| folder);
            let archives = Names::new(&log, &section.options).folder;
            let (Some(folder), Some(archives)) = (standing(folder), standing(&archives)) else {
                continue;
            };
            match common(&folder, &archives) {
                Some(common) => drop(wanted.insert(common)),
                None => wanted.extend([folder, archives]),
            }
        }
    }
    outermost(&wanted)
}

/// The part of a path before its first pattern, with a name at its end.
fn fixed(path: &str) -> String {
    let names: Vec<_> = path.split('/').collect();
    let wild = |name: &&str| is_pattern(name) || name.contains('{');
    match names.iter().position(wild) {
        Some(at) => format!("{}/x", names[..at].join("/")),
        None => path.to_owned(),
    }
}

/// The deepest folder above both; never the root.
fn common(a: &str, b: &str) -> Option<String> {
    let both = a.split('/').zip(b.split('/'));
    let same: Vec<_> = both.take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    (same.len() > 1).then(|| same.join("/"))
}

/// Without what lies in another one.
fn outermost(folders: &BTreeSet<String>) -> BTreeSet<String> {
    let within = |inner: &str| {
        let mut outer = folders.iter().filter(|outer| *outer != inner);
        outer.any(|outer| {
            inner
                .strip_prefix(outer.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        })
    };
    folders
        .iter()
        .filter(|folder| !within(folder))
        .cloned()
        .collect()
}

/// Grants for a run of the whole configuration.
pub fn grants(read: &Configuration, state: Option<&str>, mailer: &str) -> Outcomes<Granted> {
    let mut folders = folders(&read.sections);
    let state = state.and_then(|state| standing(state.rsplit_once('/')?.0));
    folders.extend(state);
    let mut granted = Granted::default();
    for (number, folder) in outermost(&folders).into_iter().enumerate() {
        let name = format!("d{number}");
        let grant = DirGrant {
            path: PathBuf::from(&folder),
            access: Access::ReadWrite,
        };
        granted.grants.dirs.insert(named(&name)?, grant);
        granted.roots.insert(folder, format!("/{name}"));
    }
    for section in &read.sections {
        for (event, script) in &section.options.scripts {
            let word = event.word();
            let key = format!("{word}@{}:{}", script.file, script.line);
            let name = format!("{word}-{}", granted.scripts.len());
            let words = words(section, *event, &script.text);
            granted.command(key, &name, words)?;
        }
        if let Some(address) = &section.options.mail {
            let name = format!("mail-{}", granted.scripts.len());
            granted.command(format!("mail@{address}"), &name, mail(mailer, address))?;
        }
    }
    Ok(granted)
}

impl Granted {
    fn command(&mut self, key: String, name: &str, command: Vec<String>) -> Outcomes<()> {
        let grant = ProcessGrant::Command(CommandGrant { command });
        self.grants.processes.insert(named(name)?, grant);
        self.scripts.insert(key, serde_json::json!({ "run": name }));
        Ok(())
    }
}

fn named(name: &str) -> Outcomes<Name> {
    name.parse()
        .map_err(|error| Problem::bug(format!("{name}: {error}")))
}

/// A script as logrotate runs it: by the shell, with the log, or all patterns, as arguments.
fn words(section: &Section, event: Event, text: &str) -> Vec<String> {
    let shared = section.options.sharedscripts && matches!(event, Event::Pre | Event::Post);
    let arguments = match event {
        Event::First | Event::Last => vec![section.text.clone()],
        _ if shared => vec![section.text.clone()],
        Event::Post => vec!["{1}".to_owned(), "{2}".to_owned()],
        Event::Pre | Event::Preremove => vec!["{1}".to_owned()],
    };
    let shell = ["/bin/sh", "-c", text, "logrotate_script"].map(str::to_owned);
    shell.into_iter().chain(arguments).collect()
}

/// Expands an archive into the mailer.
fn mail(mailer: &str, address: &str) -> Vec<String> {
    const SEND: &str = "case \"$3\" in *.gz) gzip -dc < \"$3\" ;; *.xz) xz -dc < \"$3\" ;; \
                        *.zst) zstd -qdc < \"$3\" ;; *) cat < \"$3\" ;; esac | \"$1\" -s \"$3\" \"$2\"";
    ["/bin/sh", "-c", SEND, "mail", mailer, address, "{1}"]
        .map(str::to_owned)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_few_and_deep() {
        let set = |folders: &[&str]| folders.iter().map(|folder| (*folder).to_owned()).collect();
        assert_eq!(
            outermost(&set(&["/a/b", "/a/b/c", "/a/bc"])),
            set(&["/a/b", "/a/bc"])
        );
        assert_eq!(common("/a/b/c", "/a/b/d").as_deref(), Some("/a/b"));
        assert_eq!(common("/a", "/b"), None);
        assert_eq!(fixed("/var/log/*/x.log"), "/var/log/x");
        assert_eq!(fixed("/var/log/{a,b}.log"), "/var/log/x");
    }
}
