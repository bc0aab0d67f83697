//! The configuration of a rotation, in logrotate's words.

use std::borrow::Cow;

use mhost_sdk::Failure;
use mhost_sdk::files::Compression;
use mhost_sdk::units::{Size, Span};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

fn yes() -> bool {
    true
}

fn usual_count() -> u32 {
    4
}

/// Which logs to rotate, when, and what to keep.
///
/// With none of `size`, `maxsize` and `frequency`, every run rotates every log: the
/// task's schedule says how often.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Guest paths or patterns (`*`, `?`, `[…]`, `{…}`, `**`): `["/logs/*.log"]`. What
    /// is itself an archive of a log is left out, and so are names that start with a dot.
    pub logs: Vec<String>,
    /// How many archives of each log are kept; 0 keeps none.
    #[serde(default = "usual_count")]
    pub rotate: u32,
    /// Rotate what has at least so many bytes, however old it is. Not together with
    /// `frequency`.
    #[serde(default)]
    pub size: Option<Size>,
    /// Rotate nothing that is smaller.
    #[serde(default)]
    pub minsize: Option<Size>,
    /// Rotate what is larger, also before its time.
    #[serde(default)]
    pub maxsize: Option<Size>,
    /// Rotate once in each such period of UTC's calendar; a week ends with its
    /// Saturday or after seven days. A log that is seen for the first time, and has no
    /// archives, is only remembered.
    #[serde(default)]
    pub frequency: Option<Frequency>,
    /// `gzip`, `zstd` or `false`.
    #[serde(default)]
    pub compress: Compress,
    /// The format's own level (gzip 1 to 9, zstd 1 to 19); its usual one when not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 19))]
    pub compress_level: Option<u32>,
    /// Leave the newest archive uncompressed until the next rotation.
    #[serde(default)]
    pub delaycompress: bool,
    /// Copy the log and empty it, for a writer that cannot reopen it. What is written
    /// between the last copying and the emptying is lost, as with logrotate.
    #[serde(default)]
    pub copytruncate: bool,
    /// Make a new, empty log in the place of the old one.
    #[serde(default)]
    pub create: Option<Create>,
    /// Name archives by the day (`app.log-20260301`), with `hourly` by the hour.
    #[serde(default)]
    pub dateext: bool,
    /// Whether a missing log is fine.
    #[serde(default = "yes")]
    pub missingok: bool,
    /// Whether an empty log is rotated too.
    #[serde(default = "yes")]
    pub ifempty: bool,
    /// Remove archives that were last written to longer ago than this: `"90 days"`.
    #[serde(default)]
    pub maxage: Option<Span>,
    /// Rotate whether or not it is time.
    #[serde(default)]
    pub force: bool,
    /// Rotate a log that has a second name (a hard link), too.
    #[serde(default)]
    pub allowhardlink: bool,
    /// Granted signals or commands, which let the writers reopen their logs: once, after
    /// all logs were renamed and before anything is compressed.
    #[serde(default)]
    pub postrotate: Vec<Hook>,
    /// A file that remembers when each log was rotated, for runs without a stored task.
    #[serde(default)]
    pub state: Option<String>,
}

impl Config {
    /// What the schema cannot say.
    pub fn check(&self) -> Result<(), Failure> {
        let wrong = |why: &str| Err(Failure::permanent(why));
        if self.logs.is_empty() {
            return wrong(
                "`logs` names no log: give guest paths or patterns such as `/logs/*.log`",
            );
        }
        if self.size.is_some() && self.frequency.is_some() {
            return wrong(
                "`size` and `frequency` exclude each other: with a frequency, use `minsize` (both must \
                 hold) or `maxsize` (either is enough)",
            );
        }
        if self.size.is_some() && self.maxsize.is_some() {
            return wrong("`size` and `maxsize` say the same here: leave one out");
        }
        if self.copytruncate && self.create.is_some() {
            return wrong(
                "`copytruncate` keeps the log, so there is nothing to `create`: leave one out",
            );
        }
        if self.delaycompress && self.compress.0.is_none() {
            return wrong("`delaycompress` needs `compress`: set it to `gzip` or `zstd`");
        }
        Ok(())
    }
}

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

/// The format, if any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compress(pub Option<Compression>);

impl Compress {
    /// What its files end with.
    pub fn suffix(format: Compression) -> &'static str {
        match format {
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        }
    }
}

impl<'de> Deserialize<'de> for Compress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Switch(bool),
            Name(String),
        }
        match Form::deserialize(deserializer) {
            Ok(Form::Switch(false)) => Ok(Self(None)),
            Ok(Form::Name(name)) if name == "gzip" => Ok(Self(Some(Compression::Gzip))),
            Ok(Form::Name(name)) if name == "zstd" => Ok(Self(Some(Compression::Zstd))),
            _ => Err(de::Error::custom("`compress` is `gzip`, `zstd` or false")),
        }
    }
}

impl JsonSchema for Compress {
    fn schema_name() -> Cow<'static, str> {
        "Compress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": ["gzip", "zstd", false] })
    }
}

/// The new log.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Permission bits such as `"0640"`; the old log's when not given. Its owner is the
    /// old log's.
    #[serde(default)]
    pub mode: Option<Mode>,
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

/// A grant below `processes`: its name, or whether it is a signal or a command as well.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Hook {
    /// Whichever was granted by this name.
    Name(String),
    Signal(SignalHook),
    Run(RunHook),
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
