//! What the tests share: plugins, a store's content, and folders of cases.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mhost::config::{Checks, ConfigError, Document, Plugins, TaskEntry, parse};
use mhost_engine::Protected;
use mhost_model::TaskId;
use mhost_model::plugin::{Action, Capability, Digest, Manifest, Need, PluginRef};
use mhost_model::resource::Endpoint;
use mhost_model::task::Task;
use mhost_model::{Fault, Name};
use mhost_store::{Definitions, Edit, TaskStatus};
use serde_json::json;

/// Where the files of the cases are said to lie.
pub const FILE: &str = "/etc/mhost/mhost.toml";

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Some plugins, by name.
pub struct Known(pub Vec<Manifest>);

impl Plugins for Known {
    fn manifest(&self, reference: &PluginRef) -> Option<&Manifest> {
        let fits = |one: &&Manifest| {
            let version = reference.version.as_ref();
            one.name == reference.name && version.is_none_or(|version| *version == one.version)
        };
        self.0.iter().find(fits)
    }

    fn digest(&self, reference: &PluginRef) -> Option<Digest> {
        self.manifest(reference)
            .map(|_| digest(&reference.to_string()))
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|one| one.name.to_string()).collect()
    }
}

/// A digest of its own for each text.
pub fn digest(text: &str) -> Digest {
    let mut bytes = [0; 32];
    for (at, byte) in text.bytes().enumerate() {
        bytes[at % 32] ^= byte.rotate_left(at as u32);
    }
    Digest(bytes)
}

fn need(capability: Capability, required: bool, writes: bool, reason: &str) -> Need {
    Need {
        capability,
        reason: reason.into(),
        required,
        writes,
    }
}

fn action(name: &str, config_schema: serde_json::Value, needs: Vec<Need>) -> Action {
    Action {
        name: name.into(),
        summary: String::new(),
        config_schema,
        needs,
    }
}

/// Two plugins that resemble the built-in ones.
pub fn plugins() -> Known {
    let rotate = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["logs"],
        "properties": {
            "logs": { "type": "array", "items": { "type": "string" }, "description": "Patterns of guest paths." },
            "rotate": { "type": "integer", "minimum": 0, "description": "How many old logs are kept." },
            "compress": { "enum": ["gzip", "zstd", "none"] },
            "existing": { "anyOf": [{ "$ref": "#/$defs/existing" }, { "type": "null" }] },
            "when": { "anyOf": [
                { "type": "string" },
                { "type": "object", "properties": { "size": { "type": "integer" } }, "additionalProperties": false }
            ] }
        },
        "$defs": { "existing": { "oneOf": [
            { "const": "refuse", "description": "It is an error." },
            { "enum": ["replace", "keep"] }
        ] } }
    });
    let ping = json!({
        "type": "object",
        "properties": {
            "targets": { "type": "array", "items": { "$ref": "#/$defs/target" } }
        },
        "$defs": { "target": {
            "type": "object",
            "required": ["url"],
            "additionalProperties": false,
            "properties": { "url": { "type": "string" }, "expect": { "type": "integer", "maximum": 599 } }
        } }
    });
    let manifest = |name: &str, version: &str, actions| Manifest {
        name: name.parse().unwrap(),
        version: version.into(),
        summary: String::new(),
        actions,
    };
    Known(vec![
        manifest(
            "logrotate",
            "0.1.0",
            vec![action(
                "rotate",
                rotate,
                vec![
                    need(
                        Capability::Directories,
                        true,
                        true,
                        "Logs are renamed where they lie.",
                    ),
                    need(
                        Capability::Processes,
                        false,
                        true,
                        "Daemons are told to reopen their logs.",
                    ),
                ],
            )],
        ),
        manifest(
            "ping",
            "0.1.0",
            vec![action(
                "check",
                ping,
                vec![need(Capability::Network, true, false, "Targets are asked.")],
            )],
        ),
        manifest(
            "any",
            "1.0.0",
            vec![action(
                "run",
                json!({}),
                [
                    Capability::Directories,
                    Capability::Databases,
                    Capability::Network,
                    Capability::Repositories,
                    Capability::Remotes,
                    Capability::Secrets,
                    Capability::Processes,
                ]
                .map(|capability| need(capability, false, false, "It may be of use."))
                .to_vec(),
            )],
        ),
    ])
}

/// Reads a text that is checked against [`plugins`].
pub fn read(text: &str) -> Result<Document, ConfigError> {
    let plugins = plugins();
    let endpoint = |_, one: &Endpoint| match one.url.starts_with("gopher:") {
        true => Err(Fault::Unsupported(
            "`gopher:` is no kind of remote that there is: choose another".into(),
        )),
        false => Ok(()),
    };
    let protected = Protected::new(&[PathBuf::from("/var/lib/mhost")]);
    parse(text, Path::new(FILE))?.finish(&Checks {
        plugins: Some(&plugins),
        refused: None,
        endpoint: Some(&endpoint),
        protected: Some(&protected),
    })
}

/// What a store holds once a document was applied to an empty one.
pub fn stored(document: &Document) -> (Definitions, Vec<TaskStatus>) {
    let definitions = Definitions {
        databases: document.databases.clone(),
        repositories: document.repositories.clone(),
        remotes: document.remotes.clone(),
        pools: document.pools.clone(),
        channels: document.channels.clone(),
        notify: document.notify.clone(),
        source: None,
        plugins: Vec::new(),
    };
    let tasks = document
        .tasks
        .iter()
        .enumerate()
        .map(|(id, (name, entry))| TaskStatus {
            task: Task {
                id: TaskId(id as u64 + 1),
                name: name.clone(),
                spec: entry.spec.clone(),
                pin: digest(&entry.spec.plugin.to_string()),
                quarantine: None,
                enabled: entry.enabled,
                schedule_version: 1,
                created_at: chrono::DateTime::UNIX_EPOCH,
            },
            progress: Default::default(),
        });
    (definitions, tasks.collect())
}

/// The files of a folder with an extension, by their names without it.
pub fn cases(folder: &str, extension: &str) -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(folder);
    let entries = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect()
}

/// What a store makes of edits, as far as a plan can tell.
pub fn apply(mut current: mhost::config::Current, edits: &[Edit]) -> mhost::config::Current {
    for edit in edits {
        let definitions = &mut current.definitions;
        match edit.clone() {
            Edit::PutDatabase(name, one) => drop(definitions.databases.insert(name, one)),
            Edit::RemoveDatabase(name) => drop(definitions.databases.remove(&name)),
            Edit::PutRepository(name, one) => drop(definitions.repositories.insert(name, one)),
            Edit::RemoveRepository(name) => drop(definitions.repositories.remove(&name)),
            Edit::PutRemote(name, one) => drop(definitions.remotes.insert(name, one)),
            Edit::RemoveRemote(name) => drop(definitions.remotes.remove(&name)),
            Edit::PutPool(name, one) => drop(definitions.pools.insert(name, one)),
            Edit::RemovePool(name) => drop(definitions.pools.remove(&name)),
            Edit::PutChannel(name, one) => drop(definitions.channels.insert(name, *one)),
            Edit::RemoveChannel(name) => drop(definitions.channels.remove(&name)),
            Edit::SetNotify(notify) => definitions.notify = notify,
            Edit::RemoveTask(name) => current.tasks.retain(|status| status.task.name != name),
            Edit::SetEnabled { name, enabled } => {
                let mut tasks = current.tasks.iter_mut();
                tasks
                    .find(|status| status.task.name == name)
                    .unwrap()
                    .task
                    .enabled = enabled;
            }
            Edit::PutTask {
                name,
                spec,
                enabled,
                ..
            } => {
                let mut document = Document::default();
                document.tasks.insert(
                    name.clone(),
                    TaskEntry {
                        spec: *spec,
                        enabled,
                    },
                );
                current.tasks.retain(|status| status.task.name != name);
                current.tasks.extend(stored(&document).1);
            }
            other => panic!("a plan without such an edit: {other:?}"),
        }
    }
    current
}
