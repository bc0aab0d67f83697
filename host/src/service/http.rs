//! The calls over TCP, for other programs and machines: only with a bearer token,
//! and `/healthz` without one. The queues that receive items have tokens of their own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use mhost_model::grant::SecretSource;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::receive;
use super::socket::router;
use crate::app::App;
use crate::execute::read_secret;
use crate::exit::{Outcomes, Problem};

/// A shorter token could be guessed.
pub(super) const MIN_TOKEN: usize = 16;

/// Where to listen, and the file that holds the token.
pub struct Listen {
    pub address: SocketAddr,
    pub token_file: PathBuf,
}

/// Listens until the process ends.
pub async fn listen(app: Arc<App>, listen: Listen) -> Outcomes<()> {
    let token = read_secret(&SecretSource::File(listen.token_file.clone()))?;
    if token.len() < MIN_TOKEN {
        return Err(Problem::usage(format!(
            "the token in {} is shorter than {MIN_TOKEN} characters",
            listen.token_file.display()
        ))
        .hint("make one with: openssl rand -hex 32"));
    }
    let listener = TcpListener::bind(listen.address).await.map_err(|error| {
        Problem::failed(format!("cannot listen on {}: {error}", listen.address))
    })?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening");
    let expected = Arc::new(fingerprint(&token));
    let calls = router(Arc::clone(&app)).layer(from_fn_with_state(expected, authorise));
    // What there is not is answered by the calls, which ask for their token first.
    let router = receive::router(app).merge(calls);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the HTTP service has ended");
        }
    });
    Ok(())
}

/// Compared instead of the token, so that the time says nothing about it.
pub(super) fn fingerprint(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

async fn authorise(
    State(expected): State<Arc<[u8; 32]>>,
    request: Request,
    next: Next,
) -> Response {
    let open = request.uri().path() == "/healthz";
    let token = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if open || token.is_some_and(|token| fingerprint(token) == *expected) {
        return next.run(request).await;
    }
    let problem = Problem::refused("the token is missing or wrong")
        .hint("send the header `authorization: Bearer TOKEN`");
    (StatusCode::UNAUTHORIZED, axum::Json(problem)).into_response()
}
