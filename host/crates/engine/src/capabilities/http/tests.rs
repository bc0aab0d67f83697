//! Requests without a guest, to peers on the loopback.

mod addresses;
mod grants;
mod time;
mod transport;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Hooks;
use crate::state::Shared;

/// An answer of two bytes.
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

fn request(method: &str, uri: &str, body: &[u8]) -> Request<WasiBody> {
    let body = Full::new(Bytes::copy_from_slice(body));
    Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "as-wasi-sets-it")
        .body(body.map_err(|never| match never {}).boxed_unsync())
        .unwrap()
}

/// Sends, and keeps the connection going beside.
async fn send(
    shared: &Arc<Shared>,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Response<WasiBody>, Error> {
    let mut hooks = Hooks::new(Arc::clone(shared));
    let done = Box::new(std::future::ready(Ok(())));
    let (response, rest) = Pin::from(hooks.send_request(request, options, done)).await?;
    tokio::spawn(Pin::from(rest));
    Ok(response)
}

async fn get(shared: &Arc<Shared>, uri: &str) -> Result<Response<WasiBody>, Error> {
    send(shared, request("GET", uri, b""), None).await
}

async fn text(response: Response<WasiBody>) -> Result<String, Error> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

fn waiting(millis: u64) -> Option<RequestOptions> {
    let wait = Some(Duration::from_millis(millis));
    Some(RequestOptions {
        connect_timeout: wait,
        first_byte_timeout: wait,
        between_bytes_timeout: wait,
    })
}

/// The error's name, for tables.
fn name<T>(answer: &Result<T, Error>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(error) => {
            let text = format!("{error:?}");
            let end = text
                .find(|c: char| !c.is_alphanumeric())
                .unwrap_or(text.len());
            text[..end].to_owned()
        }
    }
}
