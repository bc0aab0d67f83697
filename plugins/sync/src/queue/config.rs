//! The configurations of the queue's actions.

use schemars::JsonSchema;
use serde::Deserialize;

/// Makes queues.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateQueue {
    /// The directory that the queues lie in: a guest path.
    pub queues: String,
    /// The other ends, a queue each.
    #[schemars(length(min = 1))]
    pub targets: Vec<String>,
}

/// Turns changes into items.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The directory that the queues lie in.
    pub queues: String,
    /// The name of this end.
    pub source: String,
    /// The other ends; each has a pace of its own.
    #[schemars(length(min = 1))]
    pub targets: Vec<Destination>,
    /// Directories whose files are exported.
    #[serde(default)]
    pub files: Vec<Files>,
    /// Databases whose rows are exported.
    #[serde(default)]
    pub records: Vec<Records>,
    /// Objects of a Zope.
    #[serde(default)]
    pub objects: Vec<Objects>,
    /// What is gone here goes there, too.
    #[serde(default = "yes")]
    pub delete: bool,
    /// Never export more deletions than this share of what the target has, in percent; ten
    /// are always allowed.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 100))]
    pub max_delete_percent: u8,
}

fn yes() -> bool {
    true
}

fn half() -> u8 {
    50
}

/// One other end.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The queue's name.
    pub name: String,
    /// An expression in CEL that must be true for an item to go there, of `kind`, `key`,
    /// `name`, `size`, `modified` (milliseconds), `source` and `target`:
    /// `key.startsWith("public/") && size < 1000000`.
    #[serde(default)]
    pub filter: Option<String>,
}

/// A directory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// A guest path.
    pub from: String,
    /// What the keys of its files begin with.
    #[serde(default)]
    pub prefix: String,
    /// What its files are: `file`, or a kind that another plugin applies at the other end
    /// (letters in lower case, digits, `-`).
    #[serde(default = "file")]
    pub kind: String,
}

fn file() -> String {
    "file".to_owned()
}

/// Tables of a database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// The granted database's name.
    pub database: String,
    /// Only these tables; all that the grant names where empty.
    #[serde(default)]
    pub tables: Vec<String>,
}

/// Objects of a Zope.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// Its address, `http://127.0.0.1:8080`.
    pub zope: String,
    /// The granted secret `USER:PASSWORD`.
    pub secret: String,
    /// The objects, `/folder/document`.
    pub paths: Vec<String>,
}

/// Carries items to the other ends.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The directory that the queues lie in.
    pub queues: String,
    /// How each is reached.
    #[schemars(length(min = 1))]
    pub targets: Vec<Way>,
    /// At most so many items a run and target.
    #[serde(default = "batch")]
    #[schemars(range(min = 1, max = 10000))]
    pub batch: usize,
    /// Items that are done are kept for so many days.
    #[serde(default = "month")]
    #[schemars(range(min = 1))]
    pub keep_days: u32,
}

fn batch() -> usize {
    1000
}

fn month() -> u32 {
    30
}

/// A way to an other end; one of `directory`, `remote`, `service`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// The queue's name.
    pub name: String,
    /// The other end's queue as a guest path.
    #[serde(default)]
    pub directory: Option<String>,
    /// The other end's queue on a granted remote.
    #[serde(default)]
    pub remote: Option<OnRemote>,
    /// The other end's queue over the HTTP service of its mhost.
    #[serde(default)]
    pub service: Option<OverService>,
}

/// See [`Way`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnRemote {
    /// The granted remote's name.
    pub name: String,
    /// The queue's folder there.
    pub path: String,
}

/// See [`Way`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverService {
    /// Where that mhost listens, `https://west.example.org`: a granted origin.
    pub url: String,
    /// The task there that receives.
    pub task: String,
    /// The queue of that task.
    pub queue: String,
    /// The granted secret that holds the token of that queue.
    pub token: String,
}

/// Applies items.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The directory that the queues lie in.
    pub queues: String,
    /// Only these queues; all where empty.
    #[serde(default)]
    pub sources: Vec<String>,
    /// What applies which kinds; of those that can, the one with the highest priority.
    #[schemars(length(min = 1))]
    pub importers: Vec<Importer>,
    /// Where keys go; the first rule that matches decides, and without one the key stays.
    #[serde(default)]
    pub localise: Vec<Localise>,
    /// What happens where the container of an item is missing.
    #[serde(default)]
    pub containers: Containers,
    /// At most so many items a run and queue.
    #[serde(default = "batch")]
    #[schemars(range(min = 1, max = 10000))]
    pub batch: usize,
    /// Items that are done are kept for so many days; the sender must look for them
    /// within that time.
    #[serde(default = "month")]
    #[schemars(range(min = 1))]
    pub keep_days: u32,
}

/// What applies items; one of `files`, `database`, `zope`, `queue`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Importer {
    /// A guest path: takes files and their deletions.
    #[serde(default)]
    pub files: Option<String>,
    /// A granted database: takes records and their deletions.
    #[serde(default)]
    pub database: Option<String>,
    /// A Zope: takes objects and their deletions.
    #[serde(default)]
    pub zope: Option<ZopeEnd>,
    /// The queue of another plugin's task, as a guest path: takes the kinds that `kinds`
    /// names, and that plugin applies them.
    #[serde(default)]
    pub queue: Option<String>,
    /// Beside `queue`: the kinds, `mail` for `put-mail` and `delete-mail`; also `file`,
    /// `record` and `object`.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Only keys that begin so.
    #[serde(default)]
    pub prefix: String,
    /// The highest wins; of equal ones the first.
    #[serde(default)]
    pub priority: i32,
}

/// A Zope that objects go to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZopeEnd {
    /// Its address.
    pub url: String,
    /// The granted secret `USER:PASSWORD`.
    pub secret: String,
    /// Its `import` directory as a guest path.
    pub import: String,
}

/// Where keys go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Localise {
    /// The keys: `*` stands for any one name, `**` for any number. Of records it is the
    /// table.
    pub pattern: String,
    /// The container that takes the place of the folders before the first wildcard: what the
    /// wildcards stand for stays below it. Of records it is the table there.
    pub container: String,
}

/// See [`Import::containers`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Containers {
    /// It is made.
    #[default]
    Make,
    /// The item is an error.
    Refuse,
}

/// Says how the queues are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The directory that the queues lie in.
    pub queues: String,
    /// Fail where an item is an error.
    #[serde(default)]
    pub fail_on_errors: bool,
    /// Fail where an item waits for longer, minutes.
    #[serde(default)]
    pub max_age_minutes: Option<u64>,
}

/// Sends or applies what is an error again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The directory that the queues lie in.
    pub queues: String,
    /// Only these queues; all where empty.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Let the items vouch for what is in them now: for an operator who repaired them in
    /// `ERROR`.
    #[serde(default)]
    pub reseal: bool,
}
