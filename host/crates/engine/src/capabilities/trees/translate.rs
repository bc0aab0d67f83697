//! The contract's records from and to the types of `mhost-trees`.

use mhost_model::FaultResult;
use mhost_trees::{Basis, Changes, Copying, Done, Facts, Holes, Step, WalkOptions};

use crate::bindings::mhost::plugin::trees as contract;
use crate::capabilities::files::check_changes;

impl From<contract::ListOptions> for WalkOptions {
    fn from(options: contract::ListOptions) -> Self {
        Self {
            max_depth: None,
            one_file_system: options.one_file_system,
            attributes: options.attributes,
        }
    }
}

impl From<Facts> for contract::Facts {
    fn from(facts: Facts) -> Self {
        let Facts { owners, attributes } = facts;
        Self { owners, attributes }
    }
}

impl From<Done> for contract::Done {
    fn from(done: Done) -> Self {
        Self {
            bytes: done.bytes,
            written: done.written,
            changed_meanwhile: done.changed_meanwhile,
        }
    }
}

impl From<contract::Copying> for Copying {
    fn from(how: contract::Copying) -> Self {
        Self {
            holes: match how.make_holes {
                true => Holes::Make,
                false => Holes::Keep,
            },
            attributes: how.attributes,
            owners: how.owners,
            resume: how.resume,
            basis: match how.basis {
                contract::Basis::Nothing => Basis::Nothing,
                contract::Basis::Clone => Basis::Clone,
                contract::Basis::InPlace => Basis::InPlace,
            },
            rate: how.rate,
        }
    }
}

/// The steps; an error where one asks for what no file can have.
pub(super) fn steps(steps: Vec<contract::Step>) -> FaultResult<Vec<Step>> {
    steps.into_iter().map(step).collect()
}

fn step(step: contract::Step) -> FaultResult<Step> {
    use contract::Step as S;
    Ok(match step {
        S::CreateDirectory(path) => Step::CreateDirectory { path },
        S::Copy(copy) => Step::Copy {
            source: copy.source,
            path: copy.path,
            how: copy.how.into(),
        },
        S::SymbolicLink(link) => Step::SymbolicLink {
            path: link.path,
            text: link.text,
            changes: changes(link.changes)?,
        },
        S::HardLink(pair) => Step::HardLink {
            existing: pair.existing,
            path: pair.path,
        },
        S::LinkBeside(pair) => Step::LinkBeside {
            existing: pair.existing,
            path: pair.path,
        },
        S::Keep(pair) => Step::Keep {
            path: pair.existing,
            kept: pair.path,
        },
        S::Node(pair) => Step::Node {
            source: pair.existing,
            path: pair.path,
        },
        S::Metadata(metadata) => Step::Metadata {
            path: metadata.path,
            changes: changes(metadata.changes)?,
            attributes_of: metadata.attributes_of,
        },
        S::Rename(pair) => Step::Rename {
            from: pair.existing,
            path: pair.path,
        },
        S::Remove(path) => Step::Remove { path },
        S::RemovePartial(path) => Step::RemovePartial { path },
        S::RemoveDirectory(path) => Step::RemoveDirectory { path },
    })
}

fn changes(changes: crate::bindings::mhost::plugin::files::Changes) -> FaultResult<Changes> {
    let changes = changes.into();
    check_changes(&changes)?;
    Ok(changes)
}
