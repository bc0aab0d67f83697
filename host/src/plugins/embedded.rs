//! The built-in plugins: components that the build put into the binary.

use mhost_model::plugin::Digest;

use crate::exit::{Outcomes, Problem};

/// A component in the binary, compressed.
pub struct Embedded {
    pub name: &'static str,
    /// SHA-256 of the component.
    digest: [u8; 32],
    /// zstd.
    packed: &'static [u8],
}

impl Embedded {
    pub fn digest(&self) -> Digest {
        Digest(self.digest)
    }

    /// The component itself.
    pub fn component(&self) -> Outcomes<Vec<u8>> {
        zstd::decode_all(self.packed)
            .map_err(|error| Problem::bug(format!("the built-in plugin {}: {error}", self.name)))
    }
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// All built-in plugins, by name.
pub fn embedded() -> &'static [Embedded] {
    EMBEDDED
}
