//! A component that is ready to run.

use std::sync::Arc;
use std::time::Duration;

use mhost_model::plugin::{Digest, Manifest};
use wasmtime::component::Component;

use crate::bindings::MaintenancePre;
use crate::sandbox::Core;
use crate::state::RunState;
use crate::{EngineError, Finished, Job, describe, imports, run};

/// A loaded plugin; each run gets an instance and a store of its own.
pub struct Plugin {
    pub(crate) core: Arc<Core>,
    pub(crate) pre: MaintenancePre<RunState>,
    digest: Digest,
}

impl Plugin {
    pub(crate) fn new(
        core: Arc<Core>,
        digest: Digest,
        component: &Component,
    ) -> Result<Self, EngineError> {
        let missing = || EngineError::MissingImports(imports::missing(&core, component));
        let pre = core
            .linker
            .instantiate_pre(component)
            .map_err(|_| missing())?;
        let pre = MaintenancePre::new(pre).map_err(|error| {
            EngineError::NotAPlugin(format!("`{}`: {}", imports::EXPORT, error.root_cause()))
        })?;
        Ok(Self { core, pre, digest })
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the plugin says of itself, checked. It is granted nothing, and gets a few
    /// seconds.
    pub async fn describe(&self) -> Result<Manifest, EngineError> {
        describe::describe(self, Duration::from_secs(10)).await
    }

    /// Does one run. Whatever the guest does, this ends within the limit of time, or a
    /// moment after it when the guest is stuck in a host call.
    pub async fn run(&self, job: Job) -> Finished {
        run::run(self, job).await
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({})", self.digest)
    }
}
