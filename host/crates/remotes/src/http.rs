//! The HTTP client of remotes: whom it trusts, and how long it waits.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mhost_model::{Fault, FaultResult};
use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(20);
/// A peer that acknowledges nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// `ca` is a PEM file with authorities to trust beside the machine's.
pub(crate) fn client(ca: Option<&Path>) -> FaultResult<Client> {
    let tls = match ca {
        None => by_the_machine()?,
        Some(ca) => trusting(&authorities(ca)?)?,
    };
    Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT)
        .tcp_keepalive(SILENCE / 2)
        .tcp_user_timeout(SILENCE)
        // Where it leads, nobody configured; and what was sent as a stream cannot be sent twice.
        .redirect(Policy::none())
        .user_agent(concat!("mhost/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Fault::Failed(format!("cannot begin HTTP: {}", said(&error))))
}

/// An error with what caused it, without the URL.
pub(crate) fn said(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if error.is_timeout() {
        return "there was no answer in time".to_owned();
    }
    cause.to_string()
}

/// Reading the machine's authorities takes longer than many a run.
fn by_the_machine() -> FaultResult<ClientConfig> {
    static MADE: OnceLock<FaultResult<ClientConfig>> = OnceLock::new();
    MADE.get_or_init(|| trusting(&[])).clone()
}

fn trusting(further: &[CertificateDer<'static>]) -> FaultResult<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in further {
        let added = roots.add(certificate.clone());
        added.map_err(|error| Fault::Invalid(format!("an authority in `ca` is none: {error}")))?;
    }
    let provider = Arc::new(ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| Fault::Failed(format!("cannot begin TLS: {error}")))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

fn authorities(path: &Path) -> FaultResult<Vec<CertificateDer<'static>>> {
    let failed =
        |why: String| Fault::Invalid(format!("cannot read `ca` {}: {why}", path.display()));
    let found = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| failed(error.to_string()))?;
    match found.is_empty() {
        true => Err(failed("it holds no certificate in PEM".into())),
        false => Ok(found),
    }
}
