//! What to add so that a denied thing is granted: a line of the task's grants or, where
//! the grants were options of a command, an option.

use std::collections::BTreeMap;
use std::path::Path;

use mhost_model::Name;
use mhost_model::grant::Access;

use super::verbs::{self, ProcessVerb};
use crate::api::{Given, GrantedBy};

/// A grant that is missing, or too narrow.
pub(super) enum Missing<'a> {
    Directory {
        name: &'a str,
        /// Where the directory is granted already.
        path: Option<&'a Path>,
        access: Access,
    },
    Database {
        name: &'a str,
        verbs: Vec<&'static str>,
    },
    Tables {
        name: &'a Name,
        tables: Vec<&'a str>,
    },
    Repository {
        name: &'a str,
        verbs: Vec<&'static str>,
    },
    Remote {
        name: &'a str,
        access: Access,
    },
    Origin {
        wanted: String,
        granted: Vec<String>,
        /// Whether there are more that are granted.
        more: bool,
    },
    Secret {
        name: &'a str,
    },
    Process {
        name: &'a str,
        verb: ProcessVerb,
    },
    /// A member of the list `LISTs`, and the option `--LIST`.
    Listed {
        list: &'static str,
        wanted: &'a str,
        granted: Vec<&'a str>,
    },
}

impl Missing<'_> {
    pub(super) fn remedy(&self, granted_by: &GrantedBy, task: &str) -> String {
        match granted_by {
            GrantedBy::Task => {
                let line = self.line();
                format!("[tasks.{task}.grants] {}", verbs::clip(&line))
            }
            GrantedBy::Options(given) => verbs::clip(&self.option(given)).to_owned(),
        }
    }

    /// As it stands in the configuration.
    fn line(&self) -> String {
        match self {
            Self::Directory { name, path, access } => {
                let path = path.unwrap_or(Path::new("/…"));
                let access = verbs::access(*access);
                format!("dirs.{name} = {{ path = {path:?}, access = \"{access}\" }}")
            }
            Self::Database { name, verbs } => {
                format!("databases.{name} = {{ verbs = [{}] }}", verbs::list(verbs))
            }
            Self::Tables { name, tables } => {
                format!("databases.{name}.tables = [{}]", verbs::list(tables))
            }
            Self::Repository { name, verbs } => format!(
                "repositories.{name} = {{ verbs = [{}] }}",
                verbs::list(verbs)
            ),
            Self::Remote { name, access } => {
                let access = verbs::access(*access);
                format!("remotes.{name} = {{ access = \"{access}\" }}")
            }
            Self::Origin {
                wanted,
                granted,
                more,
            } => {
                let list = verbs::list(granted.iter().chain([wanted]));
                match more {
                    true => format!("net = [{list}, …]"),
                    false => format!("net = [{list}]"),
                }
            }
            Self::Secret { name } => format!("secrets.{name} = {{ file = \"/…\" }}"),
            Self::Process { name, verb } => format!("processes.{name} = {}", verb.example()),
            Self::Listed {
                list,
                wanted,
                granted,
            } => format!(
                "{list}s = [{}]",
                verbs::list(granted.iter().chain([wanted]))
            ),
        }
    }

    /// As it stands on the command line.
    fn option(&self, given: &Given) -> String {
        match self {
            Self::Directory { name, path, access } => {
                let path = path.unwrap_or(Path::new("PATH")).display();
                format!("--dir {name}={path}:{}", short(*access))
            }
            Self::Database { name, verbs } => {
                let place = place(&given.databases, name, "ENGINE:PATH");
                format!("--db {name}={place}:{}", verbs.join(","))
            }
            Self::Tables { name, .. } => {
                let place = place(&given.databases, name.as_str(), "ENGINE:PATH");
                format!("--db {name}={place}:VERBS")
            }
            Self::Repository { name, verbs } => {
                let place = place(&given.repositories, name, "URL");
                format!("--repo {name}={place}:{}", verbs.join(","))
            }
            Self::Remote { name, access } => {
                let place = place(&given.remotes, name, "URL");
                format!("--remote {name}={place}:{}", short(*access))
            }
            Self::Origin { wanted, .. } => format!("--net {wanted}"),
            Self::Secret { name } => format!("--secret {name}=file:PATH"),
            Self::Process { name, verb } => verb.option(name),
            Self::Listed { list, wanted, .. } => format!("--{list} {wanted}"),
        }
    }
}

/// What was given for the name already, else what to write there.
fn place<'a>(given: &'a BTreeMap<Name, String>, name: &str, form: &'a str) -> &'a str {
    given.get(name).map_or(form, String::as_str)
}

fn short(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "ro",
        Access::ReadWrite => "rw",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn names() -> Name {
        "log".parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn both_forms_of_each() {
        let (name, place) = ("log", Path::new("/var/log"));
        let (read, write) = (Access::ReadOnly, Access::ReadWrite);
        let table = names();
        for (missing, line, option) in [
            (
                Missing::Directory {
                    name,
                    path: None,
                    access: read,
                },
                "dirs.log = { path = \"/…\", access = \"read-only\" }",
                "--dir log=PATH:ro",
            ),
            (
                Missing::Directory {
                    name,
                    path: Some(place),
                    access: write,
                },
                "dirs.log = { path = \"/var/log\", access = \"read-write\" }",
                "--dir log=/var/log:rw",
            ),
            (
                Missing::Database {
                    name,
                    verbs: vec!["read", "pack"],
                },
                "databases.log = { verbs = [\"read\", \"pack\"] }",
                "--db log=ENGINE:PATH:read,pack",
            ),
            (
                Missing::Tables {
                    name: &table,
                    tables: vec!["a", "b"],
                },
                "databases.log.tables = [\"a\", \"b\"]",
                "--db log=ENGINE:PATH:VERBS",
            ),
            (
                Missing::Repository {
                    name,
                    verbs: vec!["append"],
                },
                "repositories.log = { verbs = [\"append\"] }",
                "--repo log=URL:append",
            ),
            (
                Missing::Remote {
                    name,
                    access: write,
                },
                "remotes.log = { access = \"read-write\" }",
                "--remote log=URL:rw",
            ),
            (
                Missing::Origin {
                    wanted: "http://b".into(),
                    granted: vec!["http://a".into()],
                    more: false,
                },
                "net = [\"http://a\", \"http://b\"]",
                "--net http://b",
            ),
            (
                Missing::Origin {
                    wanted: "http://b".into(),
                    granted: Vec::new(),
                    more: true,
                },
                "net = [\"http://b\", …]",
                "--net http://b",
            ),
            (
                Missing::Secret { name },
                "secrets.log = { file = \"/…\" }",
                "--secret log=file:PATH",
            ),
            (
                Missing::Process {
                    name,
                    verb: ProcessVerb::Run,
                },
                "processes.log = { command = [\"/…\"] }",
                "--command 'log=PROGRAM ARGUMENT ...'",
            ),
            (
                Missing::Listed {
                    list: "channel",
                    wanted: "b",
                    granted: vec!["a"],
                },
                "channels = [\"a\", \"b\"]",
                "--channel b",
            ),
        ] {
            let line = format!("[tasks.t.grants] {line}");
            assert_eq!(missing.remedy(&GrantedBy::Task, "t"), line);
            let nothing = GrantedBy::Options(Arc::default());
            assert_eq!(missing.remedy(&nothing, "t"), option);
        }
    }

    #[test]
    fn what_was_given_is_repeated() {
        let named = |text: &str| [(names(), text.to_owned())].into();
        let given = Given {
            databases: named("sqlite:/a b.db"),
            repositories: named("/vault"),
            remotes: named("file:/far"),
        };
        let given = GrantedBy::Options(Arc::new(given));
        let (name, verbs) = ("log", vec!["read"]);
        let access = Access::ReadWrite;
        for (missing, option) in [
            (
                Missing::Database {
                    name,
                    verbs: verbs.clone(),
                },
                "--db log=sqlite:/a b.db:read",
            ),
            (
                Missing::Repository { name, verbs },
                "--repo log=/vault:read",
            ),
            (
                Missing::Remote { name, access },
                "--remote log=file:/far:rw",
            ),
        ] {
            assert_eq!(missing.remedy(&given, "t"), option);
        }
    }
}
