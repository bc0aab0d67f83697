//! The verbs on real files below a temporary directory, without a guest.

mod bench;
mod copies;
mod digests;
mod escapes;
mod expansions;
mod limits;
mod metadata;
mod shredding;
mod squeezed;
mod walks;
