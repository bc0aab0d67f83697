//! What a configuration can be checked against besides itself: the plugins that there are,
//! and what no grant and no definition may reach.

use mhost_engine::Protected;
use mhost_model::grant::Grants;
use mhost_model::plugin::{Digest, Manifest, PluginRef};
use mhost_model::resource::Endpoint;
use mhost_model::task::TaskSpec;
use mhost_model::{Fault, FaultResult, Name};

use super::exec::ExecGrants;
use super::mistake::{ConfigError, Mistake, Severity};
use super::rules::plugin::{self, From};
use super::rules::protected::{
    self, Places, covers_repository, definitions, endpoints, missing_databases,
};

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
    /// What no database, repository or remote may lie in, and no remote may cover.
    pub protected: Option<&'a Protected>,
}

/// Checks what `exec` was given against the plugin: the action, its configuration, and the
/// grants that it cannot do without.
pub fn check_exec(spec: &TaskSpec, manifest: &Manifest) -> Result<(), ConfigError> {
    let place = format!("exec {} {}", spec.plugin, spec.action);
    errors(spec, manifest, From::Options, &place)
}

/// Checks a stored task against a component that is to take the place of its own.
pub fn check_task(name: &Name, spec: &TaskSpec, manifest: &Manifest) -> Result<(), ConfigError> {
    errors(spec, manifest, From::File, &format!("task {name}"))
}

fn errors(
    spec: &TaskSpec,
    manifest: &Manifest,
    from: From,
    place: &str,
) -> Result<(), ConfigError> {
    let findings = plugin::judge(spec, manifest, from, &mut plugin::Schemas::default());
    let errors = findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error);
    let mistakes: Vec<Mistake> = errors.map(|finding| finding.outside(place)).collect();
    ConfigError::of(mistakes).map_or(Ok(()), Err)
}

/// Checks what `exec` was given, as a file's grants and definitions are checked: none of it
/// reaches what is protected, no directory a repository, all storage is of a kind that there
/// is, and databases are there.
pub fn check_places(
    given: &ExecGrants,
    protected: &Protected,
    endpoint: EndpointCheck,
) -> Result<(), ConfigError> {
    let places = Places {
        databases: &given.databases,
        repositories: &given.repositories,
        remotes: &given.remotes,
    };
    let covered = covers_repository(&given.grants, &given.repositories);
    let refused = |grants: &Grants| protected.check_grants(grants).err().unwrap_or_default();
    let findings = protected::grants(&given.grants, &refused).into_iter();
    let findings = findings.chain(definitions(places, protected));
    let findings = findings.chain(covered).chain(endpoints(places, endpoint));
    let findings = findings.chain(missing_databases(given));
    let mistakes = findings.map(|finding| finding.outside("exec")).collect();
    ConfigError::of(mistakes).map_or(Ok(()), Err)
}
