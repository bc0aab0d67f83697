//! The command line: a file per subcommand. Data goes to standard output, messages to
//! standard error; every command has a human and a JSON form.

mod apply;
mod bar;
mod completions;
mod databases;
mod demo;
mod details;
mod doctor;
mod exec;
mod grants;
mod import;
mod init;
mod logrotate;
mod notify;
mod output;
mod plugins;
mod runs;
mod schedule;
mod serve;
mod start;
mod tasks;
mod watched;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::exit::{Outcomes, Problem};
use crate::home::Home;
pub use output::{Format, Output};

/// Runs maintenance tasks in sandboxed plugins: what is due, within its grants,
/// with a receipt.
#[derive(Parser)]
#[command(name = "mhost", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    // Not clap's `env`: each usage line would name the option where the variable is set.
    /// Folder of the state [env: MHOST_HOME] [default: /var/lib/mhost for root, else the XDG
    /// state folder]
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// How data is printed
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    format: Format,
    /// More messages; twice for all
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   the run failed
  2   a mistake in usage or configuration
  3   no such thing
  4   refused by a grant or a limit
  5   busy: another process holds it
  70  a bug of mhost";

#[derive(Subcommand)]
enum Command {
    /// Make the state folder and a configuration to begin with
    Init(init::Args),
    /// Make the store match a configuration file
    Apply(apply::Args),
    /// Print the store's definitions as a configuration file
    Export,
    /// Tasks: list, show, switch, remove, and when they are due
    #[command(subcommand)]
    Task(tasks::Command),
    /// Run a task now
    Run(start::RunArgs),
    /// Run a plugin once, without a stored task
    Exec(Box<exec::Args>),
    /// Rotate logs as the `logrotate` command does; the configuration is the grant
    Logrotate(logrotate::Args),
    /// Make tasks of what other programs are configured to do
    #[command(subcommand)]
    Import(import::Command),
    /// Run all that is due now, once
    Tick,
    /// Run what is due until told to stop (TERM drains, HUP applies the configuration anew)
    Serve(serve::Args),
    /// The ledger: runs, their receipts and logs
    #[command(subcommand)]
    Runs(runs::Command),
    /// What people are told: test a channel, the outbox, alerts that stand
    #[command(subcommand)]
    Notify(notify::Command),
    /// Schedules, without any task
    #[command(subcommand)]
    Schedule(schedule::Command),
    /// Plugins: list, inspect, check, install, remove
    #[command(subcommand)]
    Plugin(plugins::Command),
    /// Managed databases: list, stat, verify
    #[command(subcommand)]
    Db(databases::Command),
    /// What tasks may do, and what they needed
    #[command(subcommand)]
    Grants(grants::Command),
    /// Look for what is wrong, and say what to do
    Doctor,
    /// Show everything on real files in a new folder
    Demo(demo::Args),
    /// Print shell completions
    Completions(completions::Args),
    /// Print the manual page
    Man,
}

/// What every subcommand gets.
pub struct Context {
    pub home: Home,
    pub output: Output,
    /// How often `--verbose` was given.
    pub verbose: u8,
}

/// Parses, runs, and says how it went by the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // There it means what it means for logrotate.
    let verbose = match cli.command {
        Command::Logrotate(_) => 0,
        _ => cli.verbose,
    };
    logging(verbose, matches!(cli.command, Command::Serve(_)));
    let format = cli.format;
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            output::problem(format, &problem);
            ExitCode::from(problem.kind.code())
        }
    }
}

/// Messages of the program itself: the service tells what it does, a command only what
/// is wrong.
fn logging(verbose: u8, service: bool) {
    let level = match (verbose, service) {
        (0, false) => "warn",
        (0, true) | (1, false) => "info",
        (1, true) | (2, false) => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("MHOST_LOG").unwrap_or_else(|_| {
        EnvFilter::new(format!(
            "off,mhost={level},mhost_engine={level},mhost_store={level}"
        ))
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .init();
}

fn run(cli: Cli) -> Outcomes<u8> {
    let output = Output::new(cli.format);
    match cli.command {
        // What needs neither state nor runtime.
        Command::Schedule(command) => return schedule::run(command, &output),
        Command::Completions(args) => return completions::run(args, &mut Cli::command()),
        Command::Man => return completions::man(Cli::command()),
        _ => {}
    }
    let context = Context {
        home: Home::locate(cli.home)?,
        output,
        verbose: cli.verbose,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::failed(format!("cannot start: {error}")))?;
    let answer = runtime.block_on(dispatch(cli.command, &context));
    // A thread that a cut-off plugin left behind must not hold up the end.
    runtime.shutdown_background();
    answer
}

async fn dispatch(command: Command, context: &Context) -> Outcomes<u8> {
    match command {
        Command::Init(args) => init::run(args, context).await,
        Command::Apply(args) => apply::run(args, context).await,
        Command::Export => apply::export(context).await,
        Command::Task(command) => tasks::run(command, context).await,
        Command::Run(args) => start::run(args, context).await,
        Command::Exec(args) => exec::run(*args, context).await,
        Command::Logrotate(args) => logrotate::run(args, context).await,
        Command::Import(command) => import::run(command, context),
        Command::Tick => start::tick(context).await,
        Command::Serve(args) => serve::run(args, context).await,
        Command::Runs(command) => runs::run(command, context).await,
        Command::Plugin(command) => plugins::run(command, context).await,
        Command::Db(command) => databases::run(command, context).await,
        Command::Grants(command) => grants::run(command, context).await,
        Command::Notify(command) => notify::run(command, context).await,
        Command::Doctor => doctor::run(context).await,
        Command::Demo(args) => demo::run(args, context).await,
        Command::Schedule(_) | Command::Completions(_) | Command::Man => {
            Err(Problem::bug("a command without state came too far"))
        }
    }
}
