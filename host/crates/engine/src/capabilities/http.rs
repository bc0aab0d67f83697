//! `wasi:http/outgoing-handler`: requests to granted origins, over HTTP/1.1.
//!
//! Every request is checked, so a redirect is too: the guest follows it by a request
//! of its own. In a dry run only GET and HEAD go out. What a run may wait for ends
//! with the run: there is no timeout beyond its deadline.

mod body;
mod exchange;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::{Method, Request, Response};
use mhost_model::grant::Origin;
use mhost_model::{Denial, Fault};
use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::permits::{OriginUse, Permit};
use crate::state::{RunState, Shared};

/// What a request waits for where its options say nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The rest of a connection's life, polled for as long as its response is used.
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(Response<WasiBody>, Rest), Error>;

/// Sends a run's requests.
pub struct Hooks {
    shared: Arc<Shared>,
}

impl Hooks {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let shared = Arc::clone(&self.shared);
        let waits = Waits::new(options, shared.deadline);
        match permit(&shared, &request) {
            Ok(permit) => Box::new(exchange::send(shared, permit, request, waits)),
            Err(error) => Box::new(std::future::ready(Err(error))),
        }
    }
}

/// `wasi:http` beside the rest of WASI.
pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

/// How long a request waits for each of its steps; each is cut at the run's deadline.
#[derive(Debug, Clone, Copy)]
struct Waits {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
    deadline: Instant,
}

impl Waits {
    fn new(options: Option<RequestOptions>, deadline: Instant) -> Self {
        let options = options.unwrap_or_default();
        Self {
            connect: options.connect_timeout.unwrap_or(PATIENCE),
            first_byte: options.first_byte_timeout.unwrap_or(PATIENCE),
            between_bytes: options.between_bytes_timeout.unwrap_or(PATIENCE),
            deadline,
        }
    }

    fn until(&self, wait: Duration) -> Instant {
        let until = Instant::now().checked_add(wait);
        until.map_or(self.deadline, |until| until.min(self.deadline))
    }
}

/// The proof that this request may go out.
fn permit(shared: &Shared, request: &Request<WasiBody>) -> Result<Permit<OriginUse>, Error> {
    let method = request.method();
    // A tunnel would lead to where no grant was asked for.
    if *method == Method::CONNECT {
        return Err(Error::HttpRequestMethodInvalid);
    }
    let origin = origin(request).ok_or(Error::HttpRequestUriInvalid)?;
    let changes = *method != Method::GET && *method != Method::HEAD;
    let about = request.uri().to_string();
    let permit = shared
        .granter
        .origin(&origin, method.as_str(), changes, &about);
    permit.map_err(|fault| match fault {
        Fault::Denied(_) | Fault::DryRun(_) => Error::HttpRequestDenied,
        fault => Error::InternalError(Some(shared.masked(fault).to_string())),
    })
}

/// What the request goes to. The grant's own parser reads it, so an authority with a
/// user, or with characters that no host has, is none.
fn origin(request: &Request<WasiBody>) -> Option<Origin> {
    let uri = request.uri();
    let authority = uri.authority()?.as_str();
    format!("{}://{authority}", uri.scheme_str()?).parse().ok()
}

/// Puts on the receipt that a granted name led where no name may.
fn led_astray(shared: &Shared, origin: &Origin, verb: &str, why: &str) {
    shared.meter.denied(Denial {
        capability: "network".to_owned(),
        target: origin.to_string(),
        verb: verb.to_owned(),
        remedy: why.to_owned(),
    });
}
