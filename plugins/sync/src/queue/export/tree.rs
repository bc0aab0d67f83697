//! The files of a directory.

use mhost_sdk::files::{Kind as FileKind, WalkOptions, join};
use mhost_sdk::{Capped, Context, Doing as _, Failure};

use super::super::config;
use super::super::item::Kind;
use super::{Payload, Thing};

pub fn collect(
    context: &Context<'_>,
    config: &config::Files,
    things: &mut Vec<Thing>,
    skipped: &mut Capped<String>,
) -> Result<(), Failure> {
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
    for entry in entries {
        let found = &entry.metadata;
        match found.kind {
            FileKind::Directory => continue,
            FileKind::File if entry.raw.is_none() => {}
            _ => {
                skipped.push(entry.path.clone());
                continue;
            }
        }
        let (seconds, nanoseconds) = (found.modified.seconds, found.modified.nanoseconds);
        things.push(Thing {
            kind: Kind::PutFile,
            key: format!("{}{}", config.prefix, entry.path),
            size: found.size,
            modified: found.modified.millis(),
            mark: format!("{} {seconds}.{nanoseconds:09} {:o}", found.size, found.mode),
            payload: Payload::File(join(&config.from, &entry.path)),
            mode: Some(found.mode),
            time: Some((seconds, nanoseconds)),
        });
    }
    Ok(())
}
