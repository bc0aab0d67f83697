//! The demo's own web server, on loopback and a free port.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::exit::{Outcomes, Problem};

/// Serves until the process ends.
pub async fn serve() -> Outcomes<SocketAddr> {
    let failed =
        |error: std::io::Error| Problem::failed(format!("cannot serve the demo's site: {error}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let router = Router::new()
        .route("/", get(|| async { "<h1>The demo's site</h1>\n" }))
        .route("/health", get(|| async { "{\"status\":\"ok\"}\n" }));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the demo's web server has ended");
        }
    });
    Ok(address)
}
