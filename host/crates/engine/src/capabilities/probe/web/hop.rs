//! One request of a chain of redirects.

use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use mhost_model::grant::Origin;
use mhost_model::{Fault, FaultResult};
use url::Url;

use super::super::contract::{HttpAsk, HttpFound};
use super::version::Version;

/// What to send where.
#[derive(Debug)]
pub(super) struct Hop {
    pub method: String,
    pub url: Url,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Hop {
    pub(super) fn first(asked: &HttpAsk) -> FaultResult<Self> {
        let url = Url::parse(&asked.url)
            .map_err(|error| Fault::Invalid(format!("`{}` is no URL: {error}", asked.url)))?;
        // A tunnel would lead to where no grant was asked for.
        if asked.method == "CONNECT" {
            return Err(Fault::Invalid("a probe does not CONNECT".to_owned()));
        }
        Ok(Self {
            method: asked.method.clone(),
            url,
            headers: asked.headers.clone(),
            body: asked.body.clone(),
        })
    }

    pub(super) fn origin(&self) -> FaultResult<Origin> {
        let wrong = |why: &str| Fault::Invalid(format!("cannot request `{}`: {why}", self.url));
        if !matches!(self.url.scheme(), "http" | "https") {
            return Err(wrong("the scheme is neither `http` nor `https`"));
        }
        if !self.url.username().is_empty() || self.url.password().is_some() {
            return Err(wrong("a user belongs into the authorization, not the URL"));
        }
        let text = self.url.origin().ascii_serialization();
        text.parse::<Origin>()
            .map_err(|error| Fault::Invalid(error.to_string()))
    }

    pub(super) fn request(&self, version: Version) -> FaultResult<Request<Full<Bytes>>> {
        let wrong = |why: String| Fault::Invalid(format!("cannot request `{}`: {why}", self.url));
        let method = Method::from_bytes(self.method.as_bytes());
        let path = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let body = Full::new(Bytes::from(self.body.clone()));
        let mut request = Request::new(body);
        *request.method_mut() = method.map_err(|error| wrong(error.to_string()))?;
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            let named = HeaderName::from_bytes(name.as_bytes());
            let named = named.map_err(|error| wrong(format!("the header `{name}`: {error}")))?;
            let value = HeaderValue::from_bytes(value.as_bytes());
            let value = value.map_err(|error| wrong(format!("the header `{name}`: {error}")))?;
            headers.append(named, value);
        }
        let own = headers.remove(header::HOST);
        let host = match own {
            Some(host) => host,
            None => HeaderValue::from_str(&self.authority())
                .map_err(|error| wrong(format!("its host: {error}")))?,
        };
        let target = match version {
            Version::One => {
                headers.insert(header::HOST, host);
                path
            }
            // There the host is a part of what is asked for.
            Version::Two => {
                let host = String::from_utf8_lossy(host.as_bytes());
                format!("{}://{host}{path}", self.url.scheme())
            }
        };
        *request.uri_mut() = target.parse().map_err(|error| wrong(format!("{error}")))?;
        Ok(request)
    }

    fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Where an answer redirects to; nothing where it does not.
    pub(super) fn onward(&self, found: &HttpFound) -> FaultResult<Option<Self>> {
        let status = StatusCode::from_u16(found.status).unwrap_or_default();
        let redirects = matches!(found.status, 301 | 302 | 303 | 307 | 308);
        let location = found.headers.iter().find(|(name, _)| name == "location");
        let Some((_, to)) = location.filter(|_| redirects) else {
            return Ok(None);
        };
        let url = self.url.join(to).map_err(|error| {
            Fault::Failed(format!("{}: it redirects to `{to}`: {error}", self.url))
        })?;
        let elsewhere = url.origin() != self.url.origin();
        let anew = status == StatusCode::SEE_OTHER
            || (matches!(found.status, 301 | 302) && self.method == "POST");
        let (method, body) = match anew && self.method != "HEAD" {
            true => ("GET".to_owned(), Vec::new()),
            false => (self.method.clone(), self.body.clone()),
        };
        // What authorises at one origin is none of another's business.
        let kept = |(name, _): &&(String, String)| {
            let name = name.to_ascii_lowercase();
            let private = matches!(name.as_str(), "authorization" | "cookie" | "host");
            let of_body = name.starts_with("content-");
            !((elsewhere && private) || (anew && of_body))
        };
        Ok(Some(Self {
            method,
            headers: self.headers.iter().filter(kept).cloned().collect(),
            body,
            url,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::contract::{HttpVersion, Phases, TlsOptions};
    use super::*;

    fn asked(method: &str, url: &str) -> HttpAsk {
        HttpAsk {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: vec![
                ("Authorization".to_owned(), "Bearer x".to_owned()),
                ("Content-Type".to_owned(), "text/plain".to_owned()),
            ],
            body: b"body".to_vec(),
            speak: HttpVersion::Any,
            tls: TlsOptions {
                server_name: None,
                trusted: true,
                authorities: None,
                tls13_only: false,
            },
            redirects: 5,
            keep: 0,
            read: 0,
        }
    }

    fn answered(status: u16, location: &str) -> HttpFound {
        let none = Phases {
            resolve: 0,
            connect: 0,
            handshake: 0,
            first_byte: 0,
            transfer: 0,
            total: 0,
        };
        HttpFound {
            status,
            version: String::new(),
            headers: vec![("location".to_owned(), location.to_owned())],
            body: Vec::new(),
            size: 0,
            cut: false,
            url: String::new(),
            redirects: 0,
            address: String::new(),
            tls: None,
            phases: none,
        }
    }

    #[test]
    fn where_redirects_lead() {
        for (method, status, location, expected) in [
            (
                "GET",
                301,
                "/b",
                Some("GET http://a.example/b auth content body"),
            ),
            (
                "GET",
                302,
                "b?c#d",
                Some("GET http://a.example/x/b?c#d auth content body"),
            ),
            ("POST", 302, "/b", Some("GET http://a.example/b auth")),
            ("PUT", 303, "/b", Some("GET http://a.example/b auth")),
            ("HEAD", 303, "/b", Some("HEAD http://a.example/b auth body")),
            (
                "POST",
                307,
                "/b",
                Some("POST http://a.example/b auth content body"),
            ),
            (
                "GET",
                308,
                "//b.example/",
                Some("GET http://b.example/ content body"),
            ),
            (
                "GET",
                301,
                "https://a.example/",
                Some("GET https://a.example/ content body"),
            ),
            ("GET", 304, "/b", None),
            ("GET", 200, "/b", None),
        ] {
            let hop = Hop::first(&asked(method, "http://a.example/x/y")).unwrap();
            let next = hop.onward(&answered(status, location)).unwrap();
            let shown = next.map(|next| {
                let has = |name: &str| next.headers.iter().any(|(known, _)| known == name);
                let mut text = format!("{} {}", next.method, next.url);
                for (there, word) in [
                    (has("Authorization"), "auth"),
                    (has("Content-Type"), "content"),
                    (!next.body.is_empty(), "body"),
                ] {
                    if there {
                        text.push_str(&format!(" {word}"));
                    }
                }
                text
            });
            assert_eq!(shown.as_deref(), expected, "{method} {status} {location}");
        }
        let hop = Hop::first(&asked("GET", "http://a.example/")).unwrap();
        assert!(hop.onward(&answered(301, "http://[")).is_err());
    }

    #[test]
    fn what_is_no_peer() {
        for bad in [
            "ftp://a.example/",
            "http://u:p@a.example/",
            "http://u@a.example/",
        ] {
            assert!(
                Hop::first(&asked("GET", bad)).unwrap().origin().is_err(),
                "{bad}"
            );
        }
        assert!(Hop::first(&asked("CONNECT", "http://a.example/")).is_err());
        assert!(Hop::first(&asked("GET", "nowhere")).is_err());
        let hop = Hop::first(&asked("GET", "http://[::1]:81")).unwrap();
        assert_eq!(hop.origin().unwrap().to_string(), "http://[::1]:81");
        let one = hop.request(Version::One).unwrap();
        assert_eq!(one.headers()["host"], "[::1]:81");
        assert_eq!(one.uri(), "/");
        let two = hop.request(Version::Two).unwrap();
        assert_eq!(two.uri(), "http://[::1]:81/");
        assert!(two.headers().get("host").is_none());
    }
}
