//! One HTTP exchange as a state machine that never blocks. Within a state the
//! fields stand in the order in which WASI wants them dropped: children first.

use std::time::Duration;

use http::Uri;
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method,
    OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::poll::Pollable;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::http::{Request, Response};
use crate::{Denial, Error, Result};

/// What is awaited now.
pub struct Exchange {
    state: State,
    started: u64,
}

enum State {
    Sending(Sending),
    Waiting(FutureIncomingResponse),
    Reading(Reading),
    Over,
}

struct Sending {
    stream: OutputStream,
    body: OutgoingBody,
    sent: usize,
    answer: FutureIncomingResponse,
}

struct Reading {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
    so_far: Response,
}

impl Exchange {
    pub fn start(request: &Request, now: u64) -> Result<Self> {
        let outgoing = outgoing(request)?;
        let body = outgoing.body().map_err(|()| broken(request, "no body"))?;
        let answer = outgoing_handler::handle(outgoing, options(request))
            .map_err(|code| refused(request, &code))?;
        let stream = body.write().map_err(|()| broken(request, "no body"))?;
        let state = State::Sending(Sending {
            stream,
            body,
            sent: 0,
            answer,
        });
        Ok(Self {
            state,
            started: now,
        })
    }

    /// Ready when a step can do something.
    pub fn ready(&self) -> Pollable {
        match &self.state {
            State::Sending(sending) => sending.stream.subscribe(),
            State::Waiting(answer) => answer.subscribe(),
            State::Reading(reading) => reading.stream.subscribe(),
            State::Over => monotonic_clock::subscribe_duration(0),
        }
    }

    /// Does what can be done without waiting; the answer when it is complete.
    pub fn step(&mut self, request: &Request) -> Option<Result<Response>> {
        loop {
            let state = std::mem::replace(&mut self.state, State::Over);
            let next = match state {
                State::Sending(sending) => send(sending, request),
                State::Waiting(answer) => self.begin(answer, request),
                State::Reading(reading) => self.read(reading, request),
                State::Over => return Some(Err(broken(request, "it is over"))),
            };
            match next {
                Next::Again(state) => self.state = state,
                Next::Wait(state) => {
                    self.state = state;
                    return None;
                }
                Next::Done(answer) => return Some(answer),
            }
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now().saturating_sub(self.started))
    }

    /// Takes the status and headers, once they are there.
    fn begin(&self, answer: FutureIncomingResponse, request: &Request) -> Next {
        let response = match answer.get() {
            None => return Next::Wait(State::Waiting(answer)),
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(code))) => return Next::Done(Err(refused(request, &code))),
            Some(Err(())) => return Next::Done(Err(broken(request, "it was answered twice"))),
        };
        let so_far = Response {
            status: response.status(),
            headers: headers(&response),
            first_byte: self.elapsed(),
            ..Response::default()
        };
        let opened = response
            .consume()
            .and_then(|body| Ok((body.stream()?, body)));
        match opened {
            Ok((stream, body)) => Next::Again(State::Reading(Reading {
                stream,
                _body: body,
                _response: response,
                so_far,
            })),
            Err(()) => Next::Done(Err(broken(request, "the answer has no body"))),
        }
    }

    /// Takes what has come of the body.
    fn read(&self, mut reading: Reading, request: &Request) -> Next {
        let room = request.max_body - reading.so_far.body.len();
        // One byte more than there is room for tells whether the body goes on.
        let piece = match reading
            .stream
            .read((room as u64).saturating_add(1).min(1 << 16))
        {
            Ok(piece) if piece.is_empty() => return Next::Wait(State::Reading(reading)),
            Ok(piece) => piece,
            Err(StreamError::Closed) => return Next::Done(Ok(self.finish(reading))),
            Err(StreamError::LastOperationFailed(error)) => {
                return Next::Done(Err(broken(request, &error.to_debug_string())));
            }
        };
        reading.so_far.cut = piece.len() > room;
        reading.so_far.body.extend(piece.into_iter().take(room));
        if reading.so_far.cut {
            Next::Done(Ok(self.finish(reading)))
        } else {
            Next::Again(State::Reading(reading))
        }
    }

    fn finish(&self, reading: Reading) -> Response {
        Response {
            total: self.elapsed(),
            ..reading.so_far
        }
    }
}

enum Next {
    Again(State),
    Wait(State),
    Done(Result<Response>),
}

/// Sends what the peer has room for, then ends the body.
fn send(mut sending: Sending, request: &Request) -> Next {
    let rest = &request.body[sending.sent..];
    if rest.is_empty() {
        let Sending {
            stream,
            body,
            answer,
            ..
        } = sending;
        drop(stream);
        // A peer that answers before it has read the body is heard all the same.
        let _ = OutgoingBody::finish(body, None);
        return Next::Again(State::Waiting(answer));
    }
    match sending.stream.check_write() {
        Ok(0) => return Next::Wait(State::Sending(sending)),
        Ok(room) => {
            let piece = &rest[..rest.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
            if sending.stream.write(piece).is_ok() {
                sending.sent += piece.len();
            } else {
                sending.sent = request.body.len();
            }
        }
        Err(_) => sending.sent = request.body.len(),
    }
    Next::Again(State::Sending(sending))
}

fn outgoing(request: &Request) -> Result<OutgoingRequest> {
    let uri: Uri = request.url.parse().map_err(|why| wrong(request, &why))?;
    let fields = Fields::new();
    for (name, value) in &request.headers {
        fields
            .append(name, value.as_bytes())
            .map_err(|why| wrong(request, &format!("the header `{name}`: {why}")))?;
    }
    let scheme = match uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ => return Err(wrong(request, &"the scheme is neither `http` nor `https`")),
    };
    let authority = uri.authority().map(|authority| authority.as_str());
    let path = uri.path_and_query().map(|path| path.as_str());
    let outgoing = OutgoingRequest::new(fields);
    outgoing
        .set_method(&method(&request.method))
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(authority))
        .and_then(|()| outgoing.set_path_with_query(path))
        .map_err(|()| wrong(request, &"a part of it is not allowed"))?;
    Ok(outgoing)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

/// The host keeps the deadline too, so that nothing of ours outlives it there.
fn options(request: &Request) -> Option<RequestOptions> {
    let options = RequestOptions::new();
    let limit = u64::try_from(request.timeout.as_nanos()).ok();
    options.set_connect_timeout(limit).ok()?;
    options.set_first_byte_timeout(limit).ok()?;
    options.set_between_bytes_timeout(limit).ok()?;
    Some(options)
}

fn headers(response: &IncomingResponse) -> Vec<(String, String)> {
    let entries = response.headers().entries().into_iter();
    entries
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect()
}

fn wrong(request: &Request, why: &dyn std::fmt::Display) -> Error {
    Error::Invalid(format!("cannot request `{}`: {why}", request.url))
}

fn broken(request: &Request, why: &str) -> Error {
    Error::Failed(format!(
        "`{} {}` failed: {why}",
        request.method, request.url
    ))
}

/// The host's answer where there was no response.
fn refused(request: &Request, code: &ErrorCode) -> Error {
    let text = format!(
        "`{} {}` failed: {}",
        request.method,
        request.url,
        said(code)
    );
    match code {
        ErrorCode::HttpRequestDenied => Error::Denied(denial(request)),
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::DnsTimeout
        | ErrorCode::HttpResponseTimeout => Error::TimedOut(text),
        _ => Error::Failed(text),
    }
}

/// `wasi:http` has no room for the remedy, so it is said here. A dry run is refused
/// in the same way.
fn denial(request: &Request) -> Denial {
    let parts = request.url.splitn(4, '/').take(3).collect::<Vec<_>>();
    let origin = parts.join("/");
    let hint = match request.method.as_str() {
        "GET" | "HEAD" => "",
        _ => "; a dry run sends GET and HEAD alone",
    };
    Denial {
        capability: "network".to_owned(),
        target: origin.clone(),
        verb: request.method.clone(),
        remedy: format!("add `{origin}` to the task's `grants.net`{hint}"),
    }
}

fn said(code: &ErrorCode) -> String {
    match code {
        ErrorCode::DnsError(_) => "the name could not be resolved".to_owned(),
        ErrorCode::ConnectionRefused => "the connection was refused".to_owned(),
        ErrorCode::ConnectionTerminated => "the peer closed the connection".to_owned(),
        ErrorCode::TlsCertificateError => "the certificate is not trusted".to_owned(),
        ErrorCode::TlsProtocolError => "the TLS handshake failed".to_owned(),
        ErrorCode::InternalError(Some(why)) => why.clone(),
        other => format!("{other:?}"),
    }
}
