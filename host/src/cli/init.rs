//! `mhost init`: the state folder, and a configuration to begin with.

use std::io::Write as _;

use serde::Serialize;

use super::Context;
use crate::app::App;
use crate::exit::{Outcomes, Problem};
use mhost_engine::Allocation;

#[derive(clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Made {
    home: std::path::PathBuf,
    config: std::path::PathBuf,
    /// False where there was one already, which stays as it is.
    config_written: bool,
}

pub async fn run(_: Args, context: &Context) -> Outcomes<u8> {
    let home = &context.home;
    let app = App::open(home.clone(), Allocation::OnDemand, true)?;
    let config = home.config();
    let config_written = match std::fs::File::create_new(&config) {
        Ok(mut file) => {
            file.write_all(SAMPLE.as_bytes())
                .map_err(|error| Problem::io("write", &config, &error))?;
            true
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(Problem::io("create", &config, &error)),
    };
    app.runs.close().await?;
    let made = Made {
        home: home.root().to_owned(),
        config,
        config_written,
    };
    context.output.data(&made, |made| {
        let config = made.config.display();
        let state = made.home.display();
        let written = match made.config_written {
            true => format!("A configuration to begin with is in {config}: edit it, then"),
            false => format!("The configuration {config} was there already and stays. Now"),
        };
        let mhost = format!("mhost{}", there(&made.home));
        format!(
            "The state is in {state}.\n{written}\n\n  {mhost} apply --dry-run   # shows what would change\n  {mhost} apply\n  {mhost} serve             # or `{mhost} tick` from a timer\n"
        )
    })?;
    Ok(0)
}

/// The option by which later commands find the state, where they would look elsewhere.
fn there(home: &std::path::Path) -> String {
    match crate::home::Home::locate(None) {
        Ok(usual) if usual.root() == home => String::new(),
        _ => format!(" --home {}", home.display()),
    }
}

const SAMPLE: &str = include_str!("init/sample.toml");
