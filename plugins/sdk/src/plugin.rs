//! A plugin as its author writes it: named actions, each a function of a typed
//! configuration, whose JSON Schema follows from the type.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;

pub use crate::bindings::exports::mhost::plugin::plugin::{
    Action as ActionManifest, Capability, Manifest, Need,
};
use crate::{Context, Failure, Report};

type Run = Box<dyn Fn(&Context<'_>, &str) -> Result<Report, Failure>>;

/// Who the plugin is, and what it can do.
pub struct Plugin {
    name: &'static str,
    version: &'static str,
    summary: &'static str,
    actions: Vec<Action>,
}

impl Plugin {
    /// `name` is lower-case words joined by hyphens, `version` usually
    /// `env!("CARGO_PKG_VERSION")`, `summary` one sentence.
    pub fn new(name: &'static str, version: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            version,
            summary,
            actions: Vec::new(),
        }
    }

    pub fn action(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }

    /// What `describe` answers.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            summary: self.summary.to_owned(),
            actions: self.actions.iter().map(Action::manifest).collect(),
        }
    }

    /// Does one run.
    pub fn run(&self, context: &Context<'_>) -> Result<Report, Failure> {
        let name = context.action();
        let action = self.actions.iter().find(|action| action.name == name);
        match action {
            Some(action) => (action.run)(context, context.config()),
            None => Err(Failure::permanent(format!(
                "the plugin `{}` has no action `{name}`: it has {}",
                self.name,
                self.actions
                    .iter()
                    .map(|a| a.name)
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
        }
    }
}

/// One thing that the plugin can do.
pub struct Action {
    name: &'static str,
    summary: &'static str,
    schema: fn() -> String,
    needs: Vec<Need>,
    run: Run,
}

impl Action {
    /// `name` is lower-case words joined by hyphens. The configuration's type
    /// should be `deny_unknown_fields`, so that a misspelt field is a mistake.
    pub fn new<C>(
        name: &'static str,
        summary: &'static str,
        run: impl Fn(&Context<'_>, C) -> Result<Report, Failure> + 'static,
    ) -> Self
    where
        C: DeserializeOwned + JsonSchema,
    {
        Self {
            name,
            summary,
            schema: schema::<C>,
            needs: Vec::new(),
            run: Box::new(move |context, config| run(context, parse(config)?)),
        }
    }

    /// A kind of power that the action has no use without.
    pub fn requires(self, capability: Capability, access: Access, reason: &str) -> Self {
        self.need(capability, access, reason, true)
    }

    /// A kind of power that some configurations use.
    pub fn may_use(self, capability: Capability, access: Access, reason: &str) -> Self {
        self.need(capability, access, reason, false)
    }

    fn need(
        mut self,
        capability: Capability,
        access: Access,
        reason: &str,
        required: bool,
    ) -> Self {
        self.needs.push(Need {
            capability,
            reason: reason.to_owned(),
            required,
            writes: access == Access::Changes,
        });
        self
    }

    fn manifest(&self) -> ActionManifest {
        ActionManifest {
            name: self.name.to_owned(),
            summary: self.summary.to_owned(),
            config_schema: (self.schema)(),
            needs: self.needs.clone(),
        }
    }
}

/// What an action does with a kind of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It only looks.
    Looks,
    /// It changes something.
    Changes,
}

fn schema<C: JsonSchema>() -> String {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<C>().as_value().to_string()
}

fn parse<C: DeserializeOwned>(config: &str) -> Result<C, Failure> {
    serde_json::from_str(config)
        .map_err(|error| Failure::misconfigured(format!("the configuration is wrong: {error}")))
}
