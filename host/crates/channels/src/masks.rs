//! Secrets of one delivery: read where they are needed, and hidden in what is told of it.

use std::sync::{Arc, Mutex, PoisonError};

use mhost_model::channel::Endpoint;
use mhost_model::grant::SecretSource;
use mhost_model::ports::run::Secrets;

use crate::Failure;

/// Shorter ones would hide half of every text.
const SHORTEST: usize = 4;

pub struct Keyring {
    secrets: Arc<dyn Secrets>,
    seen: Mutex<Vec<String>>,
}

impl Keyring {
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self {
            secrets,
            seen: Mutex::default(),
        }
    }

    /// A secret's value, without a trailing line end.
    pub async fn read(&self, source: &SecretSource) -> Result<String, Failure> {
        let (secrets, source) = (Arc::clone(&self.secrets), source.clone());
        // A file may be slow, or a pipe.
        let read = tokio::task::spawn_blocking(move || secrets.read(&source)).await;
        let read = read.map_err(|error| Failure::new(error.to_string()))?;
        let value = read.map_err(|fault| Failure::new(fault.to_string()))?;
        let value = value.trim_end_matches(['\r', '\n']).to_owned();
        self.hide(&value);
        Ok(value)
    }

    /// A URL; whatever stands behind its origin is hidden from now on.
    pub async fn url(&self, endpoint: &Endpoint) -> Result<String, Failure> {
        let url = match endpoint {
            Endpoint::Url(url) => url.clone(),
            Endpoint::Secret(source) => self.read(source).await?,
        };
        let from = url.find("://").map_or(0, |at| at + 3);
        if let Some(at) = url[from..].find(['/', '?', '#']) {
            self.hide(&url[from + at..]);
        }
        Ok(url)
    }

    pub fn hide(&self, value: &str) {
        let mut seen = self.seen();
        seen.extend((value.len() >= SHORTEST).then(|| value.to_owned()));
        // Longer ones first, so that none of them is left in part.
        seen.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// The failure without what was seen.
    pub fn masked(&self, mut failure: Failure) -> Failure {
        for value in self.seen().iter() {
            failure.why = failure.why.replace(value.as_str(), "[secret]");
        }
        failure
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
