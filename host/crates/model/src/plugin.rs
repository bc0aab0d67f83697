//! What a plugin says of itself, and how tasks refer to it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Name, NameError};

/// `pack`, or `my-plugin@1.2.0` where a task wants exactly that version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginRef {
    pub name: Name,
    pub version: Option<String>,
}

impl FromStr for PluginRef {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) if !version.is_empty() => (name, Some(version.to_owned())),
            Some(_) => return Err(NameError(text.to_owned())),
            None => (text, None),
        };
        Ok(Self {
            name: name.parse()?,
            version,
        })
    }
}

impl TryFrom<String> for PluginRef {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PluginRef> for String {
    fn from(plugin: PluginRef) -> Self {
        plugin.to_string()
    }
}

impl fmt::Display for PluginRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => self.name.fmt(f),
        }
    }
}

/// SHA-256 of a component's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

/// Why a text is no [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a digest: write 64 hexadecimal digits")]
pub struct DigestError(String);

impl Digest {
    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(DigestError(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A kind of power; the twin of `plugin.capability` in the WIT package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    Directories,
    Databases,
    Network,
    Repositories,
    Remotes,
    Secrets,
    Processes,
}

impl Capability {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Directories,
        Self::Databases,
        Self::Network,
        Self::Repositories,
        Self::Remotes,
        Self::Secrets,
        Self::Processes,
    ];

    /// As the manifest spells it: a plural.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Directories => "directories",
            Self::Databases => "databases",
            Self::Network => "network",
            Self::Repositories => "repositories",
            Self::Remotes => "remotes",
            Self::Secrets => "secrets",
            Self::Processes => "processes",
        }
    }
}

/// One kind of power that an action asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    pub capability: Capability,
    pub reason: String,
    pub required: bool,
    pub writes: bool,
}

/// The kinds of power that an action asks for, and which of them it asks for to change
/// something. What is granted beyond them is out of its reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared(BTreeMap<Capability, bool>);

impl Declared {
    /// What these needs declare together.
    pub fn of(needs: &[Need]) -> Self {
        needs
            .iter()
            .map(|need| (need.capability, need.writes))
            .collect()
    }

    /// Whether the kind is asked for.
    pub fn asks(&self, kind: Capability) -> bool {
        self.0.contains_key(&kind)
    }

    /// Whether it is asked for to change something.
    pub fn changes(&self, kind: Capability) -> bool {
        self.0.get(&kind).is_some_and(|writes| *writes)
    }
}

impl FromIterator<(Capability, bool)> for Declared {
    /// Each kind with whether it is to change something; of several, the widest counts.
    fn from_iter<T: IntoIterator<Item = (Capability, bool)>>(kinds: T) -> Self {
        let mut all = BTreeMap::new();
        for (kind, writes) in kinds {
            *all.entry(kind).or_default() |= writes;
        }
        Self(all)
    }
}

/// One thing that a plugin can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    pub name: String,
    pub summary: String,
    /// JSON Schema of the configuration.
    pub config_schema: serde_json::Value,
    pub needs: Vec<Need>,
}

/// What `describe` answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub name: Name,
    pub version: String,
    pub summary: String,
    pub actions: Vec<Action>,
}

impl Manifest {
    /// The action of this name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }
}

/// A plugin that the store knows. Built-in ones are recorded too, so that an
/// upgrade of mhost is an upgrade of its plugins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginRecord {
    pub digest: Digest,
    pub manifest: Manifest,
    /// Whether it came with the binary.
    pub built_in: bool,
    pub installed_at: crate::Instant,
}
