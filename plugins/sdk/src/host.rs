//! Everything that a plugin can reach, as one trait: the component's imports
//! implement it in a run, and `testing::NativeHost` in unit tests. What was not
//! granted is answered with [`Error::Denied`](crate::Error::Denied).

use crate::Result;
use crate::alerts::Alerts;
use crate::database::Database;
use crate::files::Files;
use crate::http::{Request, Response};
use crate::log::Level;
use crate::probe::Probe;
use crate::processes::{Outcome, Process};
use crate::progress;
use crate::remote::Remote;
use crate::repository::{
    BackupOptions, BackupPlan, BackupRules, FileVerdict, Power, Repository, Source,
};
use crate::state::State;
use crate::tasks::Tasks;
use crate::trees::Trees;
use crate::watch::Watch;

/// See the module.
pub trait Host {
    /// The host's clock: milliseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> u64;

    /// How far clocks in a zone (`Europe/Kyiv`) are ahead of UTC at a moment in
    /// milliseconds, seconds.
    fn zone_offset(&self, zone: &str, at: u64) -> Result<i32>;

    /// The granted directories.
    fn files(&self) -> &dyn Files;

    /// Whole trees beneath the granted directories.
    fn trees(&self) -> &dyn Trees;

    /// Opens a granted database; `busy` where another process holds it.
    fn database(&self, name: &str) -> Result<Box<dyn Database + '_>>;

    /// Opens a granted backup repository; `not-found` where there is none yet.
    fn repository(&self, name: &str) -> Result<Box<dyn Repository + '_>>;

    /// Verifies a file as the database that it is.
    fn verify_file(&self, path: &str) -> Result<FileVerdict>;

    /// Under which path a source stands in a snapshot.
    fn stands_at(&self, source: &Source) -> Result<String>;

    /// Whether all of these are granted; else the denial of the first that is not.
    fn require(&self, powers: &[Power]) -> Result<()>;

    /// What a backup would store, without the databases.
    fn plan_backup(
        &self,
        sources: &[Source],
        options: &BackupOptions,
        rules: &BackupRules,
    ) -> Result<BackupPlan>;

    /// Creates a granted backup repository; needs `append`.
    fn create_repository(&self, name: &str) -> Result<Box<dyn Repository + '_>>;

    /// Opens a granted remote.
    fn remote(&self, name: &str) -> Result<Box<dyn Remote + '_>>;

    /// Makes HTTP requests, all at the same time, each within its own deadline;
    /// the answers in the order of the requests.
    fn fetch(&self, requests: &[Request]) -> Vec<Result<Response>>;

    /// The network below HTTP.
    fn probe(&self) -> &dyn Probe;

    /// What was observed before, and what the host knows that a watcher needs.
    fn watch(&self) -> &dyn Watch;

    /// The value of a granted secret.
    fn secret(&self, name: &str) -> Result<String>;

    /// The task's own state, committed with a run that succeeds.
    fn state(&self) -> &dyn State;

    /// Marks the changes of the state made so far as to be kept even if the run fails.
    fn keep_state(&self) -> Result<()>;

    /// Sends a granted signal.
    fn signal(&self, name: &str) -> Result<()>;

    /// The living process of a granted pid file.
    fn find_process(&self, name: &str) -> Result<Process>;

    /// Runs a granted command to its end.
    fn run_command(&self, name: &str) -> Result<Outcome>;

    /// Alerts and messages to people.
    fn alerts(&self) -> &dyn Alerts;

    /// The host's other tasks.
    fn tasks(&self) -> &dyn Tasks;

    /// The same on files: guest paths for the words `{1}` and `{2}` of the grant.
    fn run_command_on(&self, name: &str, paths: &[&str]) -> Result<Outcome>;

    /// Says how far the run is.
    fn progress(&self, state: &progress::State);

    /// Whether the run was asked to end.
    fn cancelled(&self) -> bool;

    /// Writes one line of the run's log.
    fn log(&self, level: Level, message: &str);
}
