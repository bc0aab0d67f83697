//! The configuration of `mirror`.

use schemars::JsonSchema;
use serde::Deserialize;

/// See each field.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The directory to copy from: a guest path such as `/content`, or a folder of a granted
    /// remote, `offsite:content`.
    pub from: String,
    /// The directory to make equal to it, or a folder of a granted remote; made where it is
    /// missing.
    pub to: String,
    /// Mirror only these folders, each to a place of its own: paths below `from` and
    /// below `to`.
    #[serde(default)]
    pub map: Vec<Mapping>,

    /// Carry changes of each side to the other; what changed on both is a conflict. What
    /// both had is remembered in the task's state.
    #[serde(default)]
    pub both_ways: bool,
    /// What becomes of conflicts.
    #[serde(default)]
    pub conflicts: Conflicts,

    /// Remove from the target what is not in the source.
    #[serde(default)]
    pub delete: bool,
    /// When to remove it.
    #[serde(default)]
    pub delete_when: DeleteWhen,
    /// Remove what the filters leave out, too.
    #[serde(default)]
    pub delete_excluded: bool,
    /// Never remove more than so many entries in one run.
    #[serde(default)]
    pub max_delete: Option<u64>,
    /// Never remove more than this share of the target, in percent; deletions of up to ten
    /// entries are not held by it.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 100))]
    pub max_delete_percent: u8,
    /// What is replaced or removed moves to this directory (a guest path below the
    /// target's grant), under the same path.
    #[serde(default)]
    pub backup_dir: Option<String>,

    /// Compare contents, not only size and time of modification.
    #[serde(default)]
    pub checksum: bool,
    /// Files of the same size are the same, whatever their time.
    #[serde(default)]
    pub size_only: bool,
    /// Copy all files, also those that seem unchanged.
    #[serde(default)]
    pub ignore_times: bool,
    /// Times this many seconds apart are equal.
    #[serde(default)]
    pub modify_window: u32,
    /// Leave files alone that are newer in the target.
    #[serde(default)]
    pub update: bool,
    /// Make nothing that is not in the target already.
    #[serde(default)]
    pub existing: bool,
    /// Leave alone what is in the target already.
    #[serde(default)]
    pub ignore_existing: bool,
    /// Leave out files of more bytes.
    #[serde(default)]
    pub max_size: Option<u64>,
    /// Leave out files of fewer bytes.
    #[serde(default)]
    pub min_size: Option<u64>,

    /// Filter rules as rsync reads them (`- *.tmp`, `+ /keep/***`, `P state/`); the first
    /// that matches decides.
    #[serde(default)]
    pub filter: Vec<String>,
    /// rsync's patterns of what is taken in, after `filter`.
    #[serde(default)]
    pub include: Vec<String>,
    /// rsync's patterns of what is left out, after `include`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Lines of a .gitignore; they decide where no other rule did, the last that matches.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Do not descend into other file systems.
    #[serde(default)]
    pub one_file_system: bool,

    /// What happens to symbolic links.
    #[serde(default)]
    pub links: Links,
    /// Keep files that are hard links of each other so.
    #[serde(default = "yes")]
    pub hard_links: bool,
    /// Keep owners and groups, where mhost may.
    #[serde(default = "yes")]
    pub owners: bool,
    /// Keep permission bits.
    #[serde(default = "yes")]
    pub permissions: bool,
    /// Keep times of modification.
    #[serde(default = "yes")]
    pub times: bool,
    /// Keep extended attributes and access control lists, where the file systems have them.
    #[serde(default = "yes")]
    pub attributes: bool,
    /// Make FIFOs, sockets and devices, too; else they are left out, and listed.
    #[serde(default = "yes")]
    pub specials: bool,
    /// Make holes of zeroes; holes stay holes in any case.
    #[serde(default)]
    pub sparse: bool,

    /// Files that moved are renamed in the target instead of copied: found by size and
    /// time, confirmed by content. Needs `delete`.
    #[serde(default)]
    pub renames: bool,
    /// Directories (guest paths below the target's grant) with earlier copies: a file
    /// that is the same there becomes a hard link of it.
    #[serde(default)]
    pub link_dest: Vec<String>,
    /// Write only the blocks of large files that differ.
    #[serde(default)]
    pub delta: Delta,
    /// Write at most so many bytes a second.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub bandwidth: Option<u64>,
    /// Go on with copies that were cut off.
    #[serde(default = "yes")]
    pub resume: bool,
    /// Compare once more when all is done.
    #[serde(default)]
    pub verify: Verify,
    /// End only when everything is on the disk.
    #[serde(default)]
    pub durable: bool,
}

fn half() -> u8 {
    50
}

fn yes() -> bool {
    true
}

/// A folder and where it goes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Below `from`.
    pub from: String,
    /// Below `to`.
    pub to: String,
}

/// How a path that changed on both sides is settled. A change beats a deletion in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Conflicts {
    /// Both are kept: the target's version gets a name of its own on both sides.
    #[default]
    KeepBoth,
    /// The one with the later time is taken; both are kept where the times are equal.
    Newer,
    /// The one with more bytes is taken; both are kept where there are as many.
    Larger,
    /// Both sides stay as they are, and the conflict is reported by every run.
    Ask,
}

/// A symbolic link is never followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// The target gets a link with the same text.
    #[default]
    Copy,
    /// The same, but links that lead out of the tree are left out, and listed.
    Safe,
    /// Links are left out, and listed.
    Skip,
}

/// When extraneous things go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteWhen {
    /// Before anything is copied.
    Before,
    /// Directory by directory, among the copies.
    During,
    /// When everything was copied without an error.
    #[default]
    After,
}

/// How a file that is there already is used for its new content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delta {
    /// Not at all.
    #[default]
    Off,
    /// A clone of it is brought up to date, where the file system shares blocks; the
    /// file appears whole.
    Clone,
    /// It is overwritten where it differs: not whole meanwhile.
    InPlace,
}

/// What is compared in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// Nothing.
    #[default]
    Off,
    /// The contents of the files that were copied.
    Copied,
    /// Both trees, with all contents.
    All,
}
