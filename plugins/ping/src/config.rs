//! What to ask, and what to expect.

mod mistake;
mod parts;
mod status;
mod target;

use std::collections::{BTreeMap, BTreeSet};

use mhost_sdk::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

pub use parts::{
    Basic, Certificate, Disk, Dns, FileAge, Freshness, HttpVersion, IpFamily, JsonRule, Rules,
    Step, Tls,
};
pub use status::Status;
pub use target::{Kind, Target, split_address};

/// The targets of one check.
#[derive(Debug, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// They are asked at the same time.
    pub targets: Vec<Target>,
    /// Settings under a name, for the targets that say `module = "NAME"`; what a target says
    /// itself counts more.
    #[serde(default)]
    #[allow(dead_code)] // The schema needs it; targets have taken it in.
    modules: BTreeMap<String, Target>,
    /// At most so many at the same time.
    #[serde(default = "widest")]
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: u32,
    /// While one of these windows is open, no target counts as down.
    #[serde(default)]
    pub maintenance: Vec<Window>,
    /// How many checks in a row must fail until a target is down.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = 100))]
    pub failures_to_down: u32,
    /// How many checks in a row must succeed until a target that was down is up.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = 100))]
    pub successes_to_up: u32,
    /// When a target is flapping.
    #[serde(default)]
    pub flapping: Flapping,
}

/// As it is written: a target takes what it does not say from its module.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    targets: Vec<Map<String, Value>>,
    #[serde(default)]
    modules: BTreeMap<String, Map<String, Value>>,
    #[serde(default = "widest")]
    concurrency: u32,
    #[serde(default)]
    maintenance: Vec<Window>,
    #[serde(default = "once")]
    failures_to_down: u32,
    #[serde(default = "once")]
    successes_to_up: u32,
    #[serde(default)]
    flapping: Flapping,
}

fn widest() -> u32 {
    256
}

fn once() -> u32 {
    1
}

/// A length of time that a schedule begins again and again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// When it begins, as the schedule of a task: `{ cron = "0 2 * * SUN", tz =
    /// "Europe/Kyiv" }`.
    pub schedule: Value,
    /// How long it lasts.
    pub length: Span,
}

/// A target whose checks changed often enough lately is flapping, until they changed half as
/// often.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Flapping {
    /// Among so many of the newest checks …
    #[schemars(range(min = 2, max = 30))]
    pub checks: u32,
    /// … so many turned from good to bad or back. 0 looks for none.
    #[schemars(range(max = 29))]
    pub changes: u32,
}

impl Default for Flapping {
    fn default() -> Self {
        Self {
            checks: 20,
            changes: 6,
        }
    }
}

/// A target's name is also that of its alert.
fn misnamed(labels: &[String]) -> Option<String> {
    let unfit = |label: &&String| {
        label.is_empty() || label.len() > LONGEST_NAME || label.chars().any(char::is_control)
    };
    let label = labels.iter().find(unfit)?.escape_default().to_string();
    let begin: String = label.chars().take(60).collect();
    Some(format!(
        "the target `{begin}` needs a `name` of one line, 1 to {LONGEST_NAME} bytes"
    ))
}

/// So many subjects does the host remember for one run.
const MOST_TARGETS: usize = 20_000;

/// A name is at most so long, bytes: that of an alert is.
const LONGEST_NAME: usize = 200;

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let modules = written.modules;
        for (name, settings) in &modules {
            check_module(name, settings).map_err(de::Error::custom)?;
        }
        let targets = written.targets.into_iter();
        let targets = targets.map(|target| whole(target, &modules).map_err(de::Error::custom));
        Ok(Self {
            targets: targets.collect::<Result<_, D::Error>>()?,
            // Nothing asks for them once they are taken in.
            modules: BTreeMap::new(),
            concurrency: written.concurrency,
            maintenance: written.maintenance,
            failures_to_down: written.failures_to_down,
            successes_to_up: written.successes_to_up,
            flapping: written.flapping,
        })
    }
}

/// A mistake in a module is one even if no target takes it.
fn check_module(name: &str, settings: &Map<String, Value>) -> Result<(), String> {
    if settings.contains_key("module") {
        return Err(format!("the module `{name}` cannot take another module"));
    }
    serde_json::from_value::<Target>(Value::Object(settings.clone()))
        .map(drop)
        .map_err(|error| format!("the module `{name}`: {error}"))
}

fn whole(
    mut target: Map<String, Value>,
    modules: &BTreeMap<String, Map<String, Value>>,
) -> Result<Target, String> {
    if let Some(name) = target.get("module").and_then(Value::as_str) {
        let Some(module) = modules.get(name) else {
            return Err(format!("there is no module `{name}` under `modules`"));
        };
        for (key, value) in module {
            if let (Some(Value::Object(own)), Value::Object(theirs)) = (target.get_mut(key), value)
            {
                for (key, value) in theirs {
                    own.entry(key.clone()).or_insert_with(|| value.clone());
                }
                continue;
            }
            target.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    serde_json::from_value(Value::Object(target)).map_err(|error| error.to_string())
}

impl Config {
    /// Why it makes no sense, beyond what the schema can say.
    pub fn mistake(&self, labels: &[String]) -> Option<String> {
        if self.targets.is_empty() {
            return Some("`targets` is empty, so nothing would be checked".to_owned());
        }
        if self.targets.len() > MOST_TARGETS {
            return Some(format!(
                "there are {} targets, and one check takes {MOST_TARGETS}: make several tasks of it",
                self.targets.len()
            ));
        }
        if !(1..=1024).contains(&self.concurrency) {
            return Some("`concurrency` is a number from 1 to 1024".to_owned());
        }
        let wrong = self.targets.iter().find_map(|target| {
            let why = target.mistake()?;
            Some(format!(
                "the target `{}` makes no sense: {why}",
                target.label()
            ))
        });
        wrong
            .or_else(|| misnamed(labels))
            .or_else(|| self.tangled(labels))
    }

    /// The targets' names. What two would share is numbered from the second on.
    pub fn labels(&self) -> Vec<String> {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let labels = self.targets.iter().map(|target| {
            let label = target.label();
            let mut free = label.clone();
            while !taken.insert(free.clone()) {
                let count = counts.entry(label.clone()).or_insert(1);
                *count += 1;
                free = format!("{label} #{count}");
            }
            free
        });
        labels.collect()
    }

    /// Parents that are none.
    fn tangled(&self, labels: &[String]) -> Option<String> {
        if self.targets.iter().all(|target| target.parents.is_empty()) {
            return None;
        }
        let labels = labels.iter().cloned().enumerate();
        let places: BTreeMap<String, usize> = labels.map(|(at, label)| (label, at)).collect();
        for target in &self.targets {
            let label = target.label();
            let stranger = target
                .parents
                .iter()
                .find(|name| !places.contains_key(*name));
            if let Some(stranger) = stranger {
                return Some(format!(
                    "the target `{label}` has a parent `{stranger}`, which is no target"
                ));
            }
        }
        self.circle(&places).map(|at| {
            format!(
                "the target `{}` is its own ancestor",
                self.targets[at].label()
            )
        })
    }

    /// A target that is above itself: taking away again and again what has no parents left
    /// leaves only those on circles and below them (Kahn's algorithm).
    fn circle(&self, places: &BTreeMap<String, usize>) -> Option<usize> {
        let parents_of = |at: usize| self.targets[at].parents.iter();
        let mut left: Vec<usize> = Vec::with_capacity(self.targets.len());
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.targets.len()];
        for at in 0..self.targets.len() {
            left.push(self.targets[at].parents.len());
            for parent in parents_of(at).filter_map(|name| places.get(name)) {
                children[*parent].push(at);
            }
        }
        let mut free: Vec<usize> = (0..left.len()).filter(|at| left[*at] == 0).collect();
        while let Some(parent) = free.pop() {
            for child in &children[parent] {
                left[*child] -= 1;
                if left[*child] == 0 {
                    free.push(*child);
                }
            }
        }
        // From any that is left, one that is left too stands above it; so many steps up lead
        // onto a circle.
        let mut at = left.iter().position(|left| *left > 0)?;
        for _ in 0..left.len() {
            let above = parents_of(at).filter_map(|name| places.get(name).copied());
            at = above.into_iter().find(|parent| left[*parent] > 0)?;
        }
        Some(at)
    }
}
