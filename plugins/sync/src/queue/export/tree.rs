//! The files of a directory.

use mhost_sdk::files::{Entry, Kind as FileKind, WalkOptions, join};
use mhost_sdk::trees::shown;
use mhost_sdk::{Capped, Context, Doing as _, Failure};

use super::super::config;
use super::super::item::Noun;
use super::{Payload, Skipped, Thing};

/// What the files of a directory are.
pub fn noun(config: &config::Files) -> Result<Noun, Failure> {
    match Noun::new(&config.kind) {
        Some(noun @ (Noun::File | Noun::Other(_))) => Ok(noun),
        Some(Noun::Record | Noun::Object) | None => Err(Failure::permanent(format!(
            "`{}` is no kind for the files of {}: write `file`, or a name of another plugin's kind",
            config.kind, config.from
        ))),
    }
}

pub fn collect(
    context: &Context<'_>,
    config: &config::Files,
    things: &mut Vec<Thing>,
    skipped: &mut Capped<Skipped>,
) -> Result<(), Failure> {
    let noun = noun(config)?;
    let options = WalkOptions {
        max_depth: None,
        one_file_system: false,
    };
    let doing = || format!("list {}", config.from);
    let (entries, errors) = context
        .files()
        .walk_all(&config.from, options)
        .doing(doing)?;
    // What cannot be listed would look as if it were gone.
    if let Some(error) = errors.into_iter().next() {
        return Err(error).doing(doing);
    }
    for (n, entry) in entries.iter().enumerate() {
        match unfit(entry, entries.get(n + 1)) {
            Some("") => {}
            Some(why) => skipped.push(Skipped {
                path: join(&config.from, &name(entry)),
                why,
            }),
            None => things.push(thing(noun.clone(), config, entry)),
        }
    }
    Ok(())
}

/// Why an entry is no thing; empty where that is no loss. `next` is the one after it in the
/// walk: that of a folder with something in it lies in it.
fn unfit(entry: &Entry, next: Option<&Entry>) -> Option<&'static str> {
    let below = |next: &Entry| {
        let rest = next.path.strip_prefix(&entry.path);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    match entry.metadata.kind {
        FileKind::Directory if next.is_some_and(below) => Some(""),
        FileKind::Directory => Some("an empty folder"),
        FileKind::File if entry.raw.is_some() => Some("its name is not UTF-8"),
        FileKind::File => None,
        FileKind::SymbolicLink => Some("a symbolic link"),
        _ => Some("neither a file nor a folder"),
    }
}

fn name(entry: &Entry) -> String {
    let raw = entry.raw.as_deref();
    raw.map_or_else(|| entry.path.clone(), shown)
}

fn thing(noun: Noun, config: &config::Files, entry: &Entry) -> Thing {
    let found = &entry.metadata;
    let (seconds, nanoseconds) = (found.modified.seconds, found.modified.nanoseconds);
    Thing {
        noun,
        key: format!("{}{}", config.prefix, entry.path),
        size: found.size,
        modified: found.modified.millis(),
        mark: format!("{} {seconds}.{nanoseconds:09} {:o}", found.size, found.mode),
        payload: Payload::File(join(&config.from, &entry.path)),
        mode: Some(found.mode),
        time: Some((seconds, nanoseconds)),
    }
}
