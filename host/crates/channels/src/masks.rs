//! Secrets of one delivery: read where they are needed, and hidden in what is told of it.

use std::sync::Arc;

use mhost_model::channel::Endpoint;
use mhost_model::grant::SecretSource;
use mhost_model::masks::Masks;
use mhost_model::notify::clipped;
use mhost_model::ports::run::Secrets;

use crate::Failure;

pub struct Keyring {
    secrets: Arc<dyn Secrets>,
    seen: Masks,
}

impl Keyring {
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self {
            secrets,
            seen: Masks::default(),
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
        self.seen.add(&value);
        Ok(value)
    }

    /// A URL; whatever stands behind its origin is hidden from now on.
    pub async fn url(&self, endpoint: &Endpoint) -> Result<String, Failure> {
        let url = match endpoint {
            Endpoint::Url(url) => url.clone(),
            Endpoint::Secret(source) => self.read(source).await?,
        };
        self.seen.add_url(&url);
        Ok(url)
    }

    /// What a receiver said, in one line: without secrets first, then cut, as nothing
    /// knows a secret again whose half was cut off or whose spaces were changed.
    pub fn quoted(&self, said: &str, most: usize) -> String {
        let said = self.seen.hide(said);
        let words = said.split(|c: char| c.is_whitespace() || c.is_control());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        clipped(words.join(" "), most)
    }

    /// The failure without what was seen.
    pub fn masked(&self, mut failure: Failure) -> Failure {
        self.seen.hide_in(&mut failure.why);
        failure
    }
}

#[cfg(test)]
pub mod tests_support {
    //! A keyring for tests.

    use std::sync::Arc;

    use mhost_model::grant::SecretSource;
    use mhost_model::ports::run::Secrets;
    use mhost_model::{Fault, FaultResult};

    use super::Keyring;

    struct Nothing;

    impl Secrets for Nothing {
        fn read(&self, _: &SecretSource) -> FaultResult<String> {
            Err(Fault::NotFound("nothing".into()))
        }
    }

    /// One that can read no secret.
    pub fn keyring() -> Keyring {
        Keyring::new(Arc::new(Nothing))
    }
}
