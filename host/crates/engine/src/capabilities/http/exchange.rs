//! One request and its response on a connection of their own.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use ::http::uri::PathAndQuery;
use ::http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use mhost_model::grant::Scheme;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, WasiBody};

use super::body::{Received, Sent};
use super::{Answer, Rest, Waits, led_astray};
use crate::network::{DialError, Dialed, Family, Network, Stream, dial};
use crate::permits::{OriginUse, Permit};
use crate::state::Shared;

type Connection = http1::Connection<TokioIo<Box<dyn Stream>>, Sent>;

/// Connects to the permitted origin, sends, and waits for the response's head.
pub(super) async fn send(
    shared: Arc<Shared>,
    permit: Permit<OriginUse>,
    request: Request<WasiBody>,
    waits: Waits,
) -> Answer {
    let until = waits.until(waits.connect);
    let stream = connect(&shared, &permit, until).await?;
    let (sender, connection) = timeout_at(until.into(), http1::handshake(TokioIo::new(stream)))
        .await
        .map_err(|_| Error::ConnectionTimeout)??;
    let verb = request.method().to_string();
    let request = to_the_origin(request)?.map(|body| Sent::new(body, Arc::clone(&shared)));
    let mut connection = Some(connection);
    let until = waits.until(waits.first_byte);
    let response = timeout_at(until.into(), respond(sender, request, &mut connection))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)??;
    tracing::debug!(%verb, origin = %permit.origin, status = %response.status(), "answered");
    let response = response.map(|body| Received::new(body, waits, shared).boxed_unsync());
    Ok((response, rest(connection)))
}

async fn connect(
    shared: &Shared,
    permit: &Permit<OriginUse>,
    until: Instant,
) -> Result<Box<dyn Stream>, Error> {
    let origin = &permit.origin;
    let dialed = permit.reaching(shared, dial(&shared.network, origin, Family::Any, until));
    let dialed = dialed.await;
    let Dialed { stream, .. } = dialed.map_err(|error| {
        if let DialError::Forbidden { .. } = error {
            led_astray(shared, origin, permit.verb_word(), &error.to_string());
        }
        undialed(error)
    })?;
    // Small requests are not held back for more to come.
    let _ = stream.set_nodelay(true);
    if origin.scheme != Scheme::Https {
        return Ok(Box::new(stream));
    }
    let secured = secure(&shared.network, &origin.host, stream);
    match timeout_at(until.into(), secured).await {
        Ok(stream) => stream,
        Err(_) => Err(Error::ConnectionTimeout),
    }
}

/// The certificate is checked for the host as it was granted.
async fn secure(
    network: &Network,
    host: &str,
    stream: tokio::net::TcpStream,
) -> Result<Box<dyn Stream>, Error> {
    let config = network.trust().verifying();
    let config = config.map_err(|error| Error::InternalError(Some(error.to_string())))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Error::HttpRequestUriInvalid)?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(untrusted(&error)),
    }
}

/// A certificate that is not trusted is told apart from everything else that a
/// handshake fails of.
fn untrusted(error: &std::io::Error) -> Error {
    use tokio_rustls::rustls::Error as Tls;
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Tls>());
    tracing::debug!(%error, "the handshake failed");
    match inner {
        Some(Tls::InvalidCertificate(_) | Tls::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(Tls::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        },
        _ => Error::TlsProtocolError,
    }
}

fn undialed(error: DialError) -> Error {
    match error {
        DialError::Resolve(why) => Error::DnsError {
            rcode: Some(why),
            info_code: None,
        },
        DialError::Forbidden { .. } => Error::DestinationIpProhibited,
        DialError::TimedOut(_) => Error::ConnectionTimeout,
        DialError::Connect(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
            std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => {
                Error::DestinationUnavailable
            }
            _ => Error::ConnectionTerminated,
        },
    }
}

/// The request line names the path alone, as to a server that is no proxy.
fn to_the_origin(mut request: Request<WasiBody>) -> Result<Request<WasiBody>, Error> {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", PathAndQuery::as_str);
    *request.uri_mut() = match path.strip_prefix('?') {
        Some(query) => format!("/?{query}").parse::<Uri>(),
        None => path.parse(),
    }
    .map_err(|_| Error::HttpRequestUriInvalid)?;
    Ok(request)
}

/// Drives the connection until the response's head is there. A connection that ended
/// is taken out.
async fn respond(
    mut sender: http1::SendRequest<Sent>,
    request: Request<Sent>,
    connection: &mut Option<Connection>,
) -> Result<Response<Incoming>, Error> {
    let mut response = pin!(sender.send_request(request));
    let Some(driver) = connection.as_mut() else {
        return Ok(response.await?);
    };
    let ended = tokio::select! {
        biased;
        response = &mut response => return Ok(response?),
        ended = std::pin::Pin::new(driver) => ended,
    };
    *connection = None;
    // The head may have come before what ended the connection, such as a body that
    // a HEAD should not have.
    match (response.await, ended) {
        (Err(_), Err(error)) => Err(error.into()),
        (response, _) => Ok(response?),
    }
}

fn rest(connection: Option<Connection>) -> Rest {
    Box::new(async move {
        match connection {
            Some(connection) => Ok(connection.await?),
            None => Ok(()),
        }
    })
}
