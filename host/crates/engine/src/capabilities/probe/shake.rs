//! TLS as a probe asks for it: the chain is always reported, and it decides about going
//! on where that was asked for.

use std::sync::Arc;
use std::time::Instant;

use mhost_model::grant::{Origin, Scheme};
use mhost_model::{Fault, FaultResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, Error as Tls};

use super::clockwork::Clockwork;
use super::contract::{TlsAsk, TlsFacts, TlsFound, TlsOptions};
use super::question::permit;
use super::reach;
use super::tls::{self, Recorder};
use crate::network::{Family, Trust};
use crate::state::Shared;

pub(super) async fn probe(
    shared: &Shared,
    asked: TlsAsk,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<TlsFound> {
    let peer = (asked.host.as_str(), asked.port);
    let (origin, permit) = permit(shared, Scheme::Tls, peer, "handshake", false)?;
    server_name(&origin, &asked.options)?;
    let (stream, address) = reach(shared, &permit, family, clock).await?;
    let (_, tls) = shake(shared, &origin, stream, &asked.options, Vec::new(), clock).await?;
    Ok(TlsFound {
        address: address.to_string(),
        tls,
        phases: clock.phases(),
    })
}

/// Whom the certificate must be for. To be asked before anything is dialed, too: a name
/// that is none is the configuration's mistake, not the peer's.
pub(super) fn server_name(
    origin: &Origin,
    options: &TlsOptions,
) -> FaultResult<ServerName<'static>> {
    let name = options.server_name.as_ref().unwrap_or(&origin.host);
    ServerName::try_from(name.clone())
        .map_err(|_| Fault::Invalid(format!("`{name}` is no server name")))
}

/// Shakes hands over a connection to `origin`, and offers to speak these protocols
/// (ALPN), the best first.
pub(super) async fn shake<S: AsyncRead + AsyncWrite + Unpin + Send>(
    shared: &Shared,
    origin: &Origin,
    stream: S,
    options: &TlsOptions,
    protocols: Vec<Vec<u8>>,
    clock: &mut Clockwork,
) -> FaultResult<(TlsStream<S>, TlsFacts)> {
    let trust = match &options.authorities {
        Some(pem) => &Trust::of_pem(pem).map_err(Fault::Invalid)?,
        None => shared.network.trust(),
    };
    let name = server_name(origin, options)?;
    let recorder = Arc::new(Recorder::new(trust));
    let mut config = tls::config(trust, Arc::clone(&recorder), options.tls13_only)?;
    config.alpn_protocols = protocols;
    let connector = TlsConnector::from(Arc::new(config));
    let begun = Instant::now();
    let about = origin.to_string();
    let secured = clock
        .step(&about, "shaking hands", connector.connect(name, stream))
        .await?;
    let secured = secured.map_err(|error| {
        Fault::Failed(format!(
            "{origin}: the TLS handshake failed: {}",
            why(&error)
        ))
    })?;
    clock.shaken(begun);
    let facts = tls::facts(secured.get_ref().1, &recorder);
    match &facts.distrust {
        Some(why) if options.trusted => {
            let fault = Fault::Failed(distrusted(origin, &facts, why));
            clock.refuse(facts);
            Err(fault)
        }
        _ => Ok((secured, facts)),
    }
}

fn distrusted(origin: &Origin, facts: &TlsFacts, why: &str) -> String {
    let whose = facts.chain.first().map(|own| own.subject.as_str());
    format!(
        "{origin}: its certificate ({}) is not trusted: {why}",
        whose.unwrap_or("none")
    )
}

/// What a failed handshake means, where the library's words say it to programmers.
pub(super) fn why(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(Tls::PeerIncompatible(_) | Tls::AlertReceived(AlertDescription::ProtocolVersion)) => {
            "the peer offers no version of TLS that is accepted here, 1.2 or newer".to_owned()
        }
        Some(Tls::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            "the peer speaks none of the versions of HTTP that were offered".to_owned()
        }
        Some(Tls::InvalidMessage(_)) => format!("the peer does not speak TLS ({error})"),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the peer closed the connection".to_owned()
        }
        _ => error.to_string(),
    }
}
