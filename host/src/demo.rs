//! The demonstration: real things in a new folder, a task of each built-in plugin,
//! two ticks, and what came of them.

mod content;
mod web;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_engine::Allocation;
use mhost_model::Instant;
use mhost_model::run::Outcome;
use serde::Serialize;

use crate::app::App;
use crate::calls::Call;
use crate::calls::apply::Apply;
use crate::calls::runs::RunView;
use crate::calls::start::Tick;
use crate::exit::{Outcomes, Problem};
use crate::home::Home;

/// The tasks are due so long after they are applied: a new task never runs at once.
const LEAD: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// What the demonstration showed.
#[derive(Serialize)]
pub struct Shown {
    pub folder: PathBuf,
    pub home: PathBuf,
    pub first_tick: Vec<RunView>,
    pub second_tick: Vec<RunView>,
}

impl Shown {
    /// Whether any task failed, or ran twice, or not at all.
    pub fn failed(&self) -> bool {
        let bad = |view: &RunView| view.outcome != Some(Outcome::Succeeded);
        self.first_tick.len() != content::TASKS
            || self.first_tick.iter().any(bad)
            || !self.second_tick.is_empty()
    }
}

/// Makes everything in `folder`, and runs it. `say` is told each step.
pub async fn run(folder: &Path, say: &(dyn Fn(&str) + Sync)) -> Outcomes<Shown> {
    let folder = make_folder(folder)?;
    say(&format!(
        "Making a site to maintain in {} …",
        folder.display()
    ));
    let address = web::serve().await?;
    content::make(&folder)?;
    let home = Home::locate(Some(folder.join("state")))?;
    let app = App::open(home, Allocation::OnDemand, true)?;
    say("Compiling the built-in plugins, once …");
    let file = content::configure(&folder, address, app.now())?;
    Apply::read(&file, true)?.answer(&app).await?;
    let due = app.now() + LEAD;
    content::configure(&folder, address, due)?;
    say(&format!("Applying {} …", file.display()));
    let applied = Apply::read(&file, false)?.answer(&app).await?;
    for change in &applied.changes {
        say(&format!("  {change}"));
    }
    say("Waiting two seconds until the tasks are due, then ticking …");
    wait_until(&app, due).await;
    let first_tick = Tick {}.answer(&app).await?;
    let second_tick = Tick {}.answer(&app).await?;
    let shown = Shown {
        home: app.home.root().to_owned(),
        folder,
        first_tick,
        second_tick,
    };
    app.runs.close().await?;
    Ok(shown)
}

fn make_folder(folder: &Path) -> Outcomes<PathBuf> {
    let folder =
        std::path::absolute(folder).map_err(|error| Problem::io("resolve", folder, &error))?;
    std::fs::create_dir_all(&folder).map_err(|error| Problem::io("create", &folder, &error))?;
    let mut entries =
        std::fs::read_dir(&folder).map_err(|error| Problem::io("list", &folder, &error))?;
    if entries.next().is_some() {
        return Err(Problem::usage(format!("{} is not empty", folder.display()))
            .hint("name another folder: `mhost demo FOLDER`"));
    }
    Ok(folder)
}

async fn wait_until(app: &Arc<App>, due: Instant) {
    // With a stopped clock (MHOST_NOW) no waiting would help.
    let left = (due - app.now()).to_std().unwrap_or_default();
    tokio::time::sleep(left).await;
}

/// What a run changed, in a line.
pub fn gist(view: &RunView) -> String {
    let error = view.error.as_ref().map(|error| error.message.clone());
    let report = view.report.as_ref().map(|report| report.summary.clone());
    error.or(report).unwrap_or_default()
}

/// The commands that go on from here.
pub fn how_to_go_on(shown: &Shown) -> String {
    let folder = shown.folder.display();
    let run = shown.first_tick.first().map_or(1, |view| view.run.0);
    format!(
        "
Go on in that folder:

  cd {folder}
  export MHOST_HOME=$PWD/state PATH=\"{program}:$PATH\"
  mhost task list                      # each task is due again in an hour
  mhost runs show {run}                    # a report and a receipt
  mhost run sync-content --dry-run     # what would change, nothing does
  mhost grants tighten sync-content    # the smallest grants that were needed
  $EDITOR mhost.toml && mhost apply mhost.toml --dry-run
  mhost serve                          # obey the timers until Ctrl-C

The demo's web server has ended with it: `mhost run check-site` fails now, and says why.
",
        program = std::env::current_exe()
            .ok()
            .and_then(|path| path.parent().map(|folder| folder.display().to_string()))
            .unwrap_or_default(),
    )
}
