//! What mhost can be asked to do: one type a question, with its answer. The command
//! line, the socket and the HTTP service all ask these; nothing is done twice.

pub mod apply;
pub mod databases;
pub mod doctor;
pub mod gaps;
pub mod grants;
pub mod notify;
pub mod plugins;
pub mod runs;
pub mod start;
pub mod tasks;
pub mod watched;

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::exit::{Outcomes, Problem};

/// Rows that one answer holds at the most.
pub const MOST: usize = 100_000;

/// One question. It is answered by the process that holds the store.
pub trait Call: Serialize + DeserializeOwned + Send + 'static {
    /// Its name on the socket: `/v1/PATH`.
    const PATH: &'static str;
    /// Whether it makes the state folder where there is none.
    const CREATES: bool = false;
    /// Whether asking twice is the same as asking once.
    const REPEATABLE: bool = true;
    type Answer: Serialize + DeserializeOwned + Send;

    fn answer(self, app: &Arc<App>) -> impl Future<Output = Outcomes<Self::Answer>> + Send;
}

/// A page's size, as it was asked for: whoever asks over the wire must not take the memory of
/// the process that everybody shares.
fn page(limit: usize) -> Outcomes<usize> {
    match limit {
        0..=MOST => Ok(limit),
        _ => Err(
            Problem::usage(format!("{limit} rows are too many for one answer")).hint(format!(
                "ask for {MOST} at the most, and go on from the last"
            )),
        ),
    }
}
