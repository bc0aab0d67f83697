//! The configuration of `mirror`.

use schemars::JsonSchema;
use serde::Deserialize;

/// See each field.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The directory to copy from: a guest path such as `/content`.
    pub from: String,
    /// The directory to make equal to it; made where it is missing.
    pub to: String,
    /// Remove from the target what is not in the source.
    #[serde(default)]
    pub delete: bool,
    /// Compare contents by hash, not only size and time of modification.
    #[serde(default)]
    pub checksum: bool,
    /// Globs of what is left out on both sides. Without a slash a pattern matches a name at
    /// any depth; a leading slash binds it to the top; a trailing one means directories only.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// What happens to symbolic links.
    #[serde(default)]
    pub links: Links,
    /// Never remove more than so many entries in one run.
    #[serde(default)]
    pub max_delete: Option<u64>,
    /// Never remove more than this share of the target, in percent; deletions of up to ten
    /// entries are not held by it.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 100))]
    pub max_delete_percent: u8,
}

fn half() -> u8 {
    50
}

/// A symbolic link is never followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// The target gets a link with the same text.
    #[default]
    Copy,
    /// Links are left out, and listed as left out.
    Skip,
}
