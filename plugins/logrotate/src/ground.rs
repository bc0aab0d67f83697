//! The logs' ground: files by the paths that the configuration names, changes that a dry
//! run only writes down, and what is said on the way.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use mhost_format_logrotate::{Found, Kind as Shape, Source};
use mhost_sdk::files::{Files, Kind, Metadata, WalkOptions, join, split};
use mhost_sdk::{Context, Error, Optional as _, Result};

use crate::config::{Config, Owners, Text};

/// The largest configuration that is read, bytes.
const MOST_CONFIGURATION: u64 = 4 << 20;
/// Lines of a trace that are kept.
const MOST_LINES: usize = 20_000;

/// Names in a folder, with what the listing told of them.
type Folder = BTreeMap<String, Option<Metadata>>;

/// See the module.
pub struct Ground<'c> {
    pub context: &'c Context<'c>,
    /// Folders as the configuration names them and as they were granted, longest first.
    roots: Vec<(String, String)>,
    /// Names by folder, as far as they were asked for; this run's changes are in them.
    folders: RefCell<BTreeMap<String, Folder>>,
    /// In a dry run: where what would have been renamed lies now.
    moved: RefCell<BTreeMap<String, String>>,
    steps: RefCell<Vec<String>>,
    trace: RefCell<Vec<String>>,
    said: RefCell<Vec<String>>,
    warnings: RefCell<Vec<String>>,
    /// Paths of names that are no UTF-8 text, as far as folders were listed.
    garbled: RefCell<BTreeSet<String>>,
    config: &'c Config,
    /// Files of the configuration that were handed over.
    texts: &'c BTreeMap<String, Text>,
}

impl<'c> Ground<'c> {
    pub fn new(context: &'c Context<'c>, config: &'c Config) -> Self {
        let trimmed = |text: &str| text.trim_end_matches('/').to_owned();
        let roots = config
            .roots
            .iter()
            .map(|(from, to)| (trimmed(from), trimmed(to)));
        let mut roots: Vec<_> = roots.collect();
        roots.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        Self {
            context,
            roots,
            folders: RefCell::default(),
            moved: RefCell::default(),
            steps: RefCell::default(),
            trace: RefCell::default(),
            said: RefCell::default(),
            warnings: RefCell::default(),
            garbled: RefCell::default(),
            config,
            texts: &config.texts,
        }
    }

    /// The guest path of a path in the configuration.
    pub fn guest(&self, path: &str) -> String {
        let below = self.roots.iter().find_map(|(from, to)| {
            within(path, from).then(|| format!("{to}{}", &path[from.len()..]))
        });
        below.unwrap_or_else(|| path.to_owned())
    }

    pub fn files(&self) -> &dyn Files {
        self.context.files()
    }

    /// What is there itself, links not followed.
    pub fn look(&self, path: &str) -> Result<Option<Metadata>> {
        let mut absent = self.config.absent.iter();
        if absent.any(|folder| within(path, folder.trim_end_matches('/'))) {
            return Ok(None);
        }
        let moved = self.moved.borrow().get(path).cloned();
        self.files()
            .stat_optional(&self.guest(moved.as_deref().unwrap_or(path)))
    }

    /// Forgets the listings, so that the next looks are at what is there now.
    pub fn forget(&self) {
        self.folders.borrow_mut().clear();
    }

    /// The files in a folder whose names begin so, with what their listing told.
    pub fn beginning(&self, folder: &str, with: &str) -> Result<Vec<(String, Option<Metadata>)>> {
        self.with_names(folder, |names| {
            let near = names.range::<str, _>((Bound::Included(with), Bound::Unbounded));
            let near = near.take_while(|(name, _)| name.starts_with(with));
            near.map(|(name, found)| (name.clone(), *found)).collect()
        })
    }

    /// The names in a folder that begin so.
    pub fn names_like(&self, folder: &str, with: &str) -> Result<Vec<String>> {
        self.with_names(folder, |names| {
            let near = names.range::<str, _>((Bound::Included(with), Bound::Unbounded));
            let near = near.take_while(|(name, _)| name.starts_with(with));
            near.map(|(name, _)| name.clone()).collect()
        })
    }

    /// Whether the folder has such a name, by its listing and this run's changes.
    pub fn has(&self, path: &str) -> bool {
        let (folder, name) = split(path);
        self.with_names(folder, |names| names.contains_key(name))
            .unwrap_or(false)
    }

    /// The names in a folder.
    pub fn names(&self, folder: &str) -> Result<Vec<String>> {
        self.with_names(folder, |names| names.keys().cloned().collect())
    }

    fn with_names<T>(&self, folder: &str, with: impl FnOnce(&Folder) -> T) -> Result<T> {
        if let Some(names) = self.folders.borrow().get(folder) {
            return Ok(with(names));
        }
        let options = WalkOptions {
            max_depth: Some(0),
            one_file_system: false,
        };
        let (entries, _) = self.files().walk_all(&self.guest(folder), options)?;
        let (garbled, names): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.raw.is_some());
        let garbled = garbled
            .into_iter()
            .filter(|entry| entry.metadata.kind != Kind::Directory);
        let mut all = self.garbled.borrow_mut();
        all.extend(garbled.map(|entry| join(folder, &entry.path)));
        let names = names.into_iter();
        let names: Folder = names
            .map(|entry| (entry.path, Some(entry.metadata)))
            .collect();
        let answer = with(&names);
        self.folders.borrow_mut().insert(folder.to_owned(), names);
        Ok(answer)
    }

    /// The paths below folders that were listed whose names are no UTF-8 text: nothing can be
    /// done to them by such a name. For their other bytes the replacement character stands.
    pub fn garbled(&self) -> Vec<String> {
        self.garbled.borrow().iter().cloned().collect()
    }

    /// One step: written down, and taken unless this is a dry run.
    fn change(&self, text: String, act: impl FnOnce(&dyn Files) -> Result<()>) -> Result<()> {
        self.say(&text);
        if !self.context.dry_run() {
            act(self.files())?;
        }
        self.steps.borrow_mut().push(text);
        Ok(())
    }

    fn came(&self, path: &str) {
        let (folder, name) = split(path);
        if let Some(names) = self.folders.borrow_mut().get_mut(folder) {
            names.insert(name.to_owned(), None);
        }
    }

    fn went(&self, path: &str) {
        let (folder, name) = split(path);
        if let Some(names) = self.folders.borrow_mut().get_mut(folder) {
            names.remove(name);
        }
    }

    /// Renames, over what is there.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (guest_from, guest_to) = (self.guest(from), self.guest(to));
        self.change(format!("rename `{from}` to `{to}`"), |files| {
            match files.rename(&guest_from, &guest_to) {
                Err(Error::Exists(_)) => {
                    files.remove_file(&guest_to)?;
                    files.rename(&guest_from, &guest_to)
                }
                done => done,
            }
        })?;
        self.went(from);
        self.came(to);
        if self.context.dry_run() {
            let mut moved = self.moved.borrow_mut();
            let origin = moved.remove(from).unwrap_or_else(|| from.to_owned());
            moved.insert(to.to_owned(), origin);
        }
        Ok(())
    }

    /// In a dry run: a file that would have been made of another one counts as large as that.
    pub fn stands_for(&self, path: &str, source: &str) {
        if self.context.dry_run() {
            let mut moved = self.moved.borrow_mut();
            let origin = moved.get(source).cloned();
            moved.insert(path.to_owned(), origin.unwrap_or_else(|| source.to_owned()));
        }
    }

    /// A step that makes a file.
    pub fn make(
        &self,
        text: String,
        path: &str,
        act: impl FnOnce(&dyn Files, &str) -> Result<()>,
    ) -> Result<()> {
        let guest = self.guest(path);
        self.change(text, |files| act(files, &guest))?;
        self.came(path);
        Ok(())
    }

    /// A step that changes a file in its place.
    pub fn edit(
        &self,
        text: String,
        path: &str,
        act: impl FnOnce(&dyn Files, &str) -> Result<()>,
    ) -> Result<()> {
        let guest = self.guest(path);
        self.change(text, |files| act(files, &guest))
    }

    /// Removes a file; `passes` overwrites it first.
    pub fn remove(&self, path: &str, passes: Option<u32>) -> Result<()> {
        let guest = self.guest(path);
        let text = match passes {
            Some(_) => format!("shred `{path}`"),
            None => format!("remove `{path}`"),
        };
        self.change(text, |files| match passes {
            Some(passes) => files.shred(&guest, passes),
            None => files.remove_file(&guest),
        })?;
        self.went(path);
        Ok(())
    }

    /// The steps since the last call.
    pub fn steps(&self) -> Vec<String> {
        std::mem::take(&mut *self.steps.borrow_mut())
    }

    /// A line of the trace, where one is wanted.
    pub fn say(&self, text: &str) {
        let mut trace = self.trace.borrow_mut();
        if self.config.verbose && trace.len() < MOST_LINES {
            trace.push(text.to_owned());
        }
    }

    /// What is wrong and stops nothing.
    pub fn warn(&self, text: &str) {
        self.context.warn(text);
        self.say(text);
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MOST_LINES {
            warnings.push(text.to_owned());
        }
    }

    pub fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.borrow_mut())
    }

    /// A line that a command wrote, which is handed on whatever is said otherwise.
    pub fn output(&self, line: &str) {
        let mut said = self.said.borrow_mut();
        if said.len() < MOST_LINES {
            said.push(line.to_owned());
        }
    }

    /// What commands wrote.
    pub fn outputs(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.borrow_mut())
    }

    pub fn trace(&self) -> Vec<String> {
        std::mem::take(&mut *self.trace.borrow_mut())
    }
}

impl Source for Ground<'_> {
    fn look(&self, path: &str) -> std::result::Result<Option<Found>, String> {
        if let Some(text) = self.texts.get(path) {
            return Ok(Some(Found {
                kind: Shape::File,
                mode: text.mode.0,
                uid: text.uid,
            }));
        }
        if !self.handed(path).is_empty() {
            return Ok(Some(Found {
                kind: Shape::Directory,
                mode: 0o755,
                uid: 0,
            }));
        }
        let found = match Ground::look(self, path) {
            Ok(found) => found,
            // What was not granted is not there for the configuration.
            Err(Error::Denied(_)) => None,
            Err(error) => return Err(error.to_string()),
        };
        Ok(found.map(|found| Found {
            kind: match found.kind {
                Kind::File => Shape::File,
                Kind::Directory => Shape::Directory,
                _ => Shape::Other,
            },
            mode: found.mode,
            uid: found.uid,
        }))
    }

    fn read(&self, path: &str) -> std::result::Result<String, String> {
        if let Some(text) = self.texts.get(path) {
            return Ok(text.text.clone());
        }
        let content = self.files().read(&self.guest(path), MOST_CONFIGURATION);
        let content = content.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    fn list(&self, path: &str) -> std::result::Result<Vec<String>, String> {
        if path == "/" {
            let names = self
                .roots
                .iter()
                .filter_map(|(from, _)| from.split('/').nth(1));
            return Ok(names
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect());
        }
        let handed = self.handed(path);
        if !handed.is_empty() {
            return Ok(handed.into_iter().collect());
        }
        let names = match self.names(path) {
            Err(Error::Denied(_)) => Ok(Vec::new()),
            names => names,
        };
        names
            .optional()
            .map(Option::unwrap_or_default)
            .map_err(|error| error.to_string())
    }

    fn owner_must_be_root(&self) -> bool {
        self.config.owners == Owners::Root
    }

    fn home(&self) -> Option<String> {
        self.config.home.clone()
    }

    fn user(&self, name: &str) -> Option<u32> {
        self.account(|files, at| files.user_id(at, name))
    }

    fn group(&self, name: &str) -> Option<u32> {
        self.account(|files, at| files.group_id(at, name))
    }
}

/// Whether a path is a folder, or lies below it.
fn within(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Ground<'_> {
    /// The names in a folder of files that were handed over.
    fn handed(&self, folder: &str) -> BTreeSet<String> {
        let below = format!("{}/", folder.trim_end_matches('/'));
        let near = self.texts.range(below.clone()..);
        let near = near.take_while(|(path, _)| path.starts_with(&below));
        let names = near.filter_map(|(path, _)| path[below.len()..].split('/').next());
        names.map(str::to_owned).collect()
    }

    /// Any granted folder will do to ask for the machine's accounts.
    fn account(&self, ask: impl Fn(&dyn Files, &str) -> Result<u32>) -> Option<u32> {
        let granted = self.roots.iter().map(|(_, to)| to.clone());
        let granted = granted.chain(["/logs".to_owned()]);
        granted.filter_map(|at| ask(self.files(), &at).ok()).next()
    }
}
