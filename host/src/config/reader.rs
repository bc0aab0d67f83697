//! Walks a tree along its shape: finds unknown and missing keys and wrong values, all of
//! them, and makes the JSON that the model's types are read from. What is wrong is left out
//! of the JSON, so that the rest can still be judged; the notes keep it from being taken.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::mistake::{Notes, Refusal};
use super::path::{KeyPath, Step};
use super::scalar::short;
use super::shape::{Empty, Fixed, Judge, Key, Presence, Scalar, Shape};
use super::source::{Extent, Source};
use super::suggest;
use super::tree::{Node, Table, Value};

/// What reading needs besides the tree.
pub(super) struct Reader<'a> {
    pub source: &'a Source,
    /// The folder that relative paths are taken from.
    pub base: &'a Path,
    pub notes: &'a mut Notes,
    /// Where it is.
    pub path: KeyPath,
}

impl Reader<'_> {
    /// The value as JSON; none where it has nothing to take.
    pub fn read(&mut self, shape: &Shape, key: &Extent, node: &Node) -> Option<Json> {
        match (shape, &node.value) {
            (Shape::Table(fixed) | Shape::Either(_, fixed), Value::Table(table)) => {
                self.fixed(fixed, key, node, table)
            }
            (Shape::Named(of), Value::Table(table)) => Some(self.named(of, table)),
            (Shape::List(of, empty), Value::List(items)) => self.list(of, *empty, node, items),
            (Shape::Scalar(scalar) | Shape::Either(scalar, _), _) => self.scalar(*scalar, node),
            (Shape::Json, Value::Table(_)) => self.json(node),
            (Shape::Table(_) | Shape::Named(_) | Shape::Json, _) => self.wrong(node, "a table"),
            (Shape::List(..), _) => self.wrong(node, "an array"),
        }
    }

    /// Notes something wrong here.
    pub fn error(&mut self, extent: &Extent, refusal: Refusal) {
        self.notes.error(self.source, extent, &self.path, refusal);
    }

    /// Does something one step further down.
    pub fn below<T>(&mut self, step: Step, act: impl FnOnce(&mut Self) -> T) -> T {
        self.path.0.push(step);
        let result = act(self);
        self.path.0.pop();
        result
    }

    /// Whether a key is a name.
    pub fn name(&mut self, name: &str, key: &Extent) -> bool {
        let read = Scalar::Name.read_text(name, self.base);
        read.map_err(|refusal| self.error(key, refusal)).is_ok()
    }

    /// Notes a key that the table has not.
    pub fn unknown(&mut self, fixed: &Fixed, name: &str, key: &Extent) {
        let known = || fixed.keys.iter().map(|key| key.name);
        let all = || format!("the keys here are {}", suggest::list(known()));
        let help = match self.notes.full() {
            true => all(),
            false => suggest::remedy(name, known(), all),
        };
        let message = format!("unknown key `{}`", short(name));
        self.error(key, Refusal::new(message, help));
    }

    fn scalar(&mut self, scalar: Scalar, node: &Node) -> Option<Json> {
        let read = scalar.read(node, self.base);
        read.map_err(|refusal| self.error(&node.extent, refusal))
            .ok()
    }

    /// Notes a value that is no table or array where one must be.
    pub fn wrong(&mut self, node: &Node, wanted: &str) -> Option<Json> {
        let example = match wanted {
            "an array" => "`[\"…\", \"…\"]`",
            _ => "`{ key = value }`, or a header with the keys below it",
        };
        let message = format!("this must be {wanted}, not {}", node.kind());
        self.error(
            &node.extent,
            Refusal::new(message, format!("write {example}")),
        );
        None
    }

    fn list(&mut self, of: &Shape, empty: Empty, node: &Node, items: &[Node]) -> Option<Json> {
        if items.is_empty() && empty == Empty::Refused {
            self.error(
                &node.extent,
                Refusal::new("this is empty", "name at least one"),
            );
            return None;
        }
        let read = |(index, item): (usize, &Node)| {
            self.below(Step::Index(index), |reader| {
                reader.read(of, &item.extent, item)
            })
        };
        Some(items.iter().enumerate().filter_map(read).collect())
    }

    /// A table whose keys are names.
    fn named(&mut self, of: &Shape, table: &Table) -> Json {
        let mut all = Map::new();
        for (name, entry) in table {
            let value = self.below(Step::Key(name.clone()), |reader| {
                let fits = reader.name(name, &entry.key);
                reader.read(of, &entry.key, &entry.node).filter(|_| fits)
            });
            all.extend(value.map(|value| (name.clone(), value)));
        }
        Json::from(all)
    }

    fn fixed(&mut self, fixed: &Fixed, at: &Extent, node: &Node, table: &Table) -> Option<Json> {
        let mut all = Map::new();
        for (name, entry) in table {
            let value = self.below(Step::Key(name.clone()), |reader| {
                match fixed.keys.iter().find(|key| key.name == name) {
                    Some(key) => reader.read(&key.shape, &entry.key, &entry.node),
                    None => {
                        reader.unknown(fixed, name, &entry.key);
                        None
                    }
                }
            });
            all.extend(value.map(|value| (name.clone(), value)));
        }
        let required = |key: &&Key| key.presence == Presence::Required;
        // Of alternatives, a part is nothing.
        let parts = fixed.one_of.iter().flat_map(|set| set.iter());
        let mut whole = self.one_of(fixed, at, table)
            && parts
                .into_iter()
                .all(|key| table.contains_key(*key) == all.contains_key(*key));
        for key in fixed.keys.iter().filter(required) {
            whole &= all.contains_key(key.name);
            if !table.contains_key(key.name) && !misspelt(fixed, key.name, table) {
                self.missing(key, at);
            }
        }
        let all = Some(all).filter(|_| whole)?;
        if let Some(judge) = fixed.judge {
            // Only all of it together can be judged.
            Some(()).filter(|()| all.len() == table.len())?;
            self.judge(judge, node, table, &all)?;
        }
        Some(Json::from(all))
    }

    /// Asks whether the keys go together. To blame is the key that the judge names, or the
    /// last of those without which the others would.
    fn judge(
        &mut self,
        judge: Judge,
        node: &Node,
        table: &Table,
        all: &Map<String, Json>,
    ) -> Option<()> {
        let Err(blame) = judge(&Json::from(all.clone())) else {
            return Some(());
        };
        let without = |name: &str| {
            let mut fewer = all.clone();
            fewer.remove(name);
            judge(&Json::from(fewer)).is_ok()
        };
        let stray = table
            .iter()
            .filter(|(name, _)| blame.key.is_none() && without(name));
        let named = blame.key.and_then(|key| table.get_key_value(key));
        let place = named.map(|(name, entry)| (name, &entry.node.extent));
        let stray = stray
            .map(|(name, entry)| (name, &entry.key))
            .max_by_key(|(_, key)| key.start);
        match place.or(stray) {
            Some((name, extent)) => self.below(Step::Key(name.clone()), |reader| {
                reader.error(extent, blame.refusal);
            }),
            None => self.error(&node.extent, blame.refusal),
        }
        None
    }

    fn missing(&mut self, key: &Key, at: &Extent) {
        let example = match &key.shape {
            Shape::Scalar(scalar) | Shape::Either(scalar, _) => scalar.example(),
            Shape::List(Shape::Scalar(scalar), _) => format!("an array of {}", scalar.example()),
            _ => "a table".to_owned(),
        };
        let message = format!("the key `{}` is missing", key.name);
        let help = format!("add `{} = …`: {example}", key.name);
        self.error(at, Refusal::new(message, help));
    }

    /// Whether exactly one of the sets of keys stands there, whole.
    fn one_of(&mut self, fixed: &Fixed, at: &Extent, table: &Table) -> bool {
        if fixed.one_of.is_empty() {
            return true;
        }
        let begun = |set: &&&[&str]| set.iter().any(|key| table.contains_key(*key));
        let begun: Vec<_> = fixed.one_of.iter().filter(begun).collect();
        let message = match begun.as_slice() {
            [one] => match one.iter().find(|key| !table.contains_key(**key)) {
                None => return true,
                Some(missing) => format!("the key `{missing}` is missing"),
            },
            [] => "nothing is said here".to_owned(),
            _ => "this says more than one thing".to_owned(),
        };
        let quoted = |set: &&[&str]| set.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>();
        let forms = fixed.one_of.iter().map(|set| quoted(set).join(" with "));
        let help = format!(
            "write only one: {}",
            forms.collect::<Vec<_>>().join(", or ")
        );
        self.error(at, Refusal::new(message, help));
        false
    }

    /// A plugin's own settings; all or nothing, since a schema is to judge them.
    fn json(&mut self, node: &Node) -> Option<Json> {
        let (message, help) = match &node.value {
            Value::Text(text) => return Some(Json::from(text.as_str())),
            Value::Integer(number) => return Some(Json::from(*number)),
            Value::Float(number) => return Some(Json::from(*number)),
            Value::Bool(value) => return Some(Json::from(*value)),
            Value::List(items) => {
                let read =
                    |(index, item)| self.below(Step::Index(index), |reader| reader.json(item));
                let read: Vec<_> = items.iter().enumerate().map(read).collect();
                return read.into_iter().collect();
            }
            Value::Table(table) => {
                let read = |(name, entry): (&String, &super::tree::Entry)| {
                    let value =
                        self.below(Step::Key(name.clone()), |reader| reader.json(&entry.node));
                    value.map(|value| (name.clone(), value))
                };
                let read: Vec<_> = table.iter().map(read).collect();
                return read
                    .into_iter()
                    .collect::<Option<Map<_, _>>>()
                    .map(Json::from);
            }
            Value::Moment(text) => (
                "a plugin's settings hold no dates",
                format!("put it between quotation marks: `\"{text}\"`"),
            ),
            Value::Outsize => (
                "this number is out of range",
                "write a finite number, or an integer within 64 bits".to_owned(),
            ),
        };
        self.error(&node.extent, Refusal::new(message, help));
        None
    }
}

/// Whether a key stands there under a wrong name, which is told already.
fn misspelt(fixed: &Fixed, name: &str, table: &Table) -> bool {
    let known = || fixed.keys.iter().map(|key| key.name);
    let unknown = table
        .keys()
        .filter(|found| known().all(|key| key != *found));
    // Of a table with very many wrong keys nobody needs to know.
    unknown
        .take(20)
        .any(|found| suggest::nearest(found, known()) == Some(name))
}
