//! Exact work on trees of files, beneath the handle of a directory: listed with all
//! that a mirror must know, compared, and changed in batches, with names as bytes.
//!
//! Who may do it, what it costs and when it must end is the caller's to say
//! ([`Watch`]); which steps make two trees equal is a plugin's. Nothing here leaves
//! the directory that it was handed: parents are resolved beneath it and without
//! following links (see [`place`]).

pub mod accounts;
mod apply;
mod attributes;
mod compare;
mod content;
mod copy;
mod errors;
mod listing;
mod metadata;
mod pack;
mod partial;
mod place;
mod step;
#[cfg(test)]
mod tests;
mod walk;
mod watch;

pub use apply::Apply;
pub use compare::same;
pub use content::{copy_content, transfer};
pub use errors::file_fault;
pub use listing::Listing;
pub use metadata::{Changes, Moment, apply_changes, carry_over};
pub use place::{Facts, Root};
pub use step::{Basis, Copying, Done, Holes, Step};
pub use walk::{Entry, Trouble, WalkOptions, Walker};
pub use watch::{Unwatched, Watch};
