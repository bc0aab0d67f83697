//! A FileStorage as a file below a granted directory.
//!
//! The format's library reads and decides; here are the files: locks, room, new files aside, the
//! swap, the blobs, and what is told of it all.

mod aside;
mod blobs;
pub mod inspect;
mod lock;
pub mod pack;
pub mod recover;
mod swap;
pub mod verify;

use mhost_filestorage::{Error as FormatError, Phase, Watch, Window};
use mhost_sdk::files::{Kind, Metadata, Reading};
use mhost_sdk::progress::Unit;
use mhost_sdk::{Context, Doing as _, Error, Failure};

/// A file that is being read.
pub type File<'h> = Window<Box<dyn Reading + 'h>>;

/// Opens a regular file.
pub fn open<'h>(context: &'h Context, path: &str) -> Result<File<'h>, Failure> {
    look(context, path)?;
    let file = context
        .files()
        .open(path)
        .doing(|| format!("open {path}"))?;
    Window::new(file).map_err(|error| {
        let error = Error::from_io(&format!("read {path}"), &error);
        Failure::from(error)
    })
}

/// The metadata of what must be a regular file.
pub fn look(context: &Context, path: &str) -> Result<Metadata, Failure> {
    let found = context.files().stat(path);
    let found = found.doing(|| format!("look at {path}"))?;
    match found.kind {
        Kind::File => Ok(found),
        _ => Err(Failure::permanent(format!(
            "{path} is no regular file: name the `Data.fs` itself"
        ))),
    }
}

/// Tells the host how far a phase is.
pub struct Told<'c, 'h> {
    pub context: &'c Context<'h>,
    /// The file's name, for people.
    pub name: &'c str,
}

impl Watch for Told<'_, '_> {
    fn progress(&mut self, phase: Phase, done: u64, total: u64) {
        let word = match phase {
            Phase::Scan => "reading",
            Phase::Reach => "following the references of",
            Phase::Copy => "writing the packed copy of",
            Phase::Verify => "checking",
            Phase::Recover => "writing what is sound of",
        };
        let phase = format!("{word} {}", self.name);
        self.context
            .report_progress(&phase, done, Some(total), Unit::Bytes);
    }

    fn cancelled(&mut self) -> bool {
        self.context.check_cancelled().is_err()
    }
}

/// A format's error as the run's failure; `path` is the file that was worked on.
pub fn failed(operation: &str, path: &str, error: FormatError) -> Failure {
    let message = format!("cannot {operation} {path}: {error}");
    // What only looks need not say so.
    let untouched = match operation {
        "pack" => "; nothing was changed",
        "recover" => "; nothing was written",
        _ => "",
    };
    match error {
        FormatError::Cancelled => Failure::retryable(format!(
            "the run was asked to end while it was to {operation} {path}{untouched}"
        )),
        FormatError::Damaged(damage) => {
            let message = format!("{message}; {}{untouched}", damage.flaw.meaning());
            Failure {
                cause: Some(Box::new(Error::Damaged(message.clone()))),
                ..Failure::permanent(message)
            }
        }
        FormatError::NoRoot => Failure::permanent(format!(
            "{message}; set `gc = false` to remove only old revisions{untouched}"
        )),
        FormatError::Read { .. } | FormatError::Write { .. } => {
            Failure::retryable(format!("{message}{untouched}"))
        }
    }
}
