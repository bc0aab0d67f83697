//! logrotate's configurations on this machine: read where they lie, and made into what a
//! run in the sandbox needs, or into tasks.
//!
//! The configuration is the grant: [`grants`] gives the folders that it names and the
//! scripts in it, and nothing else.

pub mod grants;
pub mod import;
mod source;

use std::collections::BTreeMap;
use std::path::Path;

use mhost_format_logrotate::{Configuration, Input, parse};
use serde_json::json;
pub use source::Machine;

/// Reads files and folders of configurations, in order.
pub fn read(paths: &[String]) -> (Configuration, Machine) {
    let machine = Machine::default();
    let inputs: Vec<_> = paths.iter().map(|path| Input::Path(path)).collect();
    let read = parse(&inputs, &machine);
    (read, machine)
}

/// The files that were read, as the plugin takes them.
pub fn texts(machine: &Machine) -> BTreeMap<String, serde_json::Value> {
    let files = machine.texts();
    let files = files.into_iter().map(|(path, file)| {
        let mode = format!("{:04o}", file.mode);
        let file = json!({ "text": file.text, "mode": mode, "uid": file.uid });
        (path, file)
    });
    files.collect()
}

/// The machine's zone by its name, where it says so.
pub fn zone() -> Option<String> {
    let named = std::env::var("TZ")
        .ok()
        .map(|zone| zone.trim_start_matches(':').to_owned());
    let linked = || {
        let link = std::fs::read_link("/etc/localtime").ok()?;
        let link = link.to_str()?.to_owned();
        link.split_once("zoneinfo/")
            .map(|(_, zone)| zone.to_owned())
    };
    let zone = named.filter(|zone| !zone.is_empty()).or_else(linked)?;
    zone.parse::<chrono_tz::Tz>().is_ok().then_some(zone)
}

/// The deepest folder of a path that exists; never the root.
fn standing(path: &str) -> Option<String> {
    let mut folder = Path::new(path);
    while !folder.is_dir() {
        folder = folder.parent()?;
    }
    let folder = folder.to_str()?;
    (folder != "/").then(|| folder.to_owned())
}
