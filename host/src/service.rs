//! The headless service: obeys the timers until it is told to stop.
//!
//! TERM (or INT) drains: nothing new starts, living runs end; a second one cancels
//! them. HUP applies the configuration and the plugins anew.

pub mod http;
mod receive;
pub mod socket;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::calls::{Call, apply};
use crate::dispatch::Event;
use crate::exit::{Kind, Outcomes};
use crate::home::Home;
use crate::signals::Signals;
use crate::watch;
use mhost_engine::Allocation;

/// Instances that the service's memory pool holds.
const INSTANCES: u32 = 64;

/// How often the service asks for the store that another process has, and how long it waits
/// between.
const TRIES: u32 = 50;
const BETWEEN: Duration = Duration::from_millis(100);

/// Why a run ended that did not end in time.
const SECOND: &str = "the service was told to end a second time";

/// What `mhost serve` was told.
pub struct Options {
    /// Applied at the start and at every HUP; else what was applied last.
    pub config: Option<PathBuf>,
    /// TCP beside the socket.
    pub listen: Option<http::Listen>,
}

/// Runs until it is told to stop and the last run has ended.
pub async fn serve(home: Home, options: Options) -> Outcomes<()> {
    let mut signals = Signals::new()?;
    let app = open(home).await?;
    socket::listen(&app)?;
    if let Some(listen) = options.listen {
        http::listen(Arc::clone(&app), listen).await?;
    }
    start(&app, options.config.as_deref()).await?;
    tracing::info!(home = %app.home.root().display(), "mhost serves");
    loop {
        tokio::select! {
            _ = signals.hup.recv() => reload(&app, options.config.as_deref()).await,
            _ = signals.term.recv() => break,
            _ = signals.int.recv() => break,
        }
    }
    drain(&app, &mut signals).await?;
    finish(&app, &mut signals).await
}

/// Waits for a command that has the store at this moment: nobody should have to start the
/// service again because of a `mhost tick` that came in between.
async fn open(home: Home) -> Outcomes<Arc<App>> {
    let allocation = Allocation::Pooling {
        instances: INSTANCES,
    };
    for _ in 0..TRIES {
        match App::open(home.clone(), allocation, true) {
            Err(problem) if problem.kind == Kind::Busy => tokio::time::sleep(BETWEEN).await,
            opened => return opened,
        }
    }
    let opened = App::open(home, allocation, true);
    opened.map_err(|problem| match problem.kind {
        Kind::Busy => problem.hint(
            "one mhost serves a state: look for another `mhost serve`, or a long `mhost run`",
        ),
        _ => problem,
    })
}

async fn start(app: &Arc<App>, config: Option<&Path>) -> Outcomes<()> {
    app.renew_zones().await?;
    app.runs.reap().await?;
    app.reconcile().await?;
    if let Some(path) = configuration(app, config).await? {
        apply_file(app, &path).await?;
    }
    app.runs.edited().await?;
    app.runs.send(Event::ObeyTimers);
    // What a former process left in the outbox.
    app.post.stir();
    watch::service::spawn(Arc::clone(app));
    Ok(())
}

/// The file to apply: the one that was named, else the one that was applied last, so that a
/// start never takes tasks away that were applied from elsewhere; at first the state folder's.
async fn configuration(app: &Arc<App>, named: Option<&Path>) -> Outcomes<Option<PathBuf>> {
    if let Some(path) = named {
        return Ok(Some(path.to_owned()));
    }
    let applied = app.store.definitions().await?.source;
    let there = |path: &PathBuf| path.exists();
    match applied {
        Some(path) if !there(&path) => {
            tracing::warn!(path = %path.display(), "the file that was applied last is gone: everything stays as it is");
            Ok(None)
        }
        Some(path) => Ok(Some(path)),
        None => Ok(Some(app.home.config()).filter(there)),
    }
}

async fn apply_file(app: &Arc<App>, path: &Path) -> Outcomes<()> {
    let applied = apply::Apply::read(path, false)?.answer(app).await?;
    for warning in &applied.warnings {
        tracing::warn!("{warning}");
    }
    if applied.changes.is_empty() {
        tracing::info!(path = %path.display(), "the configuration file changes nothing");
    }
    for change in &applied.changes {
        tracing::info!(path = %path.display(), %change, "configuration applied");
    }
    Ok(())
}

/// A mistake in the new configuration leaves the old one in force.
async fn reload(app: &Arc<App>, config: Option<&Path>) {
    tracing::info!("HUP: applying configuration and plugins anew");
    let result = async {
        app.reconcile().await?;
        match configuration(app, config).await? {
            Some(path) => apply_file(app, &path).await?,
            None => tracing::info!("there is no configuration file to apply"),
        }
        app.runs.edited().await
    };
    if let Err(problem) = result.await {
        tracing::error!("the configuration in force stays as it was: {problem}");
    }
}

async fn drain(app: &Arc<App>, signals: &mut Signals) -> Outcomes<()> {
    let live = app.runs.live().await?;
    tracing::info!(
        living = live.len(),
        "draining: nothing new starts; a second signal cancels what is on"
    );
    let drained = app.runs.drain();
    tokio::pin!(drained);
    loop {
        tokio::select! {
            done = &mut drained => return done,
            _ = signals.term.recv() => app.runs.send(Event::Force(SECOND.to_owned())),
            _ = signals.int.recv() => app.runs.send(Event::Force(SECOND.to_owned())),
        }
    }
}

/// Gives the last answers. What runs ended with is in the store, so nothing is lost by one
/// more signal.
async fn finish(app: &Arc<App>, signals: &mut Signals) -> Outcomes<()> {
    let finished = async {
        socket::close(app).await;
        app.close().await
    };
    let signalled = async {
        tokio::select! {
            _ = signals.term.recv() => {}
            _ = signals.int.recv() => {}
        }
    };
    tokio::select! {
        done = finished => done,
        () = signalled => {
            tracing::warn!("told once more to end: the last answers and messages are not waited for");
            Ok(())
        }
    }
}
