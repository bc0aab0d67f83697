//! What a handshake shows of the certificates, trusted or not.

use std::sync::{Arc, Mutex, PoisonError};

use mhost_model::{Fault, FaultResult};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
    SupportedProtocolVersion,
};

use super::certificate;
use super::contract::TlsFacts;
use crate::network::Trust;

/// How to shake hands so that `recorder` hears of the certificates.
pub(super) fn config(
    trust: &Trust,
    recorder: Arc<Recorder>,
    tls13_only: bool,
) -> FaultResult<ClientConfig> {
    let versions: &[&SupportedProtocolVersion] = match tls13_only {
        true => &[&TLS13],
        false => &[&TLS13, &TLS12],
    };
    let config = ClientConfig::builder_with_provider(Arc::clone(trust.provider()))
        .with_protocol_versions(versions)
        .map_err(|error| Fault::Failed(format!("cannot prepare TLS: {error}")))?;
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(recorder)
        .with_no_client_auth())
}

/// What is known after the handshake.
pub(super) fn facts(connection: &ClientConnection, recorder: &Recorder) -> TlsFacts {
    TlsFacts {
        version: version(connection),
        cipher: cipher(connection),
        chain: chain(connection),
        distrust: recorder.distrust(),
    }
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
pub(super) struct Recorder {
    verifier: Result<Arc<WebPkiServerVerifier>, String>,
    provider: Arc<CryptoProvider>,
    distrust: Mutex<Option<String>>,
}

impl Recorder {
    pub(super) fn new(trust: &Trust) -> Self {
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
