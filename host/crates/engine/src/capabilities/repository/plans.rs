//! What is granted, and what a backup, a restore or a prune would do: for dry runs, and
//! before the first of several changes.

use std::sync::Arc;

use mhost_model::grant::{Access, DatabaseVerb, RepositoryVerb};
use mhost_model::{Fault, FaultResult};
use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};
use wasmtime::component::Resource;

use super::extended::storage;
use super::{Handle, Held, hold, shapes};
use crate::beneath;
use crate::bindings::mhost::plugin::repository::{
    BackupOptions, BackupPlan, BackupRules, Power, PruneSummary, RestorePlan, RestoreRules, Source,
};
use crate::refusal::Answer;
use crate::state::Call;

impl Call<'_> {
    pub(super) fn is_granted(&self, power: &Power) -> Answer<()> {
        let granter = &self.shared.granter;
        match power {
            Power::Repository((name, verb)) => {
                let verb: RepositoryVerb = named(verb)?;
                granter.repository(name, verb, false)?;
            }
            Power::Database((name, verb)) => {
                let verb: DatabaseVerb = named(verb)?;
                granter.database_granted(name, verb)?;
            }
        }
        Ok(())
    }

    pub(super) fn foresee_backup(
        &self,
        sources: &[Source],
        options: BackupOptions,
        rules: BackupRules,
    ) -> Answer<BackupPlan> {
        let shared = Arc::clone(&self.shared);
        let paths = sources.iter();
        let paths = paths.filter(|source| matches!(source, Source::Path(_)));
        let held = paths.map(|source| hold(&shared, source));
        let held: Vec<Held> = held.collect::<FaultResult<_>>()?;
        let sources: Vec<_> = held.iter().map(|held| held.source.clone()).collect();
        let storages = rules.storages.iter().map(|pair| storage(&shared, pair));
        let storages = storages.collect::<FaultResult<_>>()?;
        let options = shapes::backup_rules(options, rules, storages);
        let plan = shared.repositories.plan_backup(&sources, &options)?;
        Ok(shapes::backup_plan(plan))
    }

    pub(super) fn foresee_restore(
        &self,
        handle: &Resource<Handle>,
        snapshot: &str,
        target: Option<&str>,
        rules: RestoreRules,
    ) -> Answer<RestorePlan> {
        let (repository, _) = self.repository(handle, RepositoryVerb::Read, false)?;
        let locate = |target| beneath::locate(&self.shared, target, Access::ReadOnly, "restore");
        let place = target.map(locate).transpose()?;
        let pinned = place.as_ref().map(|place| place.pinned("restore"));
        let pinned = pinned.transpose()?;
        let target = pinned.as_ref().map(|pinned| pinned.path.as_path());
        let options = shapes::restore_rules(rules);
        let plan = repository.plan_restore(snapshot, target, &options);
        let plan = self.noted(repository, plan)?;
        if let Some(place) = place {
            place.used();
        }
        Ok(shapes::restore_plan(plan))
    }

    pub(super) fn foresee_prune(&self, handle: &Resource<Handle>) -> Answer<PruneSummary> {
        let (repository, _) = self.repository(handle, RepositoryVerb::Prune, false)?;
        let plan = self.noted(repository, repository.plan_prune())?;
        Ok(shapes::prune_summary(plan))
    }
}

/// A verb by its name in the configuration.
fn named<'v, T: Deserialize<'v>>(verb: &'v str) -> FaultResult<T> {
    T::deserialize(StrDeserializer::<Error>::new(verb))
        .map_err(|_| Fault::Invalid(format!("there is no verb `{verb}`")))
}
