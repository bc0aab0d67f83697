//! Whom TLS connections trust: the authorities of the machine, and those that the
//! engine was given beside them.

use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

/// Trusted authorities, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    /// Reads the machine's authorities. Without any, every certificate is distrusted,
    /// which the peer's error then says.
    pub(super) fn load(extra: &[CertificateDer<'static>]) -> Self {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!("cannot read some of the machine's trusted authorities: {error}");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs.into_iter().chain(extra.iter().cloned()));
        Self {
            roots: Arc::new(roots),
            provider: Arc::new(ring::default_provider()),
        }
    }

    /// Trusts the authorities of a PEM text alone.
    pub(crate) fn of_pem(pem: &str) -> Result<Self, String> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let found = found.map_err(|error| format!("the authorities cannot be read: {error}"))?;
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found);
        if added == 0 {
            return Err("there is no authority's certificate in the PEM text".to_owned());
        }
        Ok(Self {
            roots: Arc::new(roots),
            provider: Arc::new(ring::default_provider()),
        })
    }

    /// What decides about certificates.
    pub(crate) fn verifier(&self) -> Result<Arc<WebPkiServerVerifier>, String> {
        let provider = Arc::clone(&self.provider);
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), provider)
            .build()
            .map_err(|error| format!("no authority is trusted on this machine: {error}"))
    }

    pub(crate) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// For connections that fail unless the peer is trusted.
    pub(crate) fn verifying(&self) -> Result<Arc<ClientConfig>, Error> {
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}
