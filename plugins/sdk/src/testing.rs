//! A host for unit tests: the granted directories lie in a temporary folder,
//! databases, repositories, remotes and peers are fakes in memory, the clock
//! stands still, and what the plugin says is recorded. A test can let the run
//! crash at any change.
//!
//! It grants everything that was set up and answers `not-found` for the rest;
//! what the real host refuses is the engine's to test.

mod around;
mod crash;
mod database;
mod files;
mod remote;
mod repository;
mod services;
mod trees;
mod watch;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

pub use around::Standing;
pub use crash::Crash;
pub use database::FakeDatabase;
pub use remote::FakeRemote;
pub use repository::FakeRepository;

use crate::alerts::Alerts;
use crate::database::Database;
use crate::files::Files;
use crate::http::{Request, Response};
use crate::log::Level;
use crate::probe::{Ask, Found, Probe, TlsFacts};
use crate::processes::{Outcome, Process};
use crate::progress::State as Progress;
use crate::remote::Remote;
use crate::repository::{
    BackupOptions, BackupPlan, BackupRules, FileVerdict, Power, Repository, Source,
};
use crate::state::State;
use crate::tasks::Tasks;
use crate::trees::Trees;
use crate::watch::{Observation, Summary, Watch};
use crate::{Context, Error, Failure, Host, Plugin, Report, Result, Told};

type Answer = Box<dyn Fn(&Request) -> Result<Response>>;
type Finds = Box<dyn Fn(&Ask) -> Result<Found>>;
type Observer = Box<dyn Fn(&NativeHost, &str)>;

/// See the module.
pub struct NativeHost {
    root: TempDir,
    now: Cell<u64>,
    dry_run: Cell<bool>,
    cancelled: Cell<bool>,
    crash: Crash,
    observer: Option<Observer>,
    databases: BTreeMap<String, FakeDatabase>,
    repositories: BTreeMap<String, FakeRepository>,
    remotes: BTreeMap<String, FakeRemote>,
    secrets: BTreeMap<String, String>,
    commands: BTreeMap<String, Outcome>,
    lacking: Vec<(String, String)>,
    answer: Answer,
    probe: Option<Box<dyn Probe>>,
    finds: Finds,
    presented: Option<TlsFacts>,
    memories: RefCell<BTreeMap<String, Vec<u8>>>,
    observed: RefCell<Vec<Observation>>,
    windows: BTreeMap<String, u64>,
    summaries: Vec<Summary>,
    committed: RefCell<BTreeMap<String, Vec<u8>>>,
    state: RefCell<BTreeMap<String, Vec<u8>>>,
    kept: RefCell<BTreeMap<String, Vec<u8>>>,
    log: RefCell<Vec<(Level, String)>>,
    progress: RefCell<Vec<Progress>>,
    processes: RefCell<Vec<String>>,
    around: around::Around,
    changed: RefCell<HashMap<u64, u64>>,
    attempt: Cell<u32>,
    /// Bytes available and to be kept free, where a test says so.
    room: Cell<Option<(u64, u64)>>,
    loses_cache: Cell<bool>,
    /// Files with contents that are not durable.
    unsynced: RefCell<BTreeSet<PathBuf>>,
    unwatched: Arc<mhost_trees::Unwatched>,
}

impl Default for NativeHost {
    fn default() -> Self {
        Self::new()
    }
}

impl NativeHost {
    /// Nothing granted, at 2026-03-01T00:00:00Z.
    pub fn new() -> Self {
        Self {
            root: tempfile::tempdir().expect("a temporary directory"),
            now: Cell::new(1_772_323_200_000),
            dry_run: Cell::new(false),
            cancelled: Cell::new(false),
            crash: Crash::default(),
            observer: None,
            databases: BTreeMap::new(),
            repositories: BTreeMap::new(),
            remotes: BTreeMap::new(),
            secrets: BTreeMap::new(),
            commands: BTreeMap::new(),
            lacking: Vec::new(),
            answer: Box::new(|request| {
                Err(Error::NotFound(format!("no fake for {}", request.url)))
            }),
            probe: None,
            finds: Box::new(|ask| Err(Error::NotFound(format!("no fake for {ask:?}")))),
            presented: None,
            memories: RefCell::default(),
            observed: RefCell::default(),
            windows: BTreeMap::new(),
            summaries: Vec::new(),
            committed: RefCell::default(),
            state: RefCell::default(),
            kept: RefCell::default(),
            log: RefCell::default(),
            progress: RefCell::default(),
            processes: RefCell::default(),
            around: around::Around::default(),
            changed: RefCell::default(),
            attempt: Cell::new(1),
            room: Cell::new(None),
            loses_cache: Cell::new(false),
            unsynced: RefCell::default(),
            unwatched: Arc::default(),
        }
    }

    /// Grants an empty directory, read-write.
    pub fn with_directory(self, name: &str) -> Self {
        std::fs::create_dir(self.root.path().join(name)).expect("a new directory");
        self
    }

    pub fn with_database(mut self, name: &str, database: FakeDatabase) -> Self {
        self.databases.insert(name.to_owned(), database);
        self
    }

    pub fn with_repository(mut self, name: &str, repository: FakeRepository) -> Self {
        self.repositories.insert(name.to_owned(), repository);
        self
    }

    pub fn with_remote(mut self, name: &str, remote: FakeRemote) -> Self {
        self.remotes.insert(name.to_owned(), remote);
        self
    }

    pub fn with_secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Grants everything on a database or a repository but this verb.
    pub fn without_verb(mut self, name: &str, verb: &str) -> Self {
        self.lacking.push((name.to_owned(), verb.to_owned()));
        self
    }

    fn lacks(&self, power: &Power) -> bool {
        let (Power::Repository(wanted) | Power::Database(wanted)) = power;
        self.lacking.contains(wanted)
    }

    /// Grants a command that ends so; a signal of the same name is granted too, and its process
    /// lives if the code is 0.
    pub fn with_command(mut self, name: &str, outcome: Outcome) -> Self {
        self.commands.insert(name.to_owned(), outcome);
        self
    }

    /// Every HTTP request is answered by this.
    pub fn with_http(mut self, answer: impl Fn(&Request) -> Result<Response> + 'static) -> Self {
        self.answer = Box::new(answer);
        self
    }

    pub fn with_probe(mut self, probe: impl Probe + 'static) -> Self {
        self.probe = Some(Box::new(probe));
        self
    }

    /// Every ask of a batch is answered by this.
    pub fn with_found(mut self, finds: impl Fn(&Ask) -> Result<Found> + 'static) -> Self {
        self.finds = Box::new(finds);
        self
    }

    /// Peers whose ask is answered by an error showed this.
    pub fn with_presented(mut self, facts: TlsFacts) -> Self {
        self.presented = Some(facts);
        self
    }

    /// The schedule with this JSON has a window that is open until `end`.
    pub fn with_window(mut self, schedule: &str, end: u64) -> Self {
        self.windows.insert(schedule.to_owned(), end);
        self
    }

    /// What `summaries` answers.
    pub fn with_summaries(mut self, summaries: Vec<Summary>) -> Self {
        self.summaries = summaries;
        self
    }

    /// What the runs so far observed; kept whatever their outcome.
    pub fn observed(&self) -> Vec<Observation> {
        self.observed.borrow().clone()
    }

    /// Is told of each change after it was made, such as ``copy `/a` to `/b```: to do what
    /// another program does just then.
    pub fn with_observer(mut self, observer: impl Fn(&NativeHost, &str) + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Where a guest path lies on this machine.
    pub fn path(&self, guest: &str) -> PathBuf {
        self.root.path().join(guest.trim_start_matches('/'))
    }

    pub fn set_now(&self, millis: u64) {
        self.now.set(millis);
    }

    pub fn set_cancelled(&self, cancelled: bool) {
        self.cancelled.set(cancelled);
    }

    /// The attempt that the next runs are told.
    pub fn set_attempt(&self, attempt: u32) {
        self.attempt.set(attempt);
    }

    /// Every file system has so many bytes available, of which so many must stay free.
    pub fn set_room(&self, available: u64, kept: u64) {
        self.room.set(Some((available, kept)));
    }

    /// A crash is one of the machine: what was written and not made durable is gone, as far as its contents go.
    pub fn lose_cache(&self) {
        self.loses_cache.set(true);
    }

    /// When the run crashes, and how many changes it made.
    pub fn crash(&self) -> &Crash {
        &self.crash
    }

    /// Runs an action as the engine does: state is committed with success, or as it was
    /// when it was marked to be kept.
    pub fn run(
        &self,
        plugin: &Plugin,
        action: &str,
        config: Value,
    ) -> std::result::Result<Report, Failure> {
        self.state.replace(self.committed.borrow().clone());
        self.around.begin();
        self.kept.replace(self.committed.borrow().clone());
        let told = Told {
            action: action.to_owned(),
            task: "test".to_owned(),
            config: config.to_string(),
            dry_run: self.dry_run.get(),
            attempt: self.attempt.get(),
            idempotency_key: "test/0".to_owned(),
            fence: 1,
            fire_time: self.now.get(),
            previous_success: None,
        };
        let outcome = plugin.run(&Context::new(told, self));
        match (&outcome, self.dry_run.get()) {
            (_, true) => {}
            (Ok(_), false) => drop(self.committed.replace(self.state.borrow().clone())),
            (Err(_), false) => drop(self.committed.replace(self.kept.borrow().clone())),
        }
        self.around.commit();
        outcome
    }

    /// The same as a dry run.
    pub fn dry_run(
        &self,
        plugin: &Plugin,
        action: &str,
        config: Value,
    ) -> std::result::Result<Report, Failure> {
        self.dry_run.set(true);
        let outcome = self.run(plugin, action, config);
        self.dry_run.set(false);
        outcome
    }

    /// Sets a value of the task's state, as an earlier run left it.
    pub fn set_state(&self, key: &str, value: &[u8]) {
        let mut committed = self.committed.borrow_mut();
        committed.insert(key.to_owned(), value.to_vec());
    }

    /// What was logged so far.
    pub fn logged(&self) -> Vec<(Level, String)> {
        self.log.borrow().clone()
    }

    /// The progress that was told so far.
    pub fn progressed(&self) -> Vec<Progress> {
        self.progress.borrow().clone()
    }

    /// The commands that ran and the signals that were sent, in order.
    pub fn processed(&self) -> Vec<String> {
        self.processes.borrow().clone()
    }

    /// One change of the outside world: refused in a dry run and after a crash.
    fn change<T>(
        &self,
        what: impl FnOnce() -> String,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let what = what();
        if self.dry_run.get() {
            return Err(Error::DryRun(what));
        }
        let value = self
            .crash
            .around(act)
            .inspect_err(|error| self.crashed(error))?;
        if let Some(observer) = &self.observer {
            observer(self, &what);
        }
        Ok(value)
    }
}

fn granted<'a, T>(known: &'a BTreeMap<String, T>, kind: &str, name: &str) -> Result<&'a T> {
    known
        .get(name)
        .ok_or_else(|| Error::NotFound(format!("the test grants no {kind} `{name}`")))
}

impl Host for NativeHost {
    fn now(&self) -> u64 {
        self.now.get()
    }

    fn zone_offset(&self, zone: &str, at: u64) -> Result<i32> {
        services::zone_offset(zone, at)
    }

    fn files(&self) -> &dyn Files {
        self
    }

    fn trees(&self) -> &dyn Trees {
        self
    }

    fn database(&self, name: &str) -> Result<Box<dyn Database + '_>> {
        let fake = granted(&self.databases, "database", name)?;
        Ok(Box::new(database::Open { fake, host: self }))
    }

    fn repository(&self, name: &str) -> Result<Box<dyn Repository + '_>> {
        let fake = granted(&self.repositories, "repository", name)?;
        fake.opened()?;
        Ok(Box::new(repository::Open { fake, host: self }))
    }

    fn verify_file(&self, path: &str) -> Result<FileVerdict> {
        repository::verify_file(self, path)
    }

    fn stands_at(&self, source: &Source) -> Result<String> {
        Ok(match source {
            Source::Path(path) => path.clone(),
            Source::Database(name) => format!("/{name}.db"),
        })
    }

    fn require(&self, powers: &[Power]) -> Result<()> {
        let (kind, name, verb) = match powers.iter().find(|power| self.lacks(power)) {
            None => return Ok(()),
            Some(Power::Repository((name, verb))) => ("repository", name, verb),
            Some(Power::Database((name, verb))) => ("database", name, verb),
        };
        Err(Error::Denied(crate::Denial {
            capability: kind.to_owned(),
            target: name.clone(),
            verb: verb.clone(),
            remedy: format!("grant `{verb}`"),
        }))
    }

    fn plan_backup(
        &self,
        sources: &[Source],
        _options: &BackupOptions,
        _rules: &BackupRules,
    ) -> Result<BackupPlan> {
        repository::plan_backup(self, sources)
    }

    fn create_repository(&self, name: &str) -> Result<Box<dyn Repository + '_>> {
        let fake = granted(&self.repositories, "repository", name)?;
        self.change(
            || format!("create the repository `{name}`"),
            || fake.create(),
        )?;
        Ok(Box::new(repository::Open { fake, host: self }))
    }

    fn remote(&self, name: &str) -> Result<Box<dyn Remote + '_>> {
        let fake = granted(&self.remotes, "remote", name)?;
        Ok(Box::new(remote::Open {
            fake: Rc::clone(&fake.0),
            host: self,
        }))
    }

    fn fetch(&self, requests: &[Request]) -> Vec<Result<Response>> {
        requests
            .iter()
            .map(|request| (self.answer)(request))
            .collect()
    }

    fn probe(&self) -> &dyn Probe {
        match &self.probe {
            Some(probe) => probe.as_ref(),
            None => self,
        }
    }

    fn watch(&self) -> &dyn Watch {
        self
    }

    fn secret(&self, name: &str) -> Result<String> {
        granted(&self.secrets, "secret", name).cloned()
    }

    fn state(&self) -> &dyn State {
        self
    }

    fn keep_state(&self) -> Result<()> {
        self.kept.replace(self.state.borrow().clone());
        Ok(())
    }

    fn signal(&self, name: &str) -> Result<()> {
        granted(&self.commands, "process", name)?;
        self.change(
            || format!("signal `{name}`"),
            || {
                self.processes.borrow_mut().push(format!("signal {name}"));
                Ok(())
            },
        )
    }

    fn find_process(&self, name: &str) -> Result<Process> {
        let outcome = granted(&self.commands, "process", name)?;
        match outcome.code {
            0 => Ok(Process {
                pid: 4711,
                command: name.to_owned(),
            }),
            _ => Err(Error::NotFound(format!("there is no process of `{name}`"))),
        }
    }

    fn run_command(&self, name: &str) -> Result<Outcome> {
        let outcome = granted(&self.commands, "process", name)?;
        self.change(
            || format!("run `{name}`"),
            || {
                self.processes.borrow_mut().push(format!("run {name}"));
                Ok(outcome.clone())
            },
        )
    }

    fn alerts(&self) -> &dyn Alerts {
        self
    }

    fn tasks(&self) -> &dyn Tasks {
        self
    }

    fn run_command_on(&self, name: &str, paths: &[&str]) -> Result<Outcome> {
        let outcome = granted(&self.commands, "process", name)?;
        let words = [&[name], paths].concat().join(" ");
        self.change(
            || format!("run `{words}`"),
            || {
                self.processes.borrow_mut().push(format!("run {words}"));
                Ok(outcome.clone())
            },
        )
    }

    fn progress(&self, state: &Progress) {
        self.progress.borrow_mut().push(state.clone());
    }

    fn cancelled(&self) -> bool {
        self.cancelled.get()
    }

    fn log(&self, level: Level, message: &str) {
        self.log.borrow_mut().push((level, message.to_owned()));
    }
}
