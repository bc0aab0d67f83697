//! Shaking hands and looking at the certificates, trusted or not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mhost_model::grant::Origin;
use mhost_model::{Fault, FaultResult};
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
};

use super::{TlsAnswer, certificate, nanos, reach, timings};
use crate::network::{Dialed, Trust};
use crate::state::Shared;

pub(super) async fn probe(
    shared: &Shared,
    origin: &Origin,
    server_name: Option<String>,
    until: Instant,
) -> FaultResult<TlsAnswer> {
    let permit = shared
        .granter
        .origin(origin, "handshake", false, &origin.to_string())?;
    let name = server_name.unwrap_or_else(|| origin.host.clone());
    let name = ServerName::try_from(name.clone())
        .map_err(|_| Fault::Invalid(format!("`{name}` is no server name")))?;
    let recorder = Arc::new(Recorder::new(shared.network.trust()));
    let config = config(shared.network.trust(), Arc::clone(&recorder))?;
    let Dialed {
        stream,
        address,
        resolve,
        connect,
    } = reach(shared, &permit, until).await?;
    let begun = Instant::now();
    let connector = TlsConnector::from(Arc::new(config));
    let secured = match timeout_at(until.into(), connector.connect(name, stream)).await {
        Ok(secured) => secured,
        Err(_) => {
            let text = format!("{origin}: the time was up while shaking hands");
            return Err(Fault::TimedOut(text));
        }
    };
    let secured = secured
        .map_err(|error| Fault::Failed(format!("{origin}: the handshake failed: {error}")))?;
    let mut timings = timings(resolve, connect);
    timings.handshake = nanos(begun.elapsed());
    let connection = secured.get_ref().1;
    Ok(TlsAnswer {
        address: address.to_string(),
        version: version(connection),
        cipher: cipher(connection),
        chain: chain(connection),
        distrust: recorder.distrust(),
        timings,
    })
}

fn config(trust: &Trust, recorder: Arc<Recorder>) -> FaultResult<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::clone(trust.provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Failed(format!("cannot prepare TLS: {error}")))?;
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(recorder)
        .with_no_client_auth())
}

fn version(connection: &ClientConnection) -> String {
    match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

fn cipher(connection: &ClientConnection) -> String {
    let suite = connection.negotiated_cipher_suite();
    let name = suite.and_then(|suite| suite.suite().as_str());
    name.unwrap_or_default().to_owned()
}

fn chain(connection: &ClientConnection) -> Vec<super::contract::Certificate> {
    let certificates = connection.peer_certificates().unwrap_or_default();
    certificates
        .iter()
        .map(|der| certificate::read(der))
        .collect()
}

/// Lets every certificate pass, and remembers what a verifier says of it. What the
/// peer signs must still fit its certificate: no answer is handed out that it did not prove.
#[derive(Debug)]
struct Recorder {
    verifier: Result<Arc<WebPkiServerVerifier>, String>,
    provider: Arc<CryptoProvider>,
    distrust: Mutex<Option<String>>,
}

impl Recorder {
    fn new(trust: &Trust) -> Self {
        Self {
            verifier: trust.verifier(),
            provider: Arc::clone(trust.provider()),
            distrust: Mutex::default(),
        }
    }

    fn distrust(&self) -> Option<String> {
        let distrust = self.distrust.lock();
        distrust.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let why = match &self.verifier {
            Ok(verifier) => verifier
                .verify_server_cert(certificate, intermediates, name, ocsp, now)
                .err()
                .map(|error| error.to_string()),
            Err(why) => Some(why.clone()),
        };
        *self.distrust.lock().unwrap_or_else(PoisonError::into_inner) = why;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
