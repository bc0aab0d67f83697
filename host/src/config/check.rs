//! What a configuration can be checked against besides itself: the plugins that there are,
//! and what no grant and no definition may reach.

use std::path::PathBuf;

use mhost_model::grant::Grants;
use mhost_model::plugin::{Digest, Manifest, PluginRef};
use mhost_model::resource::Endpoint;
use mhost_model::task::TaskSpec;
use mhost_model::{Fault, FaultResult};

use super::exec::ExecGrants;
use super::mistake::{ConfigError, Mistake, Severity};
use super::rules::plugin;
use super::rules::protected::{Places, covers_repository, definitions};

/// The plugins that there are.
pub trait Plugins {
    /// What the plugin that a reference stands for now says of itself.
    fn manifest(&self, reference: &PluginRef) -> Option<&Manifest>;
    /// Its component.
    fn digest(&self, reference: &PluginRef) -> Option<Digest>;
    /// The names of all, for suggestions.
    fn names(&self) -> Vec<String>;
}

/// What grants reach that they must not, each with the remedy.
pub type Refused<'a> = &'a dyn Fn(&Grants) -> Vec<Fault>;

/// See [`Checks::endpoint`].
pub type EndpointCheck<'a> = &'a dyn Fn(bool, &Endpoint) -> FaultResult<()>;

/// What to check against; without any of it a document is only checked against itself.
#[derive(Default, Clone, Copy)]
pub struct Checks<'a> {
    pub plugins: Option<&'a dyn Plugins>,
    pub refused: Option<Refused<'a>>,
    /// What is wrong with where a repository (true) or a remote is.
    pub endpoint: Option<EndpointCheck<'a>>,
    /// Folders in which no database, repository or remote may lie, and which no remote may cover.
    pub protected: &'a [PathBuf],
}

/// Checks what `exec` was given against the plugin: the action, its configuration, and the
/// grants that it cannot do without.
pub fn check_exec(spec: &TaskSpec, manifest: &Manifest) -> Result<(), ConfigError> {
    let findings = plugin::judge(spec, manifest, &mut plugin::Schemas::default());
    let errors = findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error);
    let place = format!("exec {} {}", spec.plugin, spec.action);
    let mistakes: Vec<Mistake> = errors.map(|finding| finding.outside(&place)).collect();
    ConfigError::of(mistakes).map_or(Ok(()), Err)
}

/// Checks that none of the definitions that `exec` was given reaches a protected folder, and
/// no directory a repository.
pub fn check_places(given: &ExecGrants, protected: &[PathBuf]) -> Result<(), ConfigError> {
    let places = Places {
        databases: &given.databases,
        repositories: &given.repositories,
        remotes: &given.remotes,
    };
    let covered = covers_repository(&given.grants, &given.repositories);
    let findings = definitions(places, protected).into_iter().chain(covered);
    let mistakes = findings.map(|finding| finding.outside("exec")).collect();
    ConfigError::of(mistakes).map_or(Ok(()), Err)
}
