//! The words of the configuration, as types.

use std::borrow::Cow;

use mhost_format_logrotate::Format;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// Which time an archive's date tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateWord {
    #[default]
    Now,
    Yesterday,
    HourAgo,
}

/// What to do about a state file that another run holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Locking {
    #[default]
    Refuse,
    Skip,
}

/// What to do about links in the place of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Links {
    #[default]
    Refuse,
    Skip,
}

/// What to do about logs in folders that others can write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Parents {
    #[default]
    Accept,
    Refuse,
}

/// Whose configurations count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Owners {
    #[default]
    Any,
    Root,
}

/// One path, or several in order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Paths {
    One(String),
    Several(Vec<String>),
}

impl Paths {
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Several(paths) => paths,
        }
    }
}

/// A file of the configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub text: String,
    pub mode: Mode,
    /// The number of its owner.
    #[serde(default)]
    pub uid: u32,
}

/// The format, if any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compress(pub Option<Format>);

impl<'de> Deserialize<'de> for Compress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Switch(bool),
            Name(String),
        }
        let form = Form::deserialize(deserializer);
        Ok(Self(match form {
            Ok(Form::Switch(false)) => None,
            Ok(Form::Name(name)) if name == "gzip" => Some(Format::Gzip),
            Ok(Form::Name(name)) if name == "zstd" => Some(Format::Zstd),
            Ok(Form::Name(name)) if name == "xz" => Some(Format::Xz),
            _ => {
                return Err(de::Error::custom(
                    "`compress` is `gzip`, `zstd`, `xz` or false",
                ));
            }
        }))
    }
}

impl JsonSchema for Compress {
    fn schema_name() -> Cow<'static, str> {
        "Compress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": ["gzip", "zstd", "xz", false] })
    }
}

/// The new log, or folder.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Permission bits such as `"0640"`; the old log's when not given.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// The number of its owner; the old log's when not given.
    #[serde(default)]
    pub uid: Option<u32>,
    /// The number of its group; the old log's when not given.
    #[serde(default)]
    pub gid: Option<u32>,
}

/// Permission bits in octal.
#[derive(Debug, Clone, Copy)]
pub struct Mode(pub u32);

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match u32::from_str_radix(&text, 8) {
            Ok(bits) if bits <= 0o7777 => Ok(Self(bits)),
            _ => Err(de::Error::custom(format!(
                "`{text}` is no mode: write octal digits such as `0640`"
            ))),
        }
    }
}

impl JsonSchema for Mode {
    fn schema_name() -> Cow<'static, str> {
        "Mode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-7]{3,5}$" })
    }
}

/// What was granted in the place of a script: a name below `processes`, whichever that is,
/// or what it is as well. For `mail` a name may be that of a channel, too.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Hook {
    /// Whichever was granted by this name.
    Name(String),
    Signal(SignalHook),
    Run(RunHook),
    Channel(ChannelHook),
}

/// One grant, or several in order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Hooks {
    One(Hook),
    Several(Vec<Hook>),
}

impl Hooks {
    pub fn list(&self) -> Vec<Hook> {
        match self {
            Self::One(hook) => vec![hook.clone()],
            Self::Several(hooks) => hooks.clone(),
        }
    }
}

/// `{ signal = "nginx" }`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalHook {
    pub signal: String,
}

/// `{ run = "reload-nginx" }`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunHook {
    pub run: String,
}

/// `{ channel = "ops" }`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelHook {
    pub channel: String,
}
