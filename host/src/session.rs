//! Who answers a call: this process, if it can have the store, else the process that
//! holds it, over its socket. Commands work the same beside a running service.

use std::sync::Arc;
use std::time::Duration;

use mhost_engine::Allocation;

use crate::app::App;
use crate::calls::Call;
use crate::dispatch::Event;
use crate::exit::{Kind, Outcomes, Problem};
use crate::home::Home;
use crate::service::socket;
use crate::signals::Ending;

/// A holder that is just starting or ending is waited for, in steps.
const STEP: Duration = Duration::from_millis(20);
/// … and for so long in all.
const PATIENCE: Duration = Duration::from_secs(10);

/// A command's way to the store.
pub enum Session {
    /// This process holds the store.
    Local(Arc<App>),
    /// Another one does, and listens.
    Remote(Home),
}

impl Session {
    /// Opens the store, or finds who holds it.
    pub async fn open(home: &Home, create: bool) -> Outcomes<Self> {
        let mut waited = Duration::ZERO;
        loop {
            match App::open(home.clone(), Allocation::OnDemand, create) {
                Ok(app) => {
                    app.renew_zones().await?;
                    app.keep_house().await?;
                    return Ok(Self::Local(app));
                }
                Err(problem) if problem.kind != Kind::Busy => return Err(problem),
                Err(problem) => {
                    if socket::answers(home).await? {
                        return Ok(Self::Remote(home.clone()));
                    }
                    if waited >= PATIENCE {
                        return Err(problem.hint(format!(
                            "the process that holds it does not answer on {}; it may be starting or ending: try again",
                            home.socket().display()
                        )));
                    }
                }
            }
            tokio::time::sleep(STEP).await;
            waited += STEP;
        }
    }

    /// Asks.
    pub async fn call<C: Call>(&self, call: C) -> Outcomes<C::Answer> {
        match self {
            Self::Local(app) => call.answer(app).await,
            Self::Remote(home) => remote(home, call).await,
        }
    }

    /// Lets others reach the store through this process while a long call is on.
    pub fn listen(&self) -> Outcomes<()> {
        match self {
            Self::Local(app) => socket::listen(app),
            Self::Remote(_) => Ok(()),
        }
    }

    /// The progress of what this process runs, for a bar.
    pub fn app(&self) -> Option<&Arc<App>> {
        match self {
            Self::Local(app) => Some(app),
            Self::Remote(_) => None,
        }
    }

    /// Finishes what others asked of this process meanwhile, and lets the store go.
    pub async fn close(self) -> Outcomes<()> {
        if let Self::Local(app) = self {
            socket::close(&app).await;
            app.close().await?;
        }
        Ok(())
    }
}

/// Asks the holder. One that ended before it answered is asked anew, or its place taken,
/// where asking twice is the same as asking once.
async fn remote<C: Call>(home: &Home, call: C) -> Outcomes<C::Answer> {
    let body = serde_json::to_vec(&call).map_err(|error| Problem::bug(error.to_string()))?;
    loop {
        let cut_off = match socket::call::<C>(home, body.clone()).await {
            Ok(answer) => return answer,
            Err(cut_off) => cut_off,
        };
        if cut_off.sent && !C::REPEATABLE {
            return Err(cut_off.problem);
        }
        if let Session::Local(app) = Session::open(home, C::CREATES).await? {
            let call: C =
                serde_json::from_slice(&body).map_err(|error| Problem::bug(error.to_string()))?;
            socket::listen(&app)?;
            let answer = call.answer(&app).await;
            Session::Local(app).close().await?;
            return answer;
        }
    }
}

/// Opens a session, asks one thing, and closes it.
pub async fn ask<C: Call>(home: &Home, call: C) -> Outcomes<C::Answer> {
    let session = Session::open(home, C::CREATES).await?;
    let answer = session.call(call).await;
    session.close().await?;
    answer
}

/// As [`ask`], for what may take long: others can reach the store meanwhile, and a signal
/// cancels what is on in this process, so that its rows say so. A second one ends it as it
/// stands.
pub async fn ask_long<C: Call>(session: &Session, call: C) -> Outcomes<C::Answer> {
    session.listen()?;
    let Some(app) = session.app() else {
        return session.call(call).await;
    };
    let mut signals = Ending::new()?;
    let mut told = false;
    let work = session.call(call);
    tokio::pin!(work);
    loop {
        tokio::select! {
            answer = &mut work => return answer,
            (name, number) = signals.next() => {
                if told {
                    std::process::exit(128 + number);
                }
                told = true;
                tracing::warn!("{name}: cancelling what is on; a second signal ends at once");
                app.runs.send(Event::Interrupt(format!("the command was ended by {name}")));
            }
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error.to_string())
    }
}
