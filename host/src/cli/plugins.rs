//! `mhost plugin …`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use mhost_engine::Allocation;
use mhost_model::ByteSize;
use mhost_model::plugin::{Action, PluginRef};

use super::{Context, output};
use crate::calls::plugins::{
    Bytes, CheckPlugin, InspectPlugin, InstallPlugin, Installed, ListPlugins, PluginRow,
    PluginView, RemovePlugin, examine,
};
use crate::exit::{Kind, Outcomes, Problem};
use crate::plugins::Catalog;
use crate::session;

#[derive(Subcommand)]
pub enum Command {
    /// The plugins that there are
    List,
    /// What a plugin can do, what each action asks for, and its configuration
    Inspect {
        /// Built in, an installed name[@version], or a component's file
        #[arg(value_name = "PLUGIN|FILE")]
        plugin: String,
    },
    /// Whether a component is a plugin that this mhost can run
    Check { file: PathBuf },
    /// Add a plugin, or a new version of one
    Install { file: PathBuf },
    /// Remove an installed plugin that no task uses
    Remove { plugin: PluginRef },
}

/// A larger file is no plugin.
const MAX_COMPONENT: u64 = 64 << 20;

pub async fn run(command: Command, context: &Context) -> Outcomes<u8> {
    let home = &context.home;
    match command {
        Command::List => {
            let rows = session::ask(home, ListPlugins {}).await?;
            context.output.data(&rows, |rows| list(rows))?;
        }
        Command::Inspect { plugin } => {
            let view = named(&plugin, context).await?;
            context.output.data(&view, inspect)?;
        }
        Command::Check { file } => return check(&file, context).await,
        Command::Install { file } => {
            let component = Bytes(read(&file)?);
            let installed = session::ask(home, InstallPlugin { component }).await?;
            context.output.data(&installed, install)?;
        }
        Command::Remove { plugin } => {
            let row = session::ask(home, RemovePlugin { plugin }).await?;
            context.output.data(&row, |row| {
                format!("{}@{} is removed.\n", row.name, row.version)
            })?;
        }
    }
    Ok(0)
}

fn read(file: &Path) -> Outcomes<Vec<u8>> {
    let failed = |error: std::io::Error| {
        let problem = Problem::io("read", file, &error);
        match error.kind() {
            std::io::ErrorKind::NotFound => Problem {
                kind: Kind::NotFound,
                ..problem
            },
            _ => problem,
        }
    };
    let found = std::fs::metadata(file).map_err(failed)?;
    if !found.is_file() {
        return Err(Problem::usage(format!(
            "{} is not a regular file",
            file.display()
        )));
    }
    if found.len() > MAX_COMPONENT {
        return Err(Problem::usage(format!(
            "{} has {}; a plugin has at most {}",
            file.display(),
            ByteSize(found.len()),
            ByteSize(MAX_COMPONENT)
        )));
    }
    std::fs::read(file).map_err(failed)
}

/// A plugin by its name, or a component by its file. What is built in can be looked at
/// before there is a state.
async fn named(text: &str, context: &Context) -> Outcomes<PluginView> {
    if text.contains('/') || text.ends_with(".wasm") {
        return looked_at_file(Path::new(text), context).await;
    }
    let plugin: PluginRef = text
        .parse()
        .map_err(|error: mhost_model::NameError| Problem::usage(error.to_string()))?;
    let built_in = crate::plugins::embedded()
        .iter()
        .find(|one| plugin.name.as_str() == one.name && plugin.version.is_none());
    match built_in {
        Some(one) if !context.home.exists()? => {
            let view = looked_at(one.component()?, context).await?;
            Ok(PluginView {
                built_in: true,
                ..view
            })
        }
        _ => session::ask(&context.home, InspectPlugin { plugin }).await,
    }
}

async fn check(file: &Path, context: &Context) -> Outcomes<u8> {
    let view = looked_at_file(file, context).await?;
    context.output.data(&view, |view| {
        format!("{} runs on this mhost.\n{}", file.display(), inspect(view))
    })?;
    Ok(0)
}

async fn looked_at_file(file: &Path, context: &Context) -> Outcomes<PluginView> {
    let looked = looked_at(read(file)?, context).await;
    looked.map_err(|problem| Problem {
        message: format!("{}: {}", file.display(), problem.message),
        ..problem
    })
}

/// Needs no state: the component is looked at by a sandbox of its own.
async fn looked_at(component: Vec<u8>, context: &Context) -> Outcomes<PluginView> {
    let session = match context.home.exists()? {
        true => Some(session::Session::open(&context.home, false).await?),
        false => None,
    };
    let view = match &session {
        Some(session) => {
            session
                .call(CheckPlugin {
                    component: Bytes(component),
                })
                .await
        }
        None => {
            let catalog = Catalog::without_cache(context.home.clone(), Allocation::OnDemand);
            examine(&catalog, &component).await
        }
    };
    if let Some(session) = session {
        session.close().await?;
    }
    view
}

fn list(rows: &[PluginRow]) -> String {
    output::table(
        [
            "PLUGIN",
            "VERSION",
            "COMPONENT",
            "FROM",
            "ACTIONS",
            "SUMMARY",
        ],
        rows.iter().map(|row| {
            [
                row.name.to_string(),
                row.version.clone(),
                row.digest.short(),
                if row.built_in {
                    "built in"
                } else {
                    "installed"
                }
                .into(),
                row.actions.join(" "),
                output::brief(&row.summary, 60),
            ]
        }),
    )
}

fn install(installed: &Installed) -> String {
    let plugin = &installed.plugin;
    let mut text = format!(
        "{}@{} is installed ({}).\n",
        plugin.name,
        plugin.version,
        plugin.digest.short()
    );
    for task in &installed.quarantined {
        text.push_str(&format!("in quarantine: {task}\n"));
    }
    text
}

fn inspect(view: &PluginView) -> String {
    let manifest = &view.manifest;
    let mut text = format!(
        "{} {}: {}\ncomponent {}, {}\n",
        manifest.name,
        manifest.version,
        output::one_line(&manifest.summary),
        view.inspection.digest,
        ByteSize(view.inspection.size)
    );
    for action in &manifest.actions {
        text.push_str(&describe(action));
    }
    for missing in &view.inspection.missing {
        text.push_str(&format!("missing: {}\n", output::one_line(missing)));
    }
    text
}

fn describe(action: &Action) -> String {
    let mut text = format!("\n{}: {}\n", action.name, output::one_line(&action.summary));
    for need in &action.needs {
        let capability = serde_json::to_value(need.capability).unwrap_or_default();
        let how = match (need.required, need.writes) {
            (true, true) => "needs, and writes to,",
            (true, false) => "needs",
            (false, true) => "can use, and write to,",
            (false, false) => "can use",
        };
        text.push_str(&format!(
            "  {how} {}: {}\n",
            capability.as_str().unwrap_or_default(),
            output::one_line(&need.reason)
        ));
    }
    text.push_str(&keys(&action.config_schema));
    text
}

/// The configuration's keys with their meaning, from its schema.
fn keys(schema: &serde_json::Value) -> String {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|key| key.as_str())
        .collect();
    let properties = schema["properties"].as_object();
    properties
        .into_iter()
        .flatten()
        .map(|(key, property)| {
            let about = property["description"].as_str().unwrap_or_default();
            let mark = if required.contains(&key.as_str()) {
                " (required)"
            } else {
                ""
            };
            format!("  config.{key}{mark}: {}\n", output::one_line(about))
        })
        .collect()
}
