//! `--dir`, `--db`, `--repo`, `--remote`, `--login`, `--net`, `--secret`, `--process`, `--command`,
//! `--task`, `--channel`.
//!
//! A value is `NAME=REST`, and what follows the last colon of the rest says what may be done:
//! paths and URLs hold colons themselves, so it is split from the right.

use std::path::Path;

use mhost_model::grant::{
    CommandGrant, DatabaseGrant, DirGrant, Origin, ProcessGrant, RemoteGrant, RepositoryGrant,
    SecretSource, SignalGrant, repository_password,
};
use mhost_model::resource::{DatabaseDef, Endpoint};
use mhost_model::{Name, NameError};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::{ExecArgs, ExecGrants, Wrong};
use crate::config::mistake::{ConfigError, Mistake, Refusal};
use crate::config::scalar::short;
use crate::config::shape::{SIGNAL, Scalar};
use crate::config::source::Extent;
use crate::config::suggest;

/// A part of a value and where it stands.
type Part<'a> = (&'a str, Extent);

/// How one option is read.
struct Grammar {
    option: &'static str,
    form: &'static str,
    read: fn(&mut ExecGrants, &Value) -> Result<(), Wrong>,
}

/// An option's value.
struct Value<'a> {
    text: &'a str,
    folder: &'a Path,
}

pub(super) fn read(args: &ExecArgs, folder: &Path) -> Result<ExecGrants, ConfigError> {
    let mut all = ExecGrants::default();
    let mut mistakes = Vec::new();
    let given = [
        &args.dirs,
        &args.databases,
        &args.repositories,
        &args.remotes,
        &args.logins,
        &args.net,
        &args.secrets,
        &args.processes,
        &args.commands,
        &args.tasks,
        &args.channels,
    ];
    for (grammar, texts) in GRAMMARS.iter().zip(given) {
        for text in texts {
            let value = Value { text, folder };
            if let Err(wrong) = (grammar.read)(&mut all, &value) {
                mistakes.push(wrong.told(grammar.option, grammar.form, text));
            }
        }
    }
    if mistakes.is_empty() {
        mistakes.extend(passwords(&all));
    }
    ConfigError::of(mistakes).map_or(Ok(all), Err)
}

const GRAMMARS: [Grammar; 11] = [
    Grammar {
        option: "--dir",
        form: "NAME=PATH:ro|rw",
        read: dir,
    },
    Grammar {
        option: "--db",
        form: "NAME=ENGINE:PATH:VERB,VERB",
        read: database,
    },
    Grammar {
        option: "--repo",
        form: "NAME=URL:VERB,VERB",
        read: repository,
    },
    Grammar {
        option: "--remote",
        form: "NAME=URL:ro|rw",
        read: remote,
    },
    Grammar {
        option: "--login",
        form: "NAME=USER:file:PATH|env:VAR|credential:NAME",
        read: login,
    },
    Grammar {
        option: "--net",
        form: "ORIGIN",
        read: net,
    },
    Grammar {
        option: "--secret",
        form: "NAME=file:PATH|env:VAR|credential:NAME",
        read: secret,
    },
    Grammar {
        option: "--process",
        form: "NAME=PID_FILE:HUP|USR1|USR2|WINCH|NONE",
        read: process,
    },
    Grammar {
        option: "--command",
        form: "NAME=PROGRAM ARGUMENT ...",
        read: command,
    },
    Grammar {
        option: "--task",
        form: "NAME",
        read: |all, value| {
            let name = value.only_a_name()?;
            all.grants.tasks.insert(name);
            Ok(())
        },
    },
    Grammar {
        option: "--channel",
        form: "NAME",
        read: |all, value| {
            let name = value.only_a_name()?;
            all.grants.channels.insert(name);
            Ok(())
        },
    },
];

/// A repository's password is the secret `repo`.
fn passwords(all: &ExecGrants) -> Option<Mistake> {
    let password = repository_password();
    if all.grants.repositories.is_empty() || all.grants.secrets.contains_key(&password) {
        return None;
    }
    let message =
        format!("a repository's password is the secret `{password}`, which is not granted");
    let help = format!("add `--secret {password}=file:PATH` or `--secret {password}=env:VAR`");
    Some(Mistake::outside("--repo", Refusal::new(message, help)))
}

impl<'a> Value<'a> {
    fn whole(&self) -> Part<'a> {
        (self.text, 0..self.text.len())
    }

    /// The whole of it as a name.
    fn only_a_name(&self) -> Result<Name, Wrong> {
        let name = self.text.parse();
        name.map_err(|error: NameError| refused(self.whole().1, error))
    }

    /// The name before the first `=`, and the rest; `taken` says which names are.
    fn named(&self, taken: impl Fn(&Name) -> bool) -> Result<(Name, Part<'a>), Wrong> {
        let Some(at) = self.text.find('=') else {
            return Err(Wrong::new(
                self.whole().1,
                "there is no `=`",
                "begin with a name and `=`",
            ));
        };
        let name: Name = self.text[..at]
            .parse()
            .map_err(|error: NameError| refused(0..at, error))?;
        if taken(&name) {
            let message = format!("the name `{name}` is given twice");
            return Err(Wrong::new(0..at, message, "give each its own name"));
        }
        Ok((name, (&self.text[at + 1..], at + 1..self.text.len())))
    }

    /// Reads a part as a single value.
    fn scalar(&self, scalar: Scalar, (text, extent): &Part) -> Result<Json, Wrong> {
        let refused = |refusal| Wrong {
            extent: extent.clone(),
            refusal,
        };
        scalar.read_text(text, self.folder).map_err(refused)
    }
}

fn refused(extent: Extent, error: impl std::fmt::Display) -> Wrong {
    Wrong {
        extent,
        refusal: Refusal::of(error),
    }
}

/// What stands before and after the last colon.
fn last<'a>((text, extent): &Part<'a>, missing: &str) -> Result<(Part<'a>, Part<'a>), Wrong> {
    let Some(at) = text.rfind(':') else {
        return Err(Wrong::new(
            extent.clone(),
            format!("{missing} is missing"),
            format!("end with `:` and {missing}"),
        ));
    };
    let (begin, end) = (extent.start, extent.end);
    Ok((
        (&text[..at], begin..begin + at),
        (&text[at + 1..], begin + at + 1..end),
    ))
}

fn access((text, extent): &Part) -> Result<Json, Wrong> {
    match *text {
        "ro" | "read-only" => Ok(json!("read-only")),
        "rw" | "read-write" => Ok(json!("read-write")),
        other => {
            let message = format!("`{}` is not an access", short(other));
            Err(Wrong::new(extent.clone(), message, "write `ro` or `rw`"))
        }
    }
}

/// `VERB,VERB`, each one of the model's.
fn verbs<T: DeserializeOwned + Ord>(
    (text, extent): &Part,
    known: &[&str],
) -> Result<std::collections::BTreeSet<T>, Wrong> {
    let mut at = extent.start;
    let mut verbs = std::collections::BTreeSet::new();
    for word in text.split(',') {
        let here = at..at + word.len();
        at = here.end + 1;
        let verb = serde_json::from_value(json!(word)).map_err(|_| {
            let known = || known.iter().copied();
            let help = suggest::remedy(word, known(), || {
                format!("the verbs are {}", suggest::list(known()))
            });
            Wrong::new(here, format!("`{}` is not a verb here", short(word)), help)
        })?;
        verbs.insert(verb);
    }
    Ok(verbs)
}

/// A model's type from JSON that was checked already.
fn model<T: DeserializeOwned>(value: &Value, json: Json) -> Result<T, Wrong> {
    serde_json::from_value(json).map_err(|error| refused(value.whole().1, error))
}

fn dir(all: &mut ExecGrants, value: &Value) -> Result<(), Wrong> {
    let (name, rest) = value.named(|name| all.grants.dirs.contains_key(name))?;
    let (path, word) = last(&rest, "`ro` or `rw`")?;
    let access = access(&word)?;
    let path = value.scalar(Scalar::Path, &path)?;
    let grant: DirGrant = model(value, json!({ "path": path, "access": access }))?;
    all.grants.dirs.insert(name, grant);
    Ok(())
}

fn database(all: &mut ExecGrants, value: &Value) -> Result<(), Wrong> {
    let (name, rest) = value.named(|name| all.databases.contains_key(name))?;
    let (place, words) = last(&rest, "what may be done with it")?;
    let (text, extent) = &place;
    let Some(at) = text.find(':') else {
        return Err(Wrong::new(
            extent.clone(),
            "the engine, the path or the verbs are missing",
            "write all three, with colons between",
        ));
    };
    let engine: Part = (&text[..at], extent.start..extent.start + at);
    let path: Part = (&text[at + 1..], extent.start + at + 1..extent.end);
    let engine = value.scalar(Scalar::Word(&[("redb", ""), ("sqlite", "")]), &engine)?;
    let path = value.scalar(Scalar::Path, &path)?;
    let known = [
        "read", "write", "snapshot", "pack", "verify", "restore", "recover",
    ];
    let grant = DatabaseGrant {
        verbs: verbs(&words, &known)?,
        tables: None,
    };
    let definition: DatabaseDef = model(value, json!({ "engine": engine, "path": path }))?;
    all.databases.insert(name.clone(), definition);
    all.grants.databases.insert(name, grant);
    Ok(())
}

fn repository(all: &mut ExecGrants, value: &Value) -> Result<(), Wrong> {
    let (name, rest) = value.named(|name| all.repositories.contains_key(name))?;
    let (url, words) = last(&rest, "what may be done with it")?;
    let url = value.scalar(Scalar::Repository, &url)?;
    let known = ["append", "read", "forget", "prune", "check", "keys"];
    let grant = RepositoryGrant {
        verbs: verbs(&words, &known)?,
        password: repository_password(),
    };
    let endpoint: Endpoint = model(value, json!({ "url": url }))?;
    all.repositories.insert(name.clone(), endpoint.into());
    all.grants.repositories.insert(name, grant);
    Ok(())
}

fn remote(all: &mut ExecGrants, value: &Value) -> Result<(), Wrong> {
    let (name, rest) = value.named(|name| all.remotes.contains_key(name))?;
    let (url, word) = last(&rest, "`ro` or `rw`")?;
    let grant: RemoteGrant = model(value, json!({ "access": access(&word)? }))?;
    let url = value.scalar(Scalar::Remote, &url)?;
    let endpoint: Endpoint = model(value, json!({ "url": url }))?;
    all.remotes.insert(name.clone(), endpoint.into());
    all.grants.remotes.insert(name, grant);
    Ok(())
}

fn net(all: &mut ExecGrants, value: &Value) -> Result<(), Wrong> {
    let origin: Origin = value
        .text
        .parse()
        .map_err(|error| refused(value.whole().1, error))?;
    all.grants.net.insert(origin);
    Ok(())
}

fn secret(all: &mut ExecGrants, value: &Value) -> Result<(), Wrong> {
    let (name, part) = value.named(|name| all.grants.secrets.contains_key(name))?;
    let source = secret_source(value, part)?;
    all.grants.secrets.insert(name, source);
    Ok(())
}

fn secret_source(value: &Value, (text, extent): Part) -> Result<SecretSource, Wrong> {
    let source = text.split_once(':');
    let (kind, of) = source.unwrap_or((text, ""));
    let part: Part = (of, extent.end - of.len()..extent.end);
    let word = Scalar::Text(256, crate::config::shape::Empty::Refused);
    let of = match kind {
        "file" if source.is_some() => value.scalar(Scalar::Path, &part)?,
        "env" | "credential" if source.is_some() => value.scalar(word, &part)?,
        _ => {
            let message = "this is not a secret's source";
            let help = "a secret is never given on the command line itself: write `file:`, `env:` or `credential:` and where it is";
            return Err(Wrong::new(extent, message, help));
        }
    };
    model(value, json!({ kind: of }))
}

/// Who logs in where a repository or a remote is kept; they are read before.
fn login(all: &mut ExecGrants, value: &Value) -> Result<(), Wrong> {
    let (name, (text, extent)) = value.named(|_| false)?;
    let Some(at) = text.find(':').filter(|at| *at > 0) else {
        let message = "the user or the secret's source is missing";
        return Err(Wrong::new(
            extent,
            message,
            "write both, with a colon between",
        ));
    };
    let rest: Part = (&text[at + 1..], extent.start + at + 1..extent.end);
    let secret = secret_source(value, rest)?;
    let repository = all.repositories.get_mut(&name);
    let remote = all.remotes.get_mut(&name);
    let endpoints = repository.map(|one| &mut one.endpoint);
    let endpoints: Vec<_> = endpoints
        .into_iter()
        .chain(remote.map(|one| &mut one.endpoint))
        .collect();
    if endpoints.is_empty() {
        let message = format!("there is no `--repo` and no `--remote` named `{name}`");
        let help = "give the login the name of what it is for";
        return Err(Wrong::new(0..name.as_str().len(), message, help));
    }
    for endpoint in endpoints {
        endpoint.user = Some(text[..at].to_owned());
        endpoint.secret = Some(secret.clone());
    }
    Ok(())
}

fn process(all: &mut ExecGrants, value: &Value) -> Result<(), Wrong> {
    let (name, rest) = value.named(|name| all.grants.processes.contains_key(name))?;
    let (path, signal) = last(&rest, "the signal")?;
    let path = value.scalar(Scalar::Path, &path)?;
    let signal = value.scalar(SIGNAL, &signal)?;
    let grant: SignalGrant = model(value, json!({ "pid_file": path, "signal": signal }))?;
    let grant = ProcessGrant::Signal(grant);
    all.grants.processes.insert(name, grant);
    Ok(())
}

/// Words between blanks; where one holds a blank itself, all of them as a JSON array. There
/// is no shell, so nothing else has a meaning.
fn command(all: &mut ExecGrants, value: &Value) -> Result<(), Wrong> {
    let (name, (text, extent)) = value.named(|name| all.grants.processes.contains_key(name))?;
    let command: Vec<String> = match text.trim_start().starts_with('[') {
        true => serde_json::from_str(text).map_err(|error| {
            let message = format!("this is no list of words in JSON: {error}");
            let help = "write `[\"/usr/sbin/nginx\", \"-s\", \"reopen\"]`";
            Wrong::new(extent.clone(), message, help)
        })?,
        false => text.split_whitespace().map(str::to_owned).collect(),
    };
    let program = command.first().map(String::as_str).unwrap_or_default();
    if !program.starts_with('/') {
        let message = format!("`{}` is not an absolute path", short(program));
        let help = "write the program's whole path, such as `/usr/sbin/nginx`";
        return Err(Wrong::new(extent, message, help));
    }
    for word in &command {
        value.scalar(Scalar::Argument, &(word.as_str(), extent.clone()))?;
    }
    let grant = ProcessGrant::Command(CommandGrant { command });
    all.grants.processes.insert(name, grant);
    Ok(())
}
