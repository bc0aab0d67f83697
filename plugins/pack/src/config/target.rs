//! What is worked on: each names one thing.

use mhost_sdk::Failure;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::json;

use super::kinds::Kind;
use crate::zope::Site;

/// What to work on: `{ database = "NAME" }`, `{ filestorage = "/DIR/Data.fs" }`, or `{ zope = "https://HOST", database = "main", login_secret = "NAME" }`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = one_target)]
pub struct Target {
    /// A granted database, by its name; with `zope`, the name in the server's control panel.
    #[serde(default)]
    pub database: Option<String>,
    /// A FileStorage: the guest path of a `Data.fs`, such as `/data/Data.fs`.
    #[serde(default)]
    pub filestorage: Option<String>,
    /// A running Zope, which packs its database itself: its address, such as `https://zope.example.org`.
    #[serde(default)]
    pub zope: Option<String>,
    /// With `zope`: the secret that holds `user:password` of a Manager.
    #[serde(default)]
    pub login_secret: Option<String>,
}

fn one_target(schema: &mut Schema) {
    schema.insert(
        "oneOf".to_owned(),
        json!([
            { "required": ["database"], "maxProperties": 1 },
            { "required": ["filestorage"], "maxProperties": 1 },
            { "required": ["zope", "database", "login_secret"], "maxProperties": 3 },
        ]),
    );
}

fn one_source(schema: &mut Schema) {
    schema.insert(
        "oneOf".to_owned(),
        json!([
            { "required": ["database"], "maxProperties": 1 },
            { "required": ["filestorage"], "maxProperties": 1 },
        ]),
    );
}

/// The one thing that a target names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'t> {
    Held(Held<'t>),
    Zope(Site<'t>),
}

/// What can be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held<'t> {
    /// A granted database's name.
    Database(&'t str),
    /// A guest path.
    FileStorage(&'t str),
}

impl Held<'_> {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Database(_) => Kind::Database,
            Self::FileStorage(_) => Kind::FileStorage,
        }
    }
}

impl<'t> Named<'t> {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Held(held) => held.kind(),
            Self::Zope(_) => Kind::Zope,
        }
    }

    /// What can be read here; a server can only be asked to pack.
    pub fn held(self) -> Result<Held<'t>, Failure> {
        match self {
            Self::Held(held) => Ok(held),
            Self::Zope(_) => Err(Failure::misconfigured(
                "a server can be asked for `pack` and no more, so that only `pack` takes `target.zope`: name its file as \
                 `target.filestorage` instead, which can be read beside it",
            )),
        }
    }
}

impl Target {
    /// What it names, or what is wrong with it.
    pub fn named(&self) -> Result<Named<'_>, Failure> {
        let Self {
            database,
            filestorage,
            zope,
            login_secret,
        } = self;
        match (database, filestorage, zope, login_secret) {
            (Some(name), None, None, None) => Ok(Named::Held(Held::Database(name))),
            (None, Some(path), None, None) => Ok(Named::Held(Held::FileStorage(path))),
            (Some(database), None, Some(url), Some(login)) => Ok(Named::Zope(Site {
                url,
                database,
                login,
            })),
            _ => Err(Failure::misconfigured(
                "`target` must name one thing: write `{ database = \"NAME\" }`, `{ filestorage = \"/DIR/Data.fs\" }`, or \
                 `{ zope = \"https://HOST\", database = \"main\", login_secret = \"NAME\" }`",
            )),
        }
    }
}

/// What is damaged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Source {
    FileStorage(String),
    Other(Damaged),
}

/// What is damaged, by its kind: `{ database = "NAME" }` or `{ filestorage = "/DIR/Data.fs" }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = one_source)]
pub struct Damaged {
    /// A granted database, by its name.
    #[serde(default)]
    pub database: Option<String>,
    /// A FileStorage: the guest path of a `Data.fs`.
    #[serde(default)]
    pub filestorage: Option<String>,
}

impl Source {
    /// The one thing that it names.
    pub fn held(&self) -> Result<Held<'_>, Failure> {
        match self {
            Self::FileStorage(path) => Ok(Held::FileStorage(path)),
            Self::Other(Damaged {
                database: Some(name),
                filestorage: None,
            }) => Ok(Held::Database(name)),
            Self::Other(Damaged {
                database: None,
                filestorage: Some(path),
            }) => Ok(Held::FileStorage(path)),
            Self::Other(_) => Err(Failure::misconfigured(
                "`source` must name one thing: write `\"/DIR/Data.fs\"` or `{ database = \"NAME\" }`",
            )),
        }
    }
}
