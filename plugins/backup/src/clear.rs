//! Removing a folder with everything in it, whatever the names are.

use mhost_sdk::files::{Changes, Kind};
use mhost_sdk::trees::{ListOptions, MetadataStep, Step, records};
use mhost_sdk::{Context, Doing as _, Failure};

/// Steps of one call.
const STEPS: usize = 4096;

/// Removes what a drill, perhaps one that was cut off, restored.
pub fn clear(context: &Context, folder: &str) -> Result<(), Failure> {
    let looked = context.files().stat_optional(folder);
    if looked.doing(|| format!("look for `{folder}`"))?.is_none() {
        return Ok(());
    }
    // A folder that its owner may not change keeps what is in it, and one that he may not
    // list hides it: each round opens those that are found, until there are none.
    while open(context, folder)? {}
    let mut folders = Vec::new();
    each(context, folder, &mut |kind, _, path| {
        Ok(match kind {
            Kind::Directory => {
                folders.push(path.to_vec());
                None
            }
            _ => Some(Step::Remove(path.to_vec())),
        })
    })?;
    // What lies deeper comes later in the walk, and has to go first; the folder itself is
    // the empty path.
    folders.retain(|path| !path.is_empty());
    folders.reverse();
    let steps: Vec<_> = folders.into_iter().map(Step::RemoveDirectory).collect();
    for steps in steps.chunks(STEPS) {
        apply(context, folder, steps)?;
    }
    let removed = context.files().remove_directory(folder);
    removed.doing(|| format!("remove `{folder}`"))
}

/// Whether any folder had to be opened for its owner.
fn open(context: &Context, folder: &str) -> Result<bool, Failure> {
    let mut found = false;
    each(context, folder, &mut |kind, mode, path| {
        let closed = kind == Kind::Directory && mode & 0o700 != 0o700;
        found |= closed;
        Ok(closed.then(|| {
            Step::Metadata(MetadataStep {
                path: path.to_vec(),
                changes: Changes {
                    mode: Some(0o700),
                    uid: None,
                    gid: None,
                    modified: None,
                    accessed: None,
                },
                attributes_of: None,
            })
        }))
    })?;
    Ok(found)
}

type Choose<'c> = dyn FnMut(Kind, u32, &[u8]) -> Result<Option<Step>, Failure> + 'c;

/// Does what is chosen for each entry, many at once.
fn each(context: &Context, folder: &str, choose: &mut Choose) -> Result<(), Failure> {
    let trees = context.trees();
    let options = ListOptions {
        one_file_system: true,
        attributes: false,
    };
    let listing = trees.list(folder, options);
    let listing = listing.doing(|| format!("look into `{folder}`"))?;
    let mut steps = Vec::new();
    loop {
        let page = listing.next().doing(|| format!("look into `{folder}`"))?;
        if page.is_empty() {
            return apply(context, folder, &steps);
        }
        for record in records(&page) {
            // What cannot be listed is left, and its folder says so when it shall go.
            let Some(kind) = record.kind() else { continue };
            steps.extend(choose(kind, record.mode(), record.path())?);
        }
        if steps.len() >= STEPS / 2 {
            apply(context, folder, &steps)?;
            steps.clear();
        }
    }
}

fn apply(context: &Context, folder: &str, steps: &[Step]) -> Result<(), Failure> {
    for steps in steps.chunks(STEPS) {
        let done = context.trees().apply(None, folder, None, steps);
        for one in done.doing(|| format!("clear `{folder}`"))? {
            one.doing(|| format!("clear `{folder}`"))?;
        }
    }
    Ok(())
}
