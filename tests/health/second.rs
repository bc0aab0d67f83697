//! Servers of HTTP/2, over TLS and without it.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What the body of each answer is.
#[derive(Clone, Copy)]
pub enum Answer {
    /// `1`, and its end.
    Whole,
    /// As fast as it goes, for ever.
    Floods,
    /// One byte, and then nothing for ever.
    Stalls,
}

struct Said {
    answer: Answer,
    begun: bool,
}

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let begun = std::mem::replace(&mut self.begun, true);
        let said =
            |text: &'static [u8]| Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text)))));
        match (self.answer, begun) {
            (Answer::Floods, _) => said(&[b'x'; 16 << 10]),
            (_, false) => said(b"1"),
            (Answer::Whole, true) => Poll::Ready(None),
            (Answer::Stalls, true) => Poll::Pending,
        }
    }
}

/// Serves HTTP/2 from the first byte on, without TLS; its port.
pub fn clear(answer: Answer) -> u16 {
    start(None, answer)
}

/// Serves over TLS whichever of these protocols is chosen, by their names in ALPN.
pub fn secure(mut config: ServerConfig, protocols: &[&str], answer: Answer) -> u16 {
    let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
    config.alpn_protocols = protocols.collect();
    start(Some(TlsAcceptor::from(Arc::new(config))), answer)
}

fn start(tls: Option<TlsAcceptor>, answer: Answer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(welcome(stream, tls.clone(), answer));
            }
        });
    });
    port
}

/// A client that is not pleased hangs up, which ends it.
async fn welcome(stream: tokio::net::TcpStream, tls: Option<TlsAcceptor>, answer: Answer) {
    let Some(tls) = tls else {
        return second(stream, answer).await;
    };
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => second(stream, answer).await,
        _ => {
            let service = service_fn(move |request| answered(request, answer));
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let _ = served.await;
        }
    }
}

async fn second(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, answer: Answer) {
    let service = service_fn(move |request| answered(request, answer));
    let served = http2::Builder::new(TokioExecutor::new());
    let _ = served.serve_connection(TokioIo::new(stream), service).await;
}

/// 200 for whoever names the host once, where it belongs.
async fn answered(
    request: Request<Incoming>,
    answer: Answer,
) -> Result<Response<Said>, Infallible> {
    let named = request.uri().authority().is_some() != request.headers().contains_key("host");
    let mut response = Response::new(Said {
        answer,
        begun: false,
    });
    if !named {
        *response.status_mut() = hyper::StatusCode::BAD_REQUEST;
    }
    Ok(response)
}
