//! An HTTP exchange as a probe sees it: where it led, what was answered, how long
//! each phase took. Each hop of a redirect needs its own grant.

mod hop;
mod version;

use std::time::Instant;

use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use mhost_model::grant::Scheme;
use mhost_model::{Fault, FaultResult};
use wasmtime_wasi_http::io::TokioIo;

use super::clockwork::Clockwork;
use super::contract::{HttpAsk, HttpFound, TlsFacts};
use super::shake::shake;
use super::{MOST_KEPT, reach};
use crate::network::{Family, Stream};
use crate::state::Shared;
use hop::Hop;
use version::{Helpers, Version};

/// The most that one request may carry, bytes.
const MOST_SENT: usize = 1 << 20;

pub(super) async fn probe(
    shared: &Shared,
    asked: HttpAsk,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<HttpFound> {
    let mut hop = Hop::first(&asked)?;
    if hop.body.len() > MOST_SENT || asked.keep as usize > MOST_KEPT {
        return Err(Fault::Invalid(
            "a probe sends at most 1 MiB and keeps at most 1 MiB".to_owned(),
        ));
    }
    for redirects in 0..=asked.redirects {
        let found = exchange(shared, &asked, &hop, family, clock).await?;
        let onward = match asked.redirects {
            0 => None,
            _ => hop.onward(&found)?,
        };
        match onward {
            None => {
                return Ok(HttpFound {
                    url: hop.url.to_string(),
                    redirects,
                    ..found
                });
            }
            Some(next) => hop = next,
        }
    }
    Err(Fault::Failed(format!(
        "{}: it redirects more than {} times, now to {}",
        asked.url, asked.redirects, hop.url
    )))
}

/// One request and its answer on a connection of their own.
async fn exchange(
    shared: &Shared,
    asked: &HttpAsk,
    hop: &Hop,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<HttpFound> {
    let origin = hop.origin()?;
    let changes = !matches!(hop.method.as_str(), "GET" | "HEAD");
    let permit = shared
        .granter
        .origin(&origin, &hop.method, changes, hop.url.as_str())?;
    let (stream, address) = reach(shared, &permit, family, clock).await?;
    let _ = stream.set_nodelay(true);
    let offered = version::offered(asked.speak);
    let (stream, tls, version): (Box<dyn Stream>, Option<TlsFacts>, Version) = match origin.scheme {
        Scheme::Https => {
            let (stream, facts) =
                shake(shared, &origin, stream, &asked.tls, offered, clock).await?;
            let chosen = stream.get_ref().1.alpn_protocol();
            let version = version::chosen(&origin, asked.speak, chosen)?;
            (Box::new(stream), Some(facts), version)
        }
        _ => (Box::new(stream), None, version::in_the_clear(asked.speak)),
    };
    shared.budget.take_unplaced(hop.body.len() as u64)?;
    let about = format!("{} {}", hop.method, hop.url);
    let request = hop.request(version)?;
    let found = match version {
        Version::One => over_1(request, stream, asked, &about, clock).await?,
        Version::Two => over_2(request, stream, asked, &about, clock).await?,
    };
    shared.meter.read(found.size);
    Ok(HttpFound {
        address: address.to_string(),
        tls,
        ..found
    })
}

/// The request over HTTP/1.1.
async fn over_1(
    request: http::Request<Full<Bytes>>,
    stream: Box<dyn Stream>,
    asked: &HttpAsk,
    about: &str,
    clock: &mut Clockwork,
) -> FaultResult<HttpFound> {
    let begun = Instant::now();
    let opened = http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = clock
        .step(about, "connecting", opened)
        .await?
        .map_err(|error| broken(about, &error))?;
    let sent = sender.send_request(request);
    converse(sent, connection, begun, asked, about, clock).await
}

/// The request over HTTP/2.
async fn over_2(
    request: http::Request<Full<Bytes>>,
    stream: Box<dyn Stream>,
    asked: &HttpAsk,
    about: &str,
    clock: &mut Clockwork,
) -> FaultResult<HttpFound> {
    let begun = Instant::now();
    // What the connection leaves running ends with this function.
    let helpers = Helpers::default();
    let opened = helpers.open(stream);
    let (mut sender, connection) = clock
        .step(about, "connecting", opened)
        .await?
        .map_err(|error| broken(about, &error))?;
    let sent = sender.send_request(request);
    converse(sent, connection, begun, asked, about, clock).await
}

fn broken(about: &str, error: &hyper::Error) -> Fault {
    Fault::Failed(format!("{about}: {}", said(error)))
}

/// Waits for the answer and hears it, while the connection is driven beside it.
async fn converse(
    sent: impl Future<Output = hyper::Result<Response<Incoming>>>,
    mut connection: impl Future + Unpin,
    begun: Instant,
    asked: &HttpAsk,
    about: &str,
    clock: &mut Clockwork,
) -> FaultResult<HttpFound> {
    let heard = {
        let hearing = async {
            let answered = clock.step(about, "waiting for the answer", sent).await?;
            let response = answered.map_err(|error| broken(about, &error))?;
            clock.first_byte(begun);
            let begun = Instant::now();
            let found = hear(response, asked, about, clock).await;
            clock.transferred(begun);
            found
        };
        let mut hearing = std::pin::pin!(hearing);
        let heard = tokio::select! {
            biased;
            found = &mut hearing => Some(found),
            // What ended the connection is said where it is heard.
            _ = std::pin::Pin::new(&mut connection) => None,
        };
        match heard {
            Some(found) => found,
            None => hearing.await,
        }
    };
    let mut found = heard?;
    found.phases = clock.phases();
    Ok(found)
}

/// Takes the head, and of the body what was asked for.
async fn hear(
    response: Response<Incoming>,
    asked: &HttpAsk,
    about: &str,
    clock: &Clockwork,
) -> FaultResult<HttpFound> {
    let (head, mut body) = response.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.to_string(), value.into_owned())
    });
    let mut found = HttpFound {
        status: head.status.as_u16(),
        version: format!("{:?}", head.version),
        headers: headers.collect(),
        body: Vec::new(),
        size: 0,
        cut: false,
        url: String::new(),
        redirects: 0,
        address: String::new(),
        tls: None,
        phases: clock.phases(),
    };
    loop {
        let frame = clock
            .step(about, "reading the answer", body.frame())
            .await?;
        let Some(frame) = frame else {
            return Ok(found);
        };
        let frame = frame.map_err(|error| broken(about, &error))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = (asked.keep as usize).saturating_sub(found.body.len());
        found.body.extend_from_slice(&data[..data.len().min(room)]);
        found.size += data.len() as u64;
        if found.size > asked.read {
            found.cut = true;
            return Ok(found);
        }
    }
}

/// What went wrong, with the reason behind it.
fn said(error: &hyper::Error) -> String {
    use std::error::Error;
    if error.is_incomplete_message() {
        return "the peer closed the connection before its answer was complete".to_owned();
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None if error.is_parse() => format!("the peer does not speak HTTP ({error})"),
        None => error.to_string(),
    }
}
