//! `mhost exec`: a plugin once, without a stored task. It stands in the ledger like any
//! run.

use std::path::PathBuf;

use mhost_model::grant::SecretSource;
use mhost_model::limits::Limits;
use mhost_model::plugin::PluginRef;
use mhost_model::schedule::Schedule;
use mhost_model::task::TaskSpec;
use mhost_model::{ByteSize, Span};

use super::start::exit_code;
use super::{Context, bar, runs};
use crate::calls::start::Exec;
use crate::config::{self, ExecArgs};
use crate::execute::read_secret;
use crate::exit::{Outcomes, Problem};
use crate::session::{self, Session};

#[derive(clap::Args)]
pub struct Args {
    /// Built in, or an installed name@version
    plugin: PluginRef,
    action: String,
    /// A directory: NAME=PATH:ro or NAME=PATH:rw; it is /NAME for the plugin
    #[arg(long = "dir", value_name = "NAME=PATH:ro|rw")]
    dirs: Vec<String>,
    /// A database and what may be done with it
    #[arg(long = "db", value_name = "NAME=ENGINE:PATH:VERB,VERB")]
    databases: Vec<String>,
    /// A backup repository and what may be done with it
    #[arg(long = "repo", value_name = "NAME=URL:VERB,VERB")]
    repositories: Vec<String>,
    /// Remote storage
    #[arg(long = "remote", value_name = "NAME=URL:ro|rw")]
    remotes: Vec<String>,
    /// Who logs in where the repository or the remote NAME is kept, and where the password
    /// (for S3: the secret key) is read from
    #[arg(long = "login", value_name = "NAME=USER:file:PATH|env:VAR")]
    logins: Vec<String>,
    /// A peer, such as https://example.org or tcp://db.example.org:5432
    #[arg(long, value_name = "ORIGIN")]
    net: Vec<String>,
    /// A secret and where it is read from
    #[arg(long = "secret", value_name = "NAME=file:PATH|env:VAR")]
    secrets: Vec<String>,
    /// A process that may be looked for, and sent this signal
    #[arg(long = "process", value_name = "NAME=PID_FILE:SIGNAL|NONE")]
    processes: Vec<String>,
    /// A program that may be run, by its whole path; there is no shell
    #[arg(long = "command", value_name = "NAME=PROGRAM ARGUMENT ...")]
    commands: Vec<String>,
    /// Another task that may be looked at
    #[arg(long = "task", value_name = "NAME")]
    tasks: Vec<String>,
    /// A channel of the configuration that messages may be sent through
    #[arg(long = "channel", value_name = "NAME")]
    channels: Vec<String>,
    /// A key of the configuration: JSON, else a string; dots go into tables
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The whole configuration from a JSON file
    #[arg(long, value_name = "FILE.json", conflicts_with = "set")]
    config: Option<PathBuf>,
    /// Let nothing change, and report what would
    #[arg(long)]
    dry_run: bool,
    /// Most memory of the plugin, such as 256MiB
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory: Option<ByteSize>,
    /// Most time of the run, such as 30m
    #[arg(long, value_name = "DURATION", value_parser = time)]
    time: Option<Span>,
}

/// As little as a configuration may say.
fn memory(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|error| format!("{error}"))?;
    match size.0 < 64 << 10 {
        true => Err("it is too little: write at least `64 KiB`".into()),
        false => Ok(size),
    }
}

/// As short as a configuration may say.
fn time(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    match span.0.as_millis() {
        0 => Err("it is too short: write at least `1ms`".into()),
        _ => Ok(span),
    }
}

pub async fn run(args: Args, context: &Context) -> Outcomes<u8> {
    let exec = prepare(args)?;
    let session = Session::open(&context.home, true).await?;
    let view = bar::watch(&session, session::ask_long(&session, exec)).await;
    session.close().await?;
    let view = view?;
    context.output.data(&view, runs::show)?;
    Ok(exit_code(&view, false))
}

fn prepare(args: Args) -> Outcomes<Exec> {
    let folder = std::env::current_dir()
        .map_err(|error| Problem::failed(format!("cannot tell the current folder: {error}")))?;
    let granted = config::exec_grants(
        &ExecArgs {
            dirs: args.dirs,
            databases: args.databases,
            repositories: args.repositories,
            remotes: args.remotes,
            logins: args.logins,
            net: args.net,
            secrets: args.secrets,
            processes: args.processes,
            commands: args.commands,
            tasks: args.tasks,
            channels: args.channels,
        },
        &folder,
    )?;
    let secrets = values(&granted)?;
    let defaults = Limits::default();
    Ok(Exec {
        spec: TaskSpec {
            config: config::exec_config(&args.set, args.config.as_deref())?,
            grants: granted.grants,
            limits: Limits {
                memory: args.memory.unwrap_or(defaults.memory),
                time: args.time.unwrap_or(defaults.time),
                ..defaults
            },
            ..TaskSpec::new(args.plugin, args.action, Schedule::Manual)
        },
        databases: granted.databases,
        repositories: granted.repositories,
        remotes: granted.remotes,
        secrets,
        dry_run: args.dry_run,
    })
}

/// Secrets are read here: a service that may run it has another environment.
fn values(granted: &config::ExecGrants) -> Outcomes<Vec<(SecretSource, String)>> {
    let read = |what: String, source: &SecretSource| {
        let value = read_secret(source).map_err(|fault| {
            // Wherever it should come from, what was asked for cannot be done as asked.
            Problem::usage(fault.to_string())
                .hint(format!("{what} must be readable before anything starts"))
        })?;
        Ok((source.clone(), value))
    };
    let secrets = granted.grants.secrets.iter();
    let secrets = secrets.map(|(name, source)| (format!("--secret {name}"), source));
    let repositories = granted.repositories.iter();
    let repositories = repositories.map(|(name, one)| (name, &one.endpoint));
    let remotes = granted.remotes.iter();
    let remotes = remotes.map(|(name, one)| (name, &one.endpoint));
    let logins = repositories.chain(remotes).filter_map(|(name, endpoint)| {
        let source = endpoint.secret.as_ref()?;
        Some((format!("the secret of --login {name}"), source))
    });
    let all = secrets.chain(logins);
    all.map(|(what, source)| read(what, source)).collect()
}
