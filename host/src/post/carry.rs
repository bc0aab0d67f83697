//! The way from the postman to the channels.

use std::sync::Arc;

use async_trait::async_trait;
use mhost_channels::{Bundle, Failure};
use mhost_model::channel::ChannelDef;
use mhost_model::{Instant, ports::run::Secrets};

use crate::execute::SecretValues;

/// Takes one bundle to where it goes.
#[async_trait]
pub trait Carrier: Send + Sync {
    async fn carry(
        &self,
        channel: &ChannelDef,
        bundle: &Bundle,
        now: Instant,
    ) -> Result<(), Failure>;
}

/// The channels themselves.
pub struct Channels;

#[async_trait]
impl Carrier for Channels {
    async fn carry(
        &self,
        channel: &ChannelDef,
        bundle: &Bundle,
        now: Instant,
    ) -> Result<(), Failure> {
        let secrets: Arc<dyn Secrets> = Arc::new(SecretValues::default());
        mhost_channels::deliver(channel, bundle, &secrets, now).await
    }
}

/// The name of this machine.
pub fn machine() -> String {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    match name.is_empty() {
        true => "localhost".to_owned(),
        false => name,
    }
}
