//! Which HTTP is spoken, and what HTTP/2 runs beside a connection.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use mhost_model::grant::Origin;
use mhost_model::{Fault, FaultResult};
use tokio::task::JoinSet;
use wasmtime_wasi_http::io::TokioIo;

use super::super::contract::HttpVersion;
use crate::network::Stream;

/// The one that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
}

/// What is offered over TLS, by the names of ALPN.
pub(super) fn offered(speak: HttpVersion) -> Vec<Vec<u8>> {
    let (one, two) = (b"http/1.1".to_vec(), b"h2".to_vec());
    match speak {
        HttpVersion::Any => vec![two, one],
        HttpVersion::Http1 => vec![one],
        HttpVersion::Http2 => vec![two],
    }
}

/// What follows from the peer's choice. One that knows nothing of ALPN speaks 1.1.
pub(super) fn chosen(
    origin: &Origin,
    speak: HttpVersion,
    protocol: Option<&[u8]>,
) -> FaultResult<Version> {
    match (protocol, speak) {
        (Some(b"h2"), _) => Ok(Version::Two),
        (_, HttpVersion::Http2) => Err(Fault::Failed(format!(
            "{origin}: the peer does not offer HTTP/2"
        ))),
        _ => Ok(Version::One),
    }
}

/// Without TLS nobody chooses.
pub(super) fn in_the_clear(speak: HttpVersion) -> Version {
    match speak {
        HttpVersion::Http2 => Version::Two,
        HttpVersion::Any | HttpVersion::Http1 => Version::One,
    }
}

/// The tasks that a connection of HTTP/2 starts. They end when this is dropped, whatever
/// the peer does: left to themselves they would say goodbye to a peer that does not listen.
#[derive(Default)]
pub(super) struct Helpers(Executor);

/// What asks over a connection, and what drives it.
type Opened = (http2::SendRequest<Full<Bytes>>, BoxFuture<'static, ()>);

impl Helpers {
    /// Begins to speak HTTP/2.
    pub(super) fn open(
        &self,
        stream: Box<dyn Stream>,
    ) -> BoxFuture<'static, hyper::Result<Opened>> {
        let executor = self.0.clone();
        async move {
            let opened = http2::handshake(executor, TokioIo::new(stream)).await;
            let (sender, connection) = opened?;
            // What ends it is told to who waits for the answer.
            let driven = connection.map(drop).boxed();
            Ok((sender, driven))
        }
        .boxed()
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        let mut tasks = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }
}

/// Starts them.
#[derive(Clone, Default)]
struct Executor(Arc<Mutex<JoinSet<()>>>);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
{
    fn execute(&self, future: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(async move {
            future.await;
        });
    }
}
