//! The folders of a queue: `{EXPORT,IMPORT}/{TO_PROCESS,PROCESSING,DONE,ERROR}`, and how
//! items move between them. Every move is one rename.

use crate::files::{Files, Kind, WalkOptions, join, split};
use crate::{Error, Optional as _, Result};

/// Which way items go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Export,
    Import,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::Export => "EXPORT",
            Self::Import => "IMPORT",
        }
    }
}

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    ToProcess,
    Processing,
    Done,
    Error,
}

/// All of them.
pub const STATES: [State; 4] = [
    State::ToProcess,
    State::Processing,
    State::Done,
    State::Error,
];

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::ToProcess => "TO_PROCESS",
            Self::Processing => "PROCESSING",
            Self::Done => "DONE",
            Self::Error => "ERROR",
        }
    }
}

/// An item's file.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: String,
    pub size: u64,
    /// When it came into its folder, milliseconds.
    pub since: u64,
}

/// One way of one queue.
#[derive(Clone)]
pub struct Folder<'f> {
    files: &'f dyn Files,
    root: String,
}

/// The queue of a name.
pub fn queue(queues: &str, name: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Error::Invalid(format!(
            "`{name}` is no queue's name: write letters, digits, `-`, `_` and `.`"
        )));
    }
    Ok(join(queues, name))
}

impl<'f> Folder<'f> {
    pub fn new(files: &'f dyn Files, queue: &str, way: Way) -> Self {
        Self {
            files,
            root: join(queue, way.name()),
        }
    }

    /// Makes all folders.
    pub fn make(&self) -> Result<u64> {
        let mut made = 0;
        let (queue, _) = split(&self.root);
        let states = STATES.map(|state| self.folder(state));
        let extra = self.file(".applied");
        for path in [queue, &self.root, &extra]
            .into_iter()
            .chain(states.iter().map(String::as_str))
        {
            if self.files.stat_optional(path)?.is_none() {
                self.files.create_directory(path).unless_dry_run()?;
                made += 1;
            }
        }
        Ok(made)
    }

    /// Something beside the states.
    pub fn file(&self, name: &str) -> String {
        join(&self.root, name)
    }

    pub fn folder(&self, state: State) -> String {
        join(&self.root, state.name())
    }

    pub fn path(&self, state: State, name: &str) -> String {
        join(&self.folder(state), name)
    }

    /// The items of a state, by their names, which is by sequence.
    pub fn items(&self, state: State) -> Result<Vec<Entry>> {
        self.entries(state, is_item)
    }

    fn entries(&self, state: State, is_wanted: fn(&str) -> bool) -> Result<Vec<Entry>> {
        let folder = self.folder(state);
        let options = WalkOptions {
            max_depth: Some(0),
            one_file_system: false,
        };
        let (entries, errors) = self.files.walk_all(&folder, options)?;
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        let wanted = entries
            .into_iter()
            .filter(|entry| is_wanted(&entry.path) && entry.metadata.kind == Kind::File);
        Ok(wanted
            .map(|entry| Entry {
                size: entry.metadata.size,
                since: entry.metadata.changed.millis(),
                name: entry.path,
            })
            .collect())
    }

    /// Where an item is; the first of the states in which it is found.
    pub fn state_of(&self, name: &str) -> Result<Option<State>> {
        for state in STATES {
            if self.files.stat_optional(&self.path(state, name))?.is_some() {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    /// Moves an item.
    pub fn shift(&self, name: &str, from: State, to: State) -> Result<()> {
        self.files
            .replace(&self.path(from, name), &self.path(to, name))
    }

    /// Makes an item an error, with the reason beside it. The reason comes first, so
    /// that no error is ever without one.
    pub fn fail(&self, name: &str, from: State, reason: &str) -> Result<()> {
        let path = self.path(State::Error, &format!("{name}.reason"));
        self.write(&path, reason.as_bytes())?;
        self.shift(name, from, State::Error)
    }

    /// Why an item is an error.
    pub fn reason(&self, name: &str) -> Result<Option<String>> {
        let path = self.path(State::Error, &format!("{name}.reason"));
        let text = self.files.read(&path, 64 << 10).optional()?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    /// Forgets the reason.
    pub fn forget_reason(&self, name: &str) -> Result<()> {
        let path = self.path(State::Error, &format!("{name}.reason"));
        self.files.remove_file(&path).optional().map(|_| ())
    }

    /// Writes a small file, which appears whole.
    pub fn write(&self, path: &str, content: &[u8]) -> Result<()> {
        let (folder, name) = split(path);
        let aside = join(folder, &format!(".new-{name}"));
        self.files.remove_file(&aside).optional()?;
        self.files.create(&aside, content)?;
        self.files.sync(&aside)?;
        self.files.replace(&aside, path)
    }

    /// Removes what is not whole and that nobody writes any more: only for whoever alone
    /// writes into `TO_PROCESS`.
    pub fn sweep(&self) -> Result<()> {
        for entry in self.entries(State::ToProcess, is_aside)? {
            let path = self.path(State::ToProcess, &entry.name);
            self.files.remove_file(&path).optional().unless_dry_run()?;
        }
        Ok(())
    }

    /// An error that says what to do where the queue's folders are not there.
    pub fn demand(&self) -> Result<()> {
        match self.files.stat_optional(&self.folder(State::ToProcess))? {
            Some(_) => Ok(()),
            None => Err(Error::NotFound(format!(
                "there is no queue {}: is it mounted? make it with `create-queue`",
                self.root
            ))),
        }
    }

    /// Removes what was done before a time, and what was not whole by then; returns how many
    /// items that were done went.
    pub fn prune(&self, before: u64) -> Result<u64> {
        let remove = |state: State, old: &Entry| {
            let path = self.path(state, &old.name);
            self.files.remove_file(&path).optional().unless_dry_run()
        };
        for entry in self.entries(State::ToProcess, is_aside)? {
            if entry.since < before {
                remove(State::ToProcess, &entry)?;
            }
        }
        let mut pruned = 0;
        for entry in self.items(State::Done)? {
            if entry.since < before {
                remove(State::Done, &entry)?;
                pruned += 1;
            }
        }
        Ok(pruned)
    }
}

/// Whether a name is that of an item that is not whole yet, or of what the host's copy of one
/// left where it was killed.
fn is_aside(name: &str) -> bool {
    name.starts_with(".new-") || (name.starts_with(".mhost-") && name.ends_with(".partial"))
}

/// Whether a name is an item's; what is being written is not.
pub fn is_item(name: &str) -> bool {
    name.ends_with(".item") && !name.starts_with('.')
}

/// The sequence in an item's name.
pub fn sequence(name: &str) -> Option<u64> {
    name.split('-').next()?.parse().ok()
}
