//! Ways to people: what is said, how it gets there, and when the next try is.
//!
//! Deciding ([`plan`]) and rendering are pure. Delivering ([`deliver`]) opens one
//! connection, says one bundle and closes it. What waits, and what was delivered, is kept
//! by the store; who calls when is the host's.

mod bundle;
mod check;
mod command;
mod dead_man;
mod dial;
mod http;
mod masks;
mod plan;
mod render;
mod smtp;
mod system;
mod template;
mod trust;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use mhost_model::Instant;
use mhost_model::channel::{ChannelDef, Transport};
use mhost_model::ports::run::Secrets;

pub use bundle::{Bundle, Item};
pub use check::check;
use masks::Keyring;
pub use plan::{Batch, GIVE_UP, Pending, Plan, backoff, plan};

/// What one delivery may take, all in all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a bundle was not delivered; without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What failed, where, and why.
    pub why: String,
    /// The receiver asked not to be bothered for so long.
    pub retry_after: Option<Duration>,
}

impl Failure {
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            retry_after: None,
        }
    }
}

type Delivered = Result<(), Failure>;

/// Delivers a bundle now. It may arrive even where this fails: an answer can be lost.
pub async fn deliver(
    channel: &ChannelDef,
    bundle: &Bundle,
    secrets: &Arc<dyn Secrets>,
    now: Instant,
) -> Delivered {
    let keyring = Keyring::new(Arc::clone(secrets));
    let work = send(channel, bundle, &keyring, now);
    let delivered = match tokio::time::timeout(PATIENCE, work).await {
        Ok(delivered) => delivered,
        Err(_) => Err(Failure::new(format!(
            "{}: no end within {} s",
            channel.kind(),
            PATIENCE.as_secs()
        ))),
    };
    delivered.map_err(|failure| keyring.masked(failure))
}

async fn send(channel: &ChannelDef, bundle: &Bundle, keyring: &Keyring, now: Instant) -> Delivered {
    match &channel.transport {
        Transport::Smtp(smtp) => smtp::send(smtp, bundle, keyring, now).await,
        Transport::Webhook(webhook) => webhook::send(webhook, bundle, keyring).await,
        Transport::DeadMan(dead_man) => dead_man::send(dead_man, bundle, keyring).await,
        Transport::Syslog(syslog) => system::syslog(syslog, bundle),
        Transport::Journald(socket) => system::journald(socket, bundle),
        Transport::Command(words) => command::run(words, bundle, keyring).await,
    }
}
