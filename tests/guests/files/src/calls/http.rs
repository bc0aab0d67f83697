//! One request by `wasi:http`. The answer is the status, the `location` and the body.

use serde_json::{Value, json};
use wasip2::http::outgoing_handler::{ErrorCode, OutgoingRequest, handle};
use wasip2::http::types::{Fields, IncomingResponse, Method, Scheme};
use wasip2::io::streams::StreamError;

use super::{Answer, text};

pub fn run(call: &Value) -> Answer {
    let response = send(call).map_err(|error| (name(&error), format!("{error:?}")))?;
    let location = response
        .headers()
        .get("location")
        .into_iter()
        .next()
        .unwrap_or_default();
    let body = read(&response).map_err(|error| ("stream".to_owned(), error))?;
    Ok(json!([
        response.status(),
        String::from_utf8_lossy(&location),
        body
    ]))
}

fn send(call: &Value) -> Result<IncomingResponse, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    let method = match text(call, "method") {
        "POST" => Method::Post,
        _ => Method::Get,
    };
    let scheme = match text(call, "scheme") {
        "https" => Scheme::Https,
        _ => Scheme::Http,
    };
    let refused = |()| ErrorCode::HttpProtocolError;
    request.set_method(&method).map_err(refused)?;
    request.set_scheme(Some(&scheme)).map_err(refused)?;
    request
        .set_authority(Some(text(call, "authority")))
        .map_err(refused)?;
    request
        .set_path_with_query(Some("/path"))
        .map_err(refused)?;
    let answer = handle(request, None)?;
    answer.subscribe().block();
    let answer = answer.get().and_then(Result::ok);
    answer.unwrap_or(Err(ErrorCode::InternalError(None)))
}

fn read(response: &IncomingResponse) -> Result<String, String> {
    let body = response.consume().map_err(|()| "no body".to_owned())?;
    let stream = body.stream().map_err(|()| "no stream".to_owned())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(4096) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(format!("{error:?}")),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `HttpRequestDenied` ….
fn name(error: &ErrorCode) -> String {
    let text = format!("{error:?}");
    let short = text.rsplit("::").next().unwrap_or(&text);
    short.chars().take_while(|c| c.is_alphanumeric()).collect()
}
