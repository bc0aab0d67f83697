//! The document: what a file says, in the model's types.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mhost_model::Name;
use mhost_model::channel::ChannelDef;
use mhost_model::notify::Notify;
use mhost_model::plugin::PluginRef;
use mhost_model::resource::{DatabaseDef, PoolDef, RemoteDef, RepositoryDef};
use mhost_model::task::TaskSpec;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::check::Checks;
use super::mistake::{ConfigError, Mistake, Notes, Refusal};
use super::path::{KeyPath, Step};
use super::reader::Reader;
use super::shape::{self, Shape};
use super::source::Source;
use super::tree::{Entry, Node};
use super::{rules, syntax};

/// A configuration that holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    pub databases: BTreeMap<Name, DatabaseDef>,
    pub repositories: BTreeMap<Name, RepositoryDef>,
    pub remotes: BTreeMap<Name, RemoteDef>,
    pub pools: BTreeMap<Name, PoolDef>,
    pub channels: BTreeMap<Name, ChannelDef>,
    /// Who is told where a task does not say.
    pub notify: Option<Notify>,
    pub tasks: BTreeMap<Name, TaskEntry>,
    /// What only looks wrong.
    pub warnings: Vec<Mistake>,
}

/// `[tasks.NAME]`
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEntry {
    /// Paths are absolute.
    pub spec: TaskSpec,
    pub enabled: bool,
}

/// A file that is TOML, read as far as it could be; [`finish`](Self::finish) judges it.
#[derive(Debug, Clone)]
pub struct Draft {
    source: Source,
    root: Node,
    notes: Notes,
    document: Document,
}

impl Draft {
    pub(super) fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let source = Source::new(file.display().to_string(), text.to_owned());
        let root = syntax::parse(&source)?;
        let mut notes = Notes::default();
        let document = Sections {
            root: &root,
            reader: Reader {
                source: &source,
                base: &folder(file),
                notes: &mut notes,
                path: KeyPath::default(),
            },
        }
        .document();
        Ok(Self {
            source,
            root,
            notes,
            document,
        })
    }

    /// The plugins that its tasks name, to be looked up for [`Checks::plugins`]; each
    /// once.
    pub fn plugins(&self) -> Vec<PluginRef> {
        let tasks = self.document.tasks.values();
        let named: BTreeSet<&PluginRef> = tasks.map(|task| &task.spec.plugin).collect();
        named.into_iter().cloned().collect()
    }

    /// The document, or everything that is wrong with it.
    pub fn finish(mut self, checks: &Checks) -> Result<Document, ConfigError> {
        rules::judge(
            &self.source,
            &self.root,
            &self.document,
            checks,
            &mut self.notes,
        );
        self.document.warnings = self.notes.into_result()?;
        Ok(self.document)
    }
}

/// The absolute folder of a file.
fn folder(file: &Path) -> PathBuf {
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    whole.parent().unwrap_or(Path::new("/")).to_owned()
}

/// Reads the sections of a tree.
struct Sections<'a> {
    root: &'a Node,
    reader: Reader<'a>,
}

impl Sections<'_> {
    fn document(mut self) -> Document {
        for (name, entry) in self.root.table().into_iter().flatten() {
            if !shape::ROOT.keys.iter().any(|key| key.name == name) {
                let add = |reader: &mut Reader| reader.unknown(&shape::ROOT, name, &entry.key);
                self.reader.below(Step::Key(name.clone()), add);
            }
        }
        Document {
            databases: self.section("databases", take),
            repositories: self.section("repositories", take),
            remotes: self.section("remotes", take),
            pools: self.section("pools", take),
            channels: self.section("channels", take),
            notify: self.table("notify", take),
            tasks: self.section("tasks", take_task),
            warnings: Vec::new(),
        }
    }

    /// A table that stands there once, if it could be read.
    fn table<T>(&mut self, name: &str, take: fn(Json) -> Result<T, String>) -> Option<T> {
        let key = shape::ROOT.keys.iter().find(|key| key.name == name)?;
        let entry = self.root.table()?.get(name)?;
        self.reader.below(Step::Key(name.to_owned()), |reader| {
            whole(reader, &key.shape, entry, take)
        })
    }

    /// The entries of one section that could be read.
    fn section<T>(
        &mut self,
        section: &str,
        take: fn(Json) -> Result<T, String>,
    ) -> BTreeMap<Name, T> {
        let keys = shape::ROOT.keys.iter();
        let shape = keys
            .filter(|key| key.name == section)
            .map(|key| &key.shape)
            .next();
        let (Some(Shape::Named(of)), Some(node)) = (shape, self.root.at(&[section])) else {
            return BTreeMap::new();
        };
        self.reader.below(Step::Key(section.to_owned()), |reader| {
            let Some(table) = node.table() else {
                reader.wrong(node, "a table");
                return BTreeMap::new();
            };
            let read = |(name, entry): (&String, &Entry)| {
                reader.below(Step::Key(name.clone()), |reader| {
                    one(reader, of, name, entry, take)
                })
            };
            table.iter().filter_map(read).collect()
        })
    }
}

/// The whole of a table that is no entry.
fn whole<T>(
    reader: &mut Reader,
    of: &Shape,
    entry: &Entry,
    take: fn(Json) -> Result<T, String>,
) -> Option<T> {
    let json = reader.read(of, &entry.key, &entry.node)?;
    match take(json) {
        Ok(value) => Some(value),
        // What was found wrong already is reason enough.
        Err(_) if reader.notes.spoiled(&reader.path) => None,
        Err(said) => {
            reader.error(&entry.key, Refusal::of(said));
            None
        }
    }
}

/// One entry under its name.
fn one<T>(
    reader: &mut Reader,
    of: &Shape,
    name: &str,
    entry: &Entry,
    take: fn(Json) -> Result<T, String>,
) -> Option<(Name, T)> {
    let fits = reader.name(name, &entry.key);
    let name = name.parse().ok().filter(|_| fits);
    let value = whole(reader, of, entry, take)?;
    Some((name?, value))
}

fn take<T: DeserializeOwned>(json: Json) -> Result<T, String> {
    serde_json::from_value(json).map_err(|error| error.to_string())
}

/// A task; `enabled` stands in the file beside the spec's keys.
fn take_task(mut json: Json) -> Result<TaskEntry, String> {
    let enabled = json.as_object_mut().and_then(|task| task.remove("enabled"));
    Ok(TaskEntry {
        enabled: enabled.is_none_or(|enabled| enabled == Json::Bool(true)),
        spec: take(json)?,
    })
}
