//! The signals that end a process, or tell it to look at its configuration again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Outcomes, Problem};

/// Caught from now on, in place of what they do otherwise.
pub struct Signals {
    pub hup: Signal,
    pub term: Signal,
    pub int: Signal,
}

impl Signals {
    pub fn new() -> Outcomes<Self> {
        Ok(Self {
            hup: catch(SignalKind::hangup())?,
            term: catch(SignalKind::terminate())?,
            int: catch(SignalKind::interrupt())?,
        })
    }
}

/// The signals that end a command. Not HUP: `nohup` has it ignored, and catching it would
/// undo that.
pub struct Ending {
    term: Signal,
    int: Signal,
}

impl Ending {
    pub fn new() -> Outcomes<Self> {
        Ok(Self {
            term: catch(SignalKind::terminate())?,
            int: catch(SignalKind::interrupt())?,
        })
    }

    /// Waits for one; gives its name and number.
    pub async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.term.recv() => ("TERM", SignalKind::terminate().as_raw_value()),
            _ = self.int.recv() => ("INT", SignalKind::interrupt().as_raw_value()),
        }
    }
}

fn catch(kind: SignalKind) -> Outcomes<Signal> {
    signal(kind).map_err(|error| Problem::failed(format!("cannot catch signals: {error}")))
}
