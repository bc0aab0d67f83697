//! `mhost logrotate`: stands in for the `logrotate` command. The configuration is the
//! grant: the run reaches the folders that it names, and its scripts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use mhost_format_logrotate::{Configuration, Severity, Source as _};
use mhost_model::limits::Limits;
use mhost_model::run::{ErrorKind, RunError};
use mhost_model::schedule::Schedule;
use mhost_model::task::TaskSpec;
use mhost_model::{ByteSize, Span};
use serde_json::{Value, json};

use super::{Cli, Context, output};
use crate::calls::runs::RunView;
use crate::calls::start::Exec;
use crate::exit::{Outcomes, Problem};
use crate::logrotate::{self, Machine, grants};
use crate::session::{self, Session};

#[derive(clap::Args)]
pub struct Args {
    /// Say what would be done, and change nothing
    #[arg(long, short)]
    debug: bool,
    /// Rotate whether or not it is time
    #[arg(long, short)]
    force: bool,
    /// The command that mails archives
    #[arg(long, short, value_name = "COMMAND", default_value = "/usr/bin/mail")]
    mail: String,
    /// The file that remembers when logs were rotated
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "/var/lib/logrotate/status"
    )]
    state: PathBuf,
    /// Do not lock the state file
    #[arg(long)]
    skip_state_lock: bool,
    /// Wait until no other process holds the state file
    #[arg(long, conflicts_with = "skip_state_lock")]
    wait_for_state_lock: bool,
    /// Write what --verbose says into this file
    #[arg(long, short, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Say in short how it is called
    #[arg(long)]
    usage: bool,
    /// Say which logrotate it stands in for
    #[arg(long)]
    version: bool,
    /// As --help
    #[arg(short = '?', action = clap::ArgAction::HelpShort)]
    _question: Option<bool>,
    /// Configurations: files, or folders of them
    configs: Vec<PathBuf>,
}

/// As `logrotate` ends where another one holds the state file, or there can be none.
const LOCKED: u8 = 3;
/// The longest run, seconds: a month.
const LONGEST: u64 = 31 * 86_400;

pub async fn run(args: Args, context: &Context) -> Outcomes<u8> {
    if args.version {
        output::print(&version(&args))?;
        return Ok(0);
    }
    if args.usage {
        output::print(&format!("{}\n", usage()))?;
        return Ok(0);
    }
    if args.configs.is_empty() {
        output::note(&usage());
        return Ok(1);
    }
    let mut told = Told::new(&args, context.verbose)?;
    if let Some(why) = unfit(&args.state).filter(|_| !args.debug) {
        let text = format!("error: the state file {}: {why}", args.state.display());
        told.message(&text, true)?;
        return Ok(LOCKED);
    }
    let paths = args
        .configs
        .iter()
        .map(|path| absolute(path))
        .collect::<Outcomes<Vec<_>>>()?;
    if args.debug {
        told.message("what would be done; nothing is changed", false)?;
    }
    let (read, machine) = logrotate::read(&paths);
    let session = Session::open(&context.home, true).await?;
    let view = loop {
        let (exec, roots) = exec(&args, &paths, &read, &machine, told.verbose())?;
        told.roots = roots;
        let view = session::ask_long(&session, exec).await;
        let locked = view.as_ref().is_ok_and(is_locked);
        if !locked || !args.wait_for_state_lock || !wait(&args.state).await? {
            break view;
        }
    };
    session.close().await?;
    told.all(&read, &view?)
}

fn usage() -> String {
    let mut command = Cli::command();
    command.build();
    let usage = command.find_subcommand_mut("logrotate");
    let usage = usage.map(|usage| usage.render_usage().to_string());
    usage.unwrap_or_default()
}

fn version(args: &Args) -> String {
    format!(
        "mhost {}, in the place of logrotate 3.21\n\n    Mail command:     {}\n    Compression:      gzip, zstd, xz (built in)\n    State file:       {}\n",
        env!("CARGO_PKG_VERSION"),
        args.mail,
        args.state.display()
    )
}

/// Why nothing can be kept in a state file, and with it no rotation begun.
fn unfit(state: &Path) -> Option<&'static str> {
    let device = state == Path::new("/dev/null");
    match state.symlink_metadata() {
        Ok(_) if device => None,
        Ok(found) if found.is_dir() => Some("it is a folder"),
        Ok(found) if found.is_symlink() && !state.exists() => {
            Some("it is a link, and there is nothing where it leads")
        }
        Ok(found) if found.is_file() || found.is_symlink() => None,
        Ok(_) => Some("it is no regular file"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = state.parent().filter(|folder| *folder != Path::new(""));
            let there = folder.is_none_or(Path::is_dir);
            (!there).then_some("there is no such folder")
        }
        Err(_) => None,
    }
}

/// Whether another process held the state file.
fn is_locked(view: &RunView) -> bool {
    let busy = |error: &RunError| error.kind == ErrorKind::Busy;
    view.report.is_none() && view.error.as_ref().is_some_and(busy)
}

/// Waits until nobody holds the state file; `false` where there is none to wait for.
async fn wait(state: &Path) -> Outcomes<bool> {
    let path = state.to_owned();
    let waited = tokio::task::spawn_blocking(move || {
        let file = File::open(&path)?;
        // Let go at once: the run takes it itself, and waits again where it is too late.
        file.lock_shared()
    });
    match waited.await {
        Ok(Ok(())) => Ok(true),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Ok(Err(error)) => Err(Problem::io("wait for", state, &error)),
        Err(error) => Err(Problem::bug(format!("waiting for the state file: {error}"))),
    }
}

fn absolute(path: &Path) -> Outcomes<String> {
    let whole = std::path::absolute(path).map_err(|error| Problem::io("find", path, &error))?;
    let text = whole.into_os_string().into_string();
    text.map_err(|_| Problem::usage(format!("{} is no UTF-8 text", path.display())))
}

fn exec(
    args: &Args,
    paths: &[String],
    read: &Configuration,
    machine: &Machine,
    verbose: bool,
) -> Outcomes<(Exec, Roots)> {
    let state = absolute(&args.state)?;
    let kept = (state != "/dev/null").then_some(state.as_str());
    let granted = grants::grants(read, kept, &args.mail)?;
    let zone = logrotate::zone().unwrap_or_else(|| "UTC".to_owned());
    let config = [
        ("conf", json!(paths)),
        ("texts", json!(logrotate::texts(machine))),
        ("roots", json!(granted.roots)),
        ("absent", json!(granted.absent)),
        ("home", json!(machine.home())),
        (
            "owners",
            json!(if machine.owner_must_be_root() {
                "root"
            } else {
                "any"
            }),
        ),
        ("scripts", json!(granted.scripts)),
        ("state", json!(state)),
        (
            "state_lock",
            json!(if args.skip_state_lock {
                "skip"
            } else {
                "refuse"
            }),
        ),
        ("links", json!("skip")),
        (
            "parents",
            json!(if rustix::process::geteuid().is_root() {
                "refuse"
            } else {
                "accept"
            }),
        ),
        ("force", json!(args.force)),
        ("verbose", json!(verbose)),
        ("tz", json!(zone)),
    ];
    let plugin = "logrotate"
        .parse()
        .map_err(|error| Problem::bug(format!("logrotate: {error}")))?;
    let exec = Exec {
        spec: TaskSpec {
            config: config
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect(),
            grants: granted.grants,
            // What logrotate does not bound, this does not either.
            limits: Limits {
                time: Span::seconds(LONGEST),
                free_space: ByteSize(0),
                ..Limits::default()
            },
            ..TaskSpec::new(plugin, "rotate", Schedule::Manual)
        },
        databases: Default::default(),
        repositories: Default::default(),
        remotes: Default::default(),
        secrets: Default::default(),
        dry_run: args.debug,
    };
    Ok((exec, granted.roots))
}

/// Folders of this machine, and the paths that they have in the run.
type Roots = BTreeMap<String, String>;

/// What is said, and where.
struct Told {
    loud: bool,
    log: Option<File>,
    roots: Roots,
}

impl Told {
    fn new(args: &Args, verbose: u8) -> Outcomes<Self> {
        let mut told = Self {
            loud: args.debug || verbose > 0,
            log: None,
            roots: Roots::new(),
        };
        // No reason to let the logs grow, as logrotate sees it.
        match args.log.as_ref().map(|path| (path, File::create(path))) {
            None => {}
            Some((_, Ok(file))) => told.log = Some(file),
            Some((path, Err(error))) => {
                let text = format!("error: cannot create the log {}: {error}", path.display());
                told.message(&text, true)?;
            }
        }
        Ok(told)
    }

    /// A text with the folders of this machine in the place of those of the run.
    fn placed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (folder, guest) in &self.roots {
            for end in ["/", "`"] {
                text = text.replace(&format!("`{guest}{end}"), &format!("`{folder}{end}"));
            }
        }
        text
    }

    fn verbose(&self) -> bool {
        self.loud || self.log.is_some()
    }

    fn message(&mut self, text: &str, always: bool) -> Outcomes<()> {
        let text = &self.placed(text);
        if always || self.loud {
            output::note(text);
        }
        match &mut self.log {
            Some(log) => writeln!(log, "{text}")
                .map_err(|error| Problem::failed(format!("cannot write the log: {error}"))),
            None => Ok(()),
        }
    }

    /// All messages of a run, and its exit code.
    fn all(&mut self, read: &Configuration, view: &RunView) -> Outcomes<u8> {
        let mut failed = false;
        for problem in &read.problems {
            let error = problem.severity == Severity::Error;
            failed |= error;
            self.message(
                &format!("{}: {problem}", if error { "error" } else { "warning" }),
                true,
            )?;
        }
        let details = view
            .report
            .as_ref()
            .and_then(|report| report.details.as_ref());
        let Some(details) = details else {
            let why = view
                .error
                .as_ref()
                .map_or("the run did not come to its end", |error| {
                    error.message.as_str()
                });
            self.message(&format!("error: {why}"), true)?;
            return Ok(if is_locked(view) { LOCKED } else { 1 });
        };
        for line in lines(&details["output"]) {
            output::print(&format!("{line}\n"))?;
        }
        for line in lines(&details["trace"]) {
            self.message(line, false)?;
        }
        for warning in lines(&details["warnings"]) {
            self.message(&format!("warning: {warning}"), true)?;
        }
        for error in lines(&details["damaged"]).chain(lines(&details["unsaved"])) {
            failed = true;
            self.message(&format!("error: {error}"), true)?;
        }
        for item in details["logs"]["items"].as_array().into_iter().flatten() {
            if matches!(item["outcome"].as_str(), Some("failed" | "refused")) {
                failed = true;
                let (log, reason) = (item["log"].as_str(), item["reason"].as_str());
                let text = format!(
                    "error: {}: {}",
                    log.unwrap_or_default(),
                    reason.unwrap_or_default()
                );
                self.message(&text, true)?;
            }
        }
        // What nothing above has told. The run reads the configuration too, without what was
        // passed over here.
        let known = |error: &RunError| {
            lines(&details["problems"]).any(|problem| error.message.contains(problem))
        };
        let untold = view.error.as_ref().filter(|_| !failed);
        if let Some(error) = untold
            && !known(error)
        {
            failed = true;
            self.message(&format!("error: {}", error.message), true)?;
        }
        Ok(u8::from(failed))
    }
}

fn lines(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}
