//! Which attack is which.

use serde_json::Value;

use crate::exports::mhost::plugin::plugin::{Context, Failure, Report};
use crate::failed;

mod compute;
mod data;
mod files;
mod output;
mod people;
mod powers;

type Attack = fn(&Context, &Value) -> Result<Report, Failure>;

const ATTACKS: [(&str, Attack); 37] = [
    ("nothing", compute::nothing),
    ("loop", compute::endless),
    ("memory", compute::memory),
    ("recursion", compute::recursion),
    ("panic", compute::panic),
    ("exit", compute::exit),
    ("calls", compute::calls),
    ("random", compute::random),
    ("wait", compute::wait),
    ("sleep", compute::sleep),
    ("clock", compute::clock),
    ("log-flood", output::flood),
    ("log-lines", output::lines),
    ("say", output::say),
    ("progress", output::progress),
    ("report", output::report),
    ("read-file", files::read),
    ("write-file", files::write),
    ("append-file", files::append),
    ("truncate", files::truncate),
    ("open-many", files::open_many),
    ("list-many", files::list_many),
    ("link", files::link),
    ("rename", files::rename),
    ("remove", files::remove),
    ("touch", files::touch),
    ("make-directory", files::make_directory),
    ("list", files::list),
    ("open-directory", files::open_directory),
    ("state", data::state),
    ("state-huge", data::huge),
    ("buckets", data::buckets),
    ("config", data::config),
    ("secret", powers::secret),
    ("database", powers::database),
    ("services", powers::services),
    ("people", people::people),
];

/// The names of all attacks.
pub const NAMES: [&str; ATTACKS.len()] = {
    let mut names = [""; ATTACKS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = ATTACKS[at].0;
        at += 1;
    }
    names
};

/// Does the attack `attack` of its configuration, and declares no need.
pub const UNDECLARED: &str = "undeclared";
/// The same, and declares that it only looks at everything.
pub const LOOKS: &str = "looks";

pub fn run(context: &Context, config: &Value) -> Result<Report, Failure> {
    let name = match context.action.as_str() {
        UNDECLARED | LOOKS => text(config, "attack"),
        name => name,
    };
    let attack = ATTACKS.iter().find(|(known, _)| *known == name);
    match attack {
        Some((_, attack)) => attack(context, config),
        None => Err(failed(format!("no attack `{name}`"))),
    }
}

/// A text of the configuration.
fn text<'a>(config: &'a Value, key: &str) -> &'a str {
    config[key].as_str().unwrap_or_default()
}

/// A number of the configuration.
fn number(config: &Value, key: &str) -> u64 {
    config[key].as_u64().unwrap_or_default()
}
