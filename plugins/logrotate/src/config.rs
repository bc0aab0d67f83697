//! The configuration of a rotation: logrotate's own text, or the same in typed words.

mod check;
mod convert;
mod words;

use std::collections::BTreeMap;

use mhost_sdk::units::{Size, Span};
use schemars::JsonSchema;
use serde::Deserialize;

pub use convert::typed;
pub use words::{
    ChannelHook, Compress, Create, DateWord, Frequency, Hook, Hooks, Links, Locking, Owners,
    Parents, Paths, Text,
};

fn yes() -> bool {
    true
}

fn usual_count() -> i64 {
    4
}

/// Which logs to rotate, when, and what to keep: either as a logrotate configuration
/// (`conf` or `conf_text`), or by `logs` and the options beside it.
///
/// With none of `size`, `maxsize` and `frequency`, every run rotates every log of `logs`:
/// the task's schedule says how often.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Files or folders of logrotate configurations, in order: guest paths, or paths below
    /// `roots`.
    #[serde(default)]
    pub conf: Option<Paths>,
    /// A logrotate configuration as text.
    #[serde(default)]
    pub conf_text: Option<String>,
    /// Where folders that a configuration names were granted:
    /// `{ "/var/log/nginx" = "/logs" }`. Paths below none of them are guest paths.
    #[serde(default)]
    pub roots: BTreeMap<String, String>,
    /// Folders that do not exist, and so need no grant.
    #[serde(default)]
    pub absent: Vec<String>,
    /// What `~` stands for at the beginning of paths in a configuration.
    #[serde(default)]
    pub home: Option<String>,
    /// Whether configurations count whoever owns them (`any`), or only those that root owns
    /// (`root`), as for logrotate that root calls.
    #[serde(default)]
    pub owners: Owners,
    /// Files of the configuration by their paths, in the place of what lies there.
    #[serde(default)]
    pub texts: BTreeMap<String, Text>,
    /// When logs were rotated before this task was, as logrotate's status file says it:
    /// `{ "/logs/app.log" = "2026-3-1-17:4:5" }`.
    #[serde(default)]
    pub seed: BTreeMap<String, String>,
    /// Granted signals and commands in the place of a configuration's scripts:
    /// `{ postrotate = "nginx" }`, or for one script `{ "postrotate@FILE:LINE" = … }`. Also
    /// `mail`, for the archive that leaves: a granted channel, or a command that is given it.
    #[serde(default)]
    pub scripts: BTreeMap<String, Hooks>,
    /// Guest paths or patterns (`*`, `?`, `[…]`, `{…}`): `["/logs/*.log"]`. What is itself an
    /// archive of a log is left out, and so are names that start with a dot.
    #[serde(default)]
    pub logs: Vec<String>,
    /// How many archives of each log are kept; 0 keeps none, -1 all.
    #[serde(default = "usual_count")]
    #[schemars(range(min = -1, max = 100_000))]
    pub rotate: i64,
    /// The number of the newest archive.
    #[serde(default)]
    #[schemars(range(max = 100_000_000))]
    pub start: Option<u32>,
    /// Rotate what has at least so many bytes, however old it is. Not together with
    /// `frequency`.
    #[serde(default)]
    pub size: Option<Size>,
    /// Rotate nothing that is smaller.
    #[serde(default)]
    pub minsize: Option<Size>,
    /// Rotate what is larger, also before its time; 0 is as if it were not said.
    #[serde(default)]
    pub maxsize: Option<Size>,
    /// `hourly`, `daily`, `weekly`, `monthly` or `yearly`: rotate once in each such period of
    /// the calendar; a log that is seen for the first
    /// time is only remembered.
    #[serde(default)]
    pub frequency: Option<Frequency>,
    /// The day of a weekly rotation: 0 is Sunday, 7 means every seven days.
    #[serde(default)]
    #[schemars(range(min = 0, max = 7))]
    pub weekday: Option<u8>,
    /// Leave logs that were written to less than so many days ago.
    #[serde(default)]
    pub minage: Option<u32>,
    /// Remove archives that were last written to longer ago than so many whole days:
    /// `"90 days"`.
    #[serde(default)]
    pub maxage: Option<Span>,
    /// `gzip`, `zstd`, `xz` or `false`.
    #[serde(default)]
    pub compress: Compress,
    /// The format's own level (gzip 1 to 9, zstd 1 to 19, xz 0 to 9); its usual one when
    /// not given.
    #[serde(default)]
    #[schemars(range(min = 0, max = 19))]
    pub compress_level: Option<u32>,
    /// Leave the newest archive uncompressed until the next rotation.
    #[serde(default)]
    pub delaycompress: bool,
    /// Copy the log and empty it, for a writer that cannot reopen it. What is written
    /// between the last look and the emptying is lost; the report says how long that was.
    #[serde(default)]
    pub copytruncate: bool,
    /// Copy the log and leave it as it is.
    #[serde(default)]
    pub copy: bool,
    /// Rename the log aside, and copy that once the writers have reopened it: for archives
    /// on another file system.
    #[serde(default)]
    pub renamecopy: bool,
    /// Make a new, empty log in the place of the old one.
    #[serde(default)]
    pub create: Option<Create>,
    /// Archives go into this folder, which lies beside the log unless it is a whole path.
    #[serde(default)]
    pub olddir: Option<String>,
    /// Make that folder where it is missing.
    #[serde(default)]
    pub createolddir: Option<Create>,
    /// Name archives by the day (`app.log-20260301`), with `hourly` by the hour.
    #[serde(default)]
    pub dateext: bool,
    /// The date in a name: `%Y %m %d %H %M %S %V %s` and any text.
    #[serde(default)]
    pub dateformat: Option<String>,
    /// Which time the date tells: `now`, `yesterday` or `hour_ago`.
    #[serde(default)]
    pub date: DateWord,
    /// An ending of logs that archives keep at their end.
    #[serde(default)]
    pub extension: Option<String>,
    /// An ending that all archives get.
    #[serde(default)]
    pub addextension: Option<String>,
    /// Whether a missing log is fine.
    #[serde(default = "yes")]
    pub missingok: bool,
    /// Whether an empty log is rotated too.
    #[serde(default = "yes")]
    pub ifempty: bool,
    /// Overwrite what is removed, so many times.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    pub shred: Option<u32>,
    /// Rotate a log that has a second name (a hard link), too.
    #[serde(default)]
    pub allowhardlink: bool,
    /// Whether links in the place of logs fail the run (`refuse`), or are passed over
    /// (`skip`), as logrotate does. They are rotated in no case.
    #[serde(default)]
    pub links: Links,
    /// Whether a log in a folder that others than root can write to is refused where the
    /// configuration does not say `su` (`refuse`), as logrotate does for root. Such folders do
    /// no harm here: nothing leads out of what was granted.
    #[serde(default)]
    pub parents: Parents,
    /// Granted signals or commands before anything is renamed, once.
    #[serde(default)]
    pub prerotate: Vec<Hook>,
    /// Granted signals or commands, which let the writers reopen their logs: once, after
    /// all logs were renamed and before anything is compressed.
    #[serde(default)]
    pub postrotate: Vec<Hook>,
    /// A granted channel that archives are sent through before they go.
    #[serde(default)]
    pub mail: Option<String>,
    /// Send each new archive, in the place of those that go.
    #[serde(default)]
    pub mailfirst: bool,
    /// Rotate whether or not it is time.
    #[serde(default)]
    pub force: bool,
    /// A file that remembers when each log was rotated, in logrotate's format, for runs
    /// without a stored task.
    #[serde(default)]
    pub state: Option<String>,
    /// What to do about another run that holds the state file: `refuse` or `skip` the lock.
    #[serde(default)]
    pub state_lock: Locking,
    /// All logs and archives together may take so many bytes: the oldest archives go
    /// first, whichever log they are of. Logs themselves never go.
    #[serde(default)]
    pub budget: Option<Size>,
    /// The zone of days and of dates in names, such as `Europe/Kyiv`; UTC when not given.
    #[serde(default)]
    pub tz: Option<String>,
    /// Report every consideration, not only the steps.
    #[serde(default)]
    pub verbose: bool,
}
