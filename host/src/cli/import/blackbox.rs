//! `mhost import blackbox`: modules of Prometheus' blackbox_exporter as a task.

use std::path::PathBuf;

use serde_json::Value;

use super::super::output;
use crate::exit::{Outcomes, Problem};
use crate::import::{self, Imported};

#[derive(clap::Args)]
pub struct Blackbox {
    /// Its configuration, such as /etc/prometheus/blackbox.yml
    file: PathBuf,
    /// What to check with a module; may be given several times
    #[arg(long = "target", value_name = "MODULE=ADDRESS")]
    targets: Vec<String>,
}

pub fn run(args: Blackbox, output: &output::Output) -> Outcomes<u8> {
    let Blackbox { file, targets } = args;
    let text =
        std::fs::read_to_string(&file).map_err(|error| Problem::io("read", &file, &error))?;
    let imported = import::blackbox::import(&text, &targets)
        .map_err(|error| Problem::usage(format!("{}: {error}", file.display())))?;
    if !output.is_json() {
        for note in &imported.notes {
            output::note(&format!("note: {note}"));
        }
    }
    output.data(&imported, |imported| task("blackbox", imported))?;
    Ok(0)
}

/// A task as it stands in `mhost.toml`.
fn task(name: &str, imported: &Imported) -> String {
    let mut text = format!(
        "[tasks.{name}]\nplugin = \"ping\"\naction = \"check\"\nschedule = {{ every = \"1m\" }}\n"
    );
    text.push_str(&format!("\n[tasks.{name}.config]\ntargets = ["));
    let targets = imported.config.get("targets").and_then(Value::as_array);
    for target in targets.into_iter().flatten() {
        text.push_str(&format!("\n    {},", inline(target)));
    }
    text.push_str("\n]\n");
    let modules = imported.config.get("modules").and_then(Value::as_object);
    for (module, settings) in modules.into_iter().flatten() {
        text.push_str(&format!(
            "\n[tasks.{name}.config.modules.{}]\n",
            key(module)
        ));
        for (setting, value) in settings.as_object().into_iter().flatten() {
            text.push_str(&format!("{} = {}\n", key(setting), inline(value)));
        }
    }
    text.push_str(&format!("\n[tasks.{name}.grants]\n"));
    for (kind, grants) in &imported.grants {
        text.push_str(&format!("{} = {}\n", key(kind), inline(grants)));
    }
    text
}

/// A value on one line of TOML.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name), inline(value)));
            let pairs: Vec<_> = pairs.collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !name.is_empty() && name.chars().all(bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
