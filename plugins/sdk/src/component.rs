//! The host as a component sees it: the traits over the contract's imports and
//! WASI. Only this module calls them.

mod exchange;
mod files;
mod http;
mod resources;
mod services;
mod trees;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::alerts::Alerts;
use crate::bindings::exports::mhost::plugin::plugin as contract;
use crate::bindings::mhost::plugin::{
    database, keeping, processes, progress, remote, repository, secrets, zones,
};
use crate::bindings::wasi::logging::logging;
use crate::database::Database;
use crate::files::Files;
use crate::http::{Request, Response};
use crate::log::Level;
use crate::probe::Probe;
use crate::processes::{Outcome, Process};
use crate::progress::State as Progress;
use crate::remote::Remote;
use crate::repository::{
    BackupOptions, BackupPlan, BackupRules, FileVerdict, Power, Repository, Source,
};
use crate::state::State;
use crate::tasks::Tasks;
use crate::trees::Trees;
use crate::watch::Watch;
use crate::{Context, Failure, Host, Plugin, Report, Result};

/// Whether the run at hand is a dry one. An instance has one run.
static DRY_RUN: AtomicBool = AtomicBool::new(false);

fn is_dry_run() -> bool {
    DRY_RUN.load(Ordering::Relaxed)
}

/// The real host. Everything that it reaches is global to the instance.
pub struct Imports;

/// One run of `plugin`, in the contract's types.
pub fn run(
    plugin: &Plugin,
    told: contract::Context,
) -> std::result::Result<contract::Report, contract::Failure> {
    DRY_RUN.store(told.dry_run, Ordering::Relaxed);
    let context = Context::new(told, &Imports);
    match plugin.run(&context) {
        Ok(report) => Ok(report.into()),
        Err(failure) => Err(failure.into()),
    }
}

impl Host for Imports {
    fn now(&self) -> u64 {
        // In a guest, std's clock is the host's, which is an argument there.
        #[allow(clippy::disallowed_methods)]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
    }

    fn zone_offset(&self, zone: &str, at: u64) -> Result<i32> {
        zones::offset(zone, at)
    }

    fn files(&self) -> &dyn Files {
        self
    }

    fn trees(&self) -> &dyn Trees {
        self
    }

    fn database(&self, name: &str) -> Result<Box<dyn Database + '_>> {
        Ok(Box::new(database::open(name)?))
    }

    fn repository(&self, name: &str) -> Result<Box<dyn Repository + '_>> {
        Ok(Box::new(repository::open(name)?))
    }

    fn verify_file(&self, path: &str) -> Result<FileVerdict> {
        repository::verify_file(path)
    }

    fn stands_at(&self, source: &Source) -> Result<String> {
        repository::stands_at(source)
    }

    fn require(&self, powers: &[Power]) -> Result<()> {
        repository::require(powers)
    }

    fn plan_backup(
        &self,
        sources: &[Source],
        options: &BackupOptions,
        rules: &BackupRules,
    ) -> Result<BackupPlan> {
        repository::plan_backup(sources, options, rules)
    }

    fn create_repository(&self, name: &str) -> Result<Box<dyn Repository + '_>> {
        Ok(Box::new(repository::create(name)?))
    }

    fn remote(&self, name: &str) -> Result<Box<dyn Remote + '_>> {
        Ok(Box::new(remote::open(name)?))
    }

    fn fetch(&self, requests: &[Request]) -> Vec<Result<Response>> {
        http::fetch(requests)
    }

    fn probe(&self) -> &dyn Probe {
        self
    }

    fn watch(&self) -> &dyn Watch {
        self
    }

    fn secret(&self, name: &str) -> Result<String> {
        secrets::get(name)
    }

    fn state(&self) -> &dyn State {
        self
    }

    fn keep_state(&self) -> Result<()> {
        keeping::keep()
    }

    fn signal(&self, name: &str) -> Result<()> {
        processes::signal(name)
    }

    fn find_process(&self, name: &str) -> Result<Process> {
        processes::find(name)
    }

    fn run_command(&self, name: &str) -> Result<Outcome> {
        processes::run(name)
    }

    fn alerts(&self) -> &dyn Alerts {
        self
    }

    fn tasks(&self) -> &dyn Tasks {
        self
    }

    fn run_command_on(&self, name: &str, paths: &[&str]) -> Result<Outcome> {
        let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
        processes::run_on(name, &paths)
    }

    fn progress(&self, state: &Progress) {
        progress::update(state);
    }

    fn cancelled(&self) -> bool {
        progress::cancelled()
    }

    fn log(&self, level: Level, message: &str) {
        logging::log(level, "", message);
    }
}

impl From<Report> for contract::Report {
    fn from(report: Report) -> Self {
        let details = report.details_text();
        let metrics = report.metrics.into_iter();
        let artifacts = report.artifacts.into_iter();
        Self {
            summary: report.summary,
            metrics: metrics
                .map(|(name, value)| contract::Metric { name, value })
                .collect(),
            artifacts: artifacts
                .map(|made| contract::Artifact {
                    kind: made.kind,
                    name: made.name,
                    size: made.size,
                })
                .collect(),
            details,
        }
    }
}

impl From<Failure> for contract::Failure {
    fn from(failure: Failure) -> Self {
        Self {
            message: failure.message,
            retryable: failure.retryable,
            cause: failure.cause.map(|error| *error),
            partial: failure.partial.map(|report| (*report).into()),
        }
    }
}
