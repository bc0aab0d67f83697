//! What a configuration asks for: the folders of its logs and archives, and its scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mhost_format_logrotate::{Configuration, Event, Names, Options, Section, is_pattern};
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
    /// Folders that do not exist, and so are not granted.
    pub absent: BTreeSet<String>,
    /// Scripts, and the grants that stand for them.
    pub scripts: BTreeMap<String, serde_json::Value>,
}

/// What of a configuration's folders is there.
#[derive(Debug, Default)]
pub struct Folders {
    /// As few and as deep as possible, without those that lie in another one.
    pub there: BTreeSet<String>,
    pub absent: BTreeSet<String>,
}

/// The folders of the logs and archives of sections. A log and its archives are reached
/// through one folder, because names do not move between grants.
pub fn folders(sections: &[Section]) -> Folders {
    let mut found = Folders::default();
    for section in sections {
        let paths = section
            .logs
            .iter()
            .chain(section.patterns.iter().filter(|path| path.starts_with('/')));
        for log in paths {
            match reach(log, &section.options) {
                Ok(there) => found.there.extend(there),
                Err(absent) => drop(found.absent.insert(absent)),
            }
        }
    }
    found.there = outermost(&found.there);
    found
}

/// What must be granted for a log, or the logs of a pattern; or the folder that it lacks. No
/// more than what is there is granted for what is not, but for archives whose folder is to
/// be made.
pub fn reach(log: &str, options: &Options) -> Result<Vec<String>, String> {
    let log = fixed(log);
    let folder = log.rsplit_once('/').map_or("", |(folder, _)| folder);
    if folder.is_empty() {
        // What lies in the root itself: all of the machine is never granted.
        return Ok(Vec::new());
    }
    if !Path::new(folder).is_dir() {
        return Err(folder.to_owned());
    }
    let archives = Names::new(&log, options).folder;
    let made = options.createolddir.is_some();
    let archives = match Path::new(&archives).is_dir() {
        true => Some(archives),
        false if made => standing(&archives),
        false => return Err(archives),
    };
    let Some(archives) = archives else {
        return Ok(vec![folder.to_owned()]);
    };
    Ok(match common(folder, &archives) {
        Some(common) => vec![common],
        None => vec![folder.to_owned(), archives],
    })
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
    let state = state.and_then(|state| Some(state.rsplit_once('/')?.0));
    match state.filter(|folder| !folder.is_empty()) {
        Some(folder) if Path::new(folder).is_dir() => drop(folders.there.insert(folder.to_owned())),
        Some(folder) => drop(folders.absent.insert(folder.to_owned())),
        None => {}
    }
    let mut granted = Granted {
        absent: folders.absent,
        ..Granted::default()
    };
    for (number, folder) in outermost(&folders.there).into_iter().enumerate() {
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

    #[test]
    fn nothing_is_granted_for_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let at = |name: &str| logs.join(name).display().to_string();
        let here = logs.display().to_string();
        let old = |createolddir: bool| Options {
            olddir: Some("old/er".to_owned()),
            createolddir: createolddir.then(Default::default),
            ..Options::default()
        };
        for (log, options, expected) in [
            (at("*.log"), Options::default(), Ok(vec![here.clone()])),
            (at("none/a.log"), Options::default(), Err(at("none"))),
            (at("none/*/a.log"), Options::default(), Err(at("none"))),
            (at("a.log"), old(true), Ok(vec![here.clone()])),
            (at("a.log"), old(false), Err(at("old/er"))),
            ("/a.log".to_owned(), Options::default(), Ok(Vec::new())),
        ] {
            assert_eq!(reach(&log, &options), expected, "{log}");
        }
    }
}
