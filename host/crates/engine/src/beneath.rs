//! Reaches files beneath the granted directories, and only there.
//!
//! A guest path names a grant and a rest; the rest is resolved by the kernel beneath
//! the grant's open handle (`openat2` with `RESOLVE_BENEATH` and
//! `RESOLVE_NO_MAGICLINKS`, by cap-std, which walks component by component where the
//! kernel has no `openat2`). Nothing is ever decided by comparing paths as strings,
//! and what was opened is used by handle.
//!
//! Whether the task may do it is the granter's to say ([`Place::new`] takes its
//! permit); what is done with an opened file is `capabilities::files`'.

mod guest_path;
mod place;

use mhost_model::FaultResult;
use mhost_model::grant::Access;

use crate::directories::Directories;
use crate::permits::Granter;
use crate::state::Shared;

pub(crate) use guest_path::GuestPath;
pub(crate) use mhost_trees::file_fault;
pub(crate) use place::{Content, Leaf, Pinned, Place};

/// Where a guest path leads, if its grant allows this access now. `verb` is what was
/// asked for, in a word, for denials and errors.
pub(crate) fn locate(
    shared: &Shared,
    text: &str,
    access: Access,
    verb: &str,
) -> FaultResult<Place> {
    locate_in(&shared.granter, &shared.directories, text, access, verb)
}

/// The same where there is no run around it.
pub(crate) fn locate_in(
    granter: &Granter,
    directories: &Directories,
    text: &str,
    access: Access,
    verb: &str,
) -> FaultResult<Place> {
    let path = GuestPath::parse(text)?;
    let permit = granter.directory(&path.grant, access, verb, text)?;
    let directory = directories.get(&permit)?;
    Place::new(directory, permit, path, text)
}
