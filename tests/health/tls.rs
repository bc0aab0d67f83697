//! TLS servers with certificates that are right and wrong.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, Stream};

use super::servers::http;

/// An authority of the test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        let name = &mut parameters.distinguished_name;
        name.push(DnType::CommonName, "the test's authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    pub fn pem(&self) -> String {
        let text = STANDARD.encode(self.0.der());
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        let lines = lines.join("\n");
        format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
    }

    /// How a server shows a good certificate for a name.
    pub fn config(&self, name: &str) -> ServerConfig {
        let mut parameters = parameters(name);
        parameters.not_after = rcgen::date_time_ymd(2099, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        config(certificate.der().to_vec(), key.serialize_der())
    }

    /// Serves HTTPS with a certificate for a name, valid until a year; its port.
    pub fn serve(&self, name: &str, year: i32) -> u16 {
        let mut parameters = parameters(name);
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        serve(certificate.der().to_vec(), key.serialize_der())
    }
}

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    let subject = &mut parameters.distinguished_name;
    subject.push(DnType::CommonName, name);
    parameters
}

/// Serves HTTPS with a certificate that vouches for itself.
pub fn self_signed(name: &str) -> u16 {
    let key = KeyPair::generate().unwrap();
    let mut parameters = parameters(name);
    parameters.not_after = rcgen::date_time_ymd(2099, 1, 1);
    let certificate = parameters.self_signed(&key).unwrap();
    serve(certificate.der().to_vec(), key.serialize_der())
}

fn config(certificate: Vec<u8>, key: Vec<u8>) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.into()],
            PrivatePkcs8KeyDer::from(key).into(),
        )
        .unwrap()
}

fn serve(certificate: Vec<u8>, key: Vec<u8>) -> u16 {
    let config = Arc::new(config(certificate, key));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            thread::spawn(move || {
                let mut stream = Stream::new(&mut connection, &mut socket);
                // A client that does not trust us hangs up.
                let mut byte = [0; 1024];
                if std::io::Read::read(&mut stream, &mut byte).is_ok() {
                    let _ = stream.write_all(&http("200 OK", "", "secure"));
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            });
        }
    });
    port
}

/// What a server says that speaks TLS 1.0 alone: the alert `protocol_version`.
pub fn old() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut hello = [0; 5];
            let _ = std::io::Read::read_exact(&mut socket, &mut hello);
            let _ = socket.write_all(&[0x15, 3, 1, 0, 2, 2, 70]);
            // What is left unread would tear the alert down.
            let mut rest = [0; 4096];
            let _ = std::io::Read::read(&mut socket, &mut rest);
        }
    });
    port
}
