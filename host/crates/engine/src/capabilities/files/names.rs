//! Names: renamed, replaced, added. Always within one grant.

use mhost_model::{Fault, FaultResult};
use rustix::fs::{AtFlags, FileType};

use super::aside::rename_new;
use super::work::Work;
use crate::beneath::{Leaf, Place};

/// Renames `source` over `target` and makes both folders durable.
pub(crate) fn replace(work: Work<'_>, source: &Place, target: &Place) -> FaultResult<()> {
    const VERB: &str = "replace";
    source.same_grant(target, "rename")?;
    let (from, to) = (source.leaf(VERB)?, target.leaf(VERB)?);
    check_slashes(&from, &to, VERB)?;
    work.change()?;
    rustix::fs::renameat(&from.folder, &from.name, &to.folder, &to.name)
        .map_err(|error| two(VERB, source, target, error))?;
    work.meter.changed(1);
    to.sync_folder(VERB)?;
    from.sync_folder(VERB)
}

/// Renames where `target` must not exist.
pub(crate) fn rename(work: Work<'_>, source: &Place, target: &Place) -> FaultResult<()> {
    const VERB: &str = "rename";
    source.same_grant(target, VERB)?;
    let (from, to) = (source.leaf(VERB)?, target.leaf(VERB)?);
    check_slashes(&from, &to, VERB)?;
    work.change()?;
    rename_new(&from.folder, &from.name, &to.folder, &to.name)
        .map_err(|error| two(VERB, source, target, error))?;
    work.meter.changed(1);
    Ok(())
}

/// Gives a regular file a second name.
pub(crate) fn hard_link(work: Work<'_>, source: &Place, target: &Place) -> FaultResult<()> {
    const VERB: &str = "link";
    source.same_grant(target, VERB)?;
    let (from, to) = (source.leaf(VERB)?, target.leaf(VERB)?);
    to.demand_file_name(VERB)?;
    from.demand_file_name(VERB)?;
    if FileType::from_raw_mode(from.stat(VERB)?.st_mode) != FileType::RegularFile {
        return Err(Fault::Invalid(format!(
            "cannot link `{}`: it is not a regular file",
            source.text()
        )));
    }
    work.change()?;
    rustix::fs::linkat(
        &from.folder,
        &from.name,
        &to.folder,
        &to.name,
        AtFlags::empty(),
    )
    .map_err(|error| two(VERB, source, target, error))?;
    work.meter.changed(1);
    Ok(())
}

/// Makes a symbolic link; where its text leads is nobody's business until somebody
/// follows it, and then it is resolved beneath the grant like any path.
pub(crate) fn symbolic_link(work: Work<'_>, text: &str, place: &Place) -> FaultResult<()> {
    const VERB: &str = "make the link";
    if text.is_empty() || text.len() > 4095 || text.contains('\0') {
        return Err(Fault::Invalid(
            "a link's text has 1 to 4095 bytes, none of them NUL".to_owned(),
        ));
    }
    let leaf = place.leaf(VERB)?;
    leaf.demand_file_name(VERB)?;
    work.change()?;
    rustix::fs::symlinkat(text, &leaf.folder, &leaf.name)
        .map_err(|error| leaf.fault(VERB, error))?;
    work.meter.changed(1);
    Ok(())
}

/// A slash behind either name says that a directory moves.
fn check_slashes(from: &Leaf, to: &Leaf, verb: &str) -> FaultResult<()> {
    from.demand_directory(verb)?;
    let moved = FileType::from_raw_mode(from.stat(verb)?.st_mode);
    if moved == FileType::Directory {
        return if to.exists()? {
            to.demand_directory(verb)
        } else {
            Ok(())
        };
    }
    to.demand_file_name(verb)
}

fn two(verb: &str, source: &Place, target: &Place, error: rustix::io::Errno) -> Fault {
    let both = format!("{}` to `{}", source.text(), target.text());
    crate::beneath::file_fault(verb, &both, error)
}
