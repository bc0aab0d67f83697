//! A new file is made aside, and takes its place only when it is whole.

use mhost_filestorage::Window;
use mhost_sdk::files::{Changes, CopyOptions, Lock, Metadata, Writing, split};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Doing as _, Error, Failure, Optional as _};

use super::File;

/// The name of a file while it is made. What a run that was cut off left there is replaced.
pub fn name(file: &str) -> String {
    format!("{file}.mhost-new")
}

/// A file that is being made. Dropped before it took its place, nothing of it remains.
pub struct Aside<'c, 'h> {
    context: &'c Context<'h>,
    pub path: String,
    /// Held against another run that would make the same file.
    lock: Option<Box<dyn Lock + 'c>>,
    placed: bool,
}

impl<'c, 'h> Aside<'c, 'h> {
    /// Makes it, empty, beside `file`.
    pub fn create(
        context: &'c Context<'h>,
        file: &str,
    ) -> Result<(Self, Box<dyn Writing + 'c>), Failure> {
        let path = name(file);
        let files = context.files();
        remove_left_over(context, &path)?;
        let writing = files.create_open(&path);
        let writing = writing.doing(|| format!("make {path}"))?;
        let mut aside = Self {
            context,
            path,
            lock: None,
            placed: false,
        };
        let lock = files.lock(&aside.path, true);
        aside.lock = Some(lock.doing(|| format!("lock {}", aside.path))?);
        Ok((aside, writing))
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<(), Failure> {
        let synced = self.context.files().sync(&self.path);
        synced.doing(|| format!("make {} durable", self.path))
    }

    /// Gives it the mode and the owner of another file; where the owner cannot be given, the log says so.
    pub fn dress(&self, like: &Metadata) -> Result<(), Failure> {
        dress(self.context, &self.path, like)
    }

    /// Opens it as if it were anybody's.
    pub fn read_back(&self) -> Result<File<'c>, Failure> {
        let opened = self.context.files().open(&self.path);
        let opened = opened.doing(|| format!("open {}", self.path))?;
        Window::new(opened).map_err(|error| {
            let error = Error::from_io(&format!("read {}", self.path), &error);
            Failure::from(error)
        })
    }

    /// Takes its place, whatever is there.
    pub fn place(mut self, file: &str) -> Result<(), Failure> {
        let replaced = self.context.files().replace(&self.path, file);
        replaced.doing(|| format!("put the new file in the place of {file}"))?;
        self.placed = true;
        Ok(())
    }

    /// Takes a place where nothing is yet.
    pub fn place_new(mut self, file: &str) -> Result<(), Failure> {
        let files = self.context.files();
        let renamed = files.rename(&self.path, file);
        renamed.doing(|| format!("give the new file its name, {file}"))?;
        self.placed = true;
        let folder = split(file).0;
        let synced = files.sync(folder);
        synced.doing(|| format!("make the name of {file} durable"))
    }
}

impl Drop for Aside<'_, '_> {
    fn drop(&mut self) {
        if !self.placed {
            // The next run removes what could not be removed now.
            let _ = self.context.files().remove_file(&self.path);
        }
    }
}

/// Gives what was made the mode and the owner of something else; where the owner cannot be given, the log says so.
pub fn dress(context: &Context, path: &str, like: &Metadata) -> Result<(), Failure> {
    let files = context.files();
    let mode = Changes {
        mode: Some(like.mode),
        uid: None,
        gid: None,
        modified: None,
        accessed: None,
    };
    let set = files.set_metadata(path, mode);
    set.doing(|| format!("set the mode of {path}"))?;
    let made = files.stat(path);
    let made = made.doing(|| format!("look at {path}"))?;
    if (made.uid, made.gid) == (like.uid, like.gid) {
        return Ok(());
    }
    let owner = Changes {
        mode: None,
        uid: Some(like.uid),
        gid: Some(like.gid),
        ..mode
    };
    if let Err(error) = files.set_metadata(path, owner) {
        context.warn(format!(
            "{path} does not get the owner of the old one ({}:{}), so that its server may not be able to open it: \
             {error}",
            like.uid, like.gid
        ));
    }
    Ok(())
}

/// Asks the host for leave to make a file here, before an hour goes into its contents. In a dry run the host
/// says as much, and makes nothing.
pub fn try_out(context: &Context, path: &str) -> Result<(), Failure> {
    let files = context.files();
    match files.make_file(path, 0o600, None, None) {
        Ok(()) => {
            let removed = files.remove_file(path);
            removed.doing(|| format!("remove {path}"))
        }
        Err(Error::DryRun(_) | Error::Exists(_)) => Ok(()),
        Err(error) => Err(error).doing(|| format!("make {path}")),
    }
}

/// Removes what a run that was cut off has left under a name; `busy` where one is at work on it.
pub fn remove_left_over(context: &Context, path: &str) -> Result<(), Failure> {
    let files = context.files();
    let there = files.stat_optional(path);
    if there.doing(|| format!("look at {path}"))?.is_none() {
        return Ok(());
    }
    match files.lock(path, true) {
        Err(error @ Error::Busy(_)) => Err(Failure {
            message: format!("another run is making {path} at this moment"),
            ..Failure::from(error)
        }),
        outcome => {
            // Held until the name is gone.
            let _lock = outcome.doing(|| format!("lock {path}"))?;
            context.warn(format!(
                "removing {path}, which a run that was cut off has left"
            ));
            let removed = files.remove_file(path).optional();
            removed.map(|_| ()).doing(|| format!("remove {path}"))
        }
    }
}

/// Fails unless so many bytes can be written beside `file`.
pub fn check_room(context: &Context, file: &str, needed: u64) -> Result<(), Failure> {
    let folder = split(file).0;
    let space = context.files().free_space(folder);
    let available = space
        .doing(|| format!("look at the room in {folder}"))?
        .available;
    let kept = context.files().kept_free();
    if available.saturating_sub(kept) >= needed {
        return Ok(());
    }
    let of_these = match kept {
        0 => String::new(),
        kept => format!(
            ", of which {} must stay so (`limits.free_space`)",
            human_bytes(kept)
        ),
    };
    Err(Failure::permanent(format!(
        "there is not enough room in {folder}: up to {} are needed, and {} are free{of_these}; nothing was changed; free some, or \
         set `output` to a file on another disk",
        human_bytes(needed),
        human_bytes(available)
    )))
}

/// A second name for a file; a copy where the file system has no hard links.
pub fn second_name(context: &Context, file: &str, name: &str) -> Result<(), Failure> {
    let files = context.files();
    files
        .remove_file(name)
        .optional()
        .doing(|| format!("remove {name}"))?;
    let linked = match files.hard_link(file, name) {
        Err(Error::Unsupported(_) | Error::Failed(_)) => {
            let options = CopyOptions {
                replace: true,
                preserve: true,
            };
            files.copy(file, name, options).map(|_| ())
        }
        outcome => outcome,
    };
    linked.doing(|| format!("keep {file} as {name}"))
}
