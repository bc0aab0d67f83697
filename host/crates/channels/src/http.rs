//! One HTTP request over one connection, and what came back. No redirect is followed: a
//! message goes to where the operator sent it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use mhost_model::channel::origin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::dial::dial;
use crate::masks::Keyring;
use crate::{Delivered, Failure, trust};

/// What is read of an answer, bytes.
const ANSWER: usize = 64 << 10;
/// … and shown of it.
const SHOWN: usize = 200;
/// The longest that a receiver may ask to be left alone.
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// Whether a text can be a host's name or address.
pub fn is_host(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let named = !text.is_empty() && text.len() <= 253 && text.bytes().all(plain);
    named || text.parse::<std::net::Ipv6Addr>().is_ok()
}

impl Target {
    /// The text says why not, without repeating the URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("its scheme is neither `http` nor `https`".into()),
        };
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        if authority.contains('@') {
            return Err("it holds a user, and a password does not belong there".into());
        }
        let host = uri.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        if !is_host(host) {
            return Err("it names no host".into());
        }
        let path = uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        Ok(Self {
            tls,
            host: host.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            path: path.to_owned(),
        })
    }

    fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// What is sent.
pub struct Post {
    pub url: String,
    pub headers: HeaderMap,
    pub content_type: String,
    pub body: Vec<u8>,
    pub ca: Option<std::path::PathBuf>,
}

/// Sends it; anything but a 2xx is a failure.
pub async fn post(post: Post, keyring: &Keyring) -> Delivered {
    let place = origin(&post.url).to_owned();
    let failed = |why: String| Failure::new(format!("{place}: {why}"));
    let target = Target::parse(&post.url).map_err(failed)?;
    let request = request(&target, &post).map_err(|error| failed(error.to_string()))?;
    let stream = dial(&target.host, target.port).await?;
    let answer = match target.tls {
        false => exchange(stream, request).await,
        true => {
            let connector = TlsConnector::from(trust::config(post.ca.as_deref())?);
            let name = ServerName::try_from(target.host.clone());
            let name = name.map_err(|error| failed(error.to_string()))?;
            let stream = connector.connect(name, stream).await;
            exchange(
                stream.map_err(|error| failed(format!("TLS: {error}")))?,
                request,
            )
            .await
        }
    };
    let (answer, body) = answer.map_err(|error| failed(error.to_string()))?;
    judge(answer, &body, keyring).map_err(|mut failure| {
        failure.why = format!("{place}: {}", failure.why);
        failure
    })
}

fn request(target: &Target, post: &Post) -> http::Result<Request<Full<Bytes>>> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(&target.path)
        .header(HOST, target.authority())
        .header(USER_AGENT, concat!("mhost/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, &post.content_type)
        .body(Full::new(Bytes::from(post.body.clone())))?;
    request.headers_mut().extend(post.headers.clone());
    Ok(request)
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<(Response<()>, Vec<u8>), Problem>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    let connection = tokio::spawn(connection);
    let answered = async {
        let answer: Response<Incoming> = sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        // A receiver that says yes and then too much has said yes.
        let body = Limited::new(body, ANSWER).collect().await;
        let body = body
            .map(|body| body.to_bytes().to_vec())
            .unwrap_or_default();
        Ok((Response::from_parts(head, ()), body))
    };
    let answered = answered.await;
    connection.abort();
    answered
}

fn judge(answer: Response<()>, body: &[u8], keyring: &Keyring) -> Delivered {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let mut why = format!("the answer was {status}");
    if let Some(location) = answer
        .headers()
        .get(LOCATION)
        .and_then(|to| to.to_str().ok())
    {
        let place = match location.contains("://") {
            true => origin(location),
            false => "another place of the same server",
        };
        why.push_str(&format!(
            ", which leads to {place}: redirects are not followed, so write that address"
        ));
    }
    let said = keyring.quoted(&String::from_utf8_lossy(body), SHOWN);
    if !said.is_empty() {
        why.push_str(&format!(": {said}"));
    }
    let rest = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|rest| rest.to_str().ok());
    let rest = rest
        .and_then(|rest| rest.parse().ok())
        .map(Duration::from_secs);
    let asked = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    Err(Failure {
        why,
        retry_after: rest.filter(|_| asked).map(|rest| rest.min(LONGEST_REST)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masks::tests_support;

    #[test]
    fn targets() {
        let target = Target::parse("https://Hooks.example.org/a/b?c=d").unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.tls),
            ("hooks.example.org", 443, true)
        );
        assert_eq!(target.path, "/a/b?c=d");
        let target = Target::parse("http://[::1]:8080").unwrap();
        assert_eq!(
            (target.authority().as_str(), target.path.as_str()),
            ("[::1]:8080", "/")
        );
        for bad in [
            "",
            "x",
            "/x",
            "ftp://x",
            "https://",
            "https://u@x/",
            "https://x/\r\n",
            "http://a b/",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers() {
        let keyring = tests_support::keyring();
        let answer = |status: u16, headers: &[(&str, &str)]| {
            let mut builder = Response::builder().status(status);
            for (name, value) in headers {
                builder = builder.header(*name, *value);
            }
            let answer = builder.body(()).unwrap();
            judge(answer, b"no\n\x1b[31m such hook", &keyring)
        };
        assert_eq!(answer(204, &[]), Ok(()));
        let failure = answer(404, &[]).unwrap_err();
        assert_eq!(
            failure.why,
            "the answer was 404 Not Found: no [31m such hook"
        );
        let failure = answer(429, &[("retry-after", "120")]).unwrap_err();
        assert_eq!(failure.retry_after, Some(Duration::from_secs(120)));
        let failure = answer(429, &[("retry-after", "999999")]).unwrap_err();
        assert_eq!(failure.retry_after, Some(LONGEST_REST));
        let failure = answer(302, &[("location", "https://b.example/secret")]).unwrap_err();
        assert!(failure.why.contains("https://b.example:") && !failure.why.contains("secret"));
        let failure = answer(301, &[("location", "/secret")]).unwrap_err();
        assert!(
            failure.why.contains("of the same server:") && !failure.why.contains("secret"),
            "{}",
            failure.why
        );
    }
}
