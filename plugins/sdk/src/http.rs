//! HTTP requests, over `wasi:http` in a component. Redirects are not followed:
//! an answer is what the origin said, and another origin needs its own grant.

use std::time::Duration;

/// A request with a deadline for the whole exchange, the last byte included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, `POST` ….
    pub method: String,
    /// `http://` or `https://`.
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub timeout: Duration,
    /// So much of the answer's body is read; the rest is left.
    pub max_body: usize,
}

impl Request {
    /// A request without headers and body, 30 seconds and 1 MiB at most.
    pub fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::from_secs(30),
            max_body: 1 << 20,
        }
    }

    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    pub fn head(url: &str) -> Self {
        Self::new("HEAD", url)
    }

    pub fn post(url: &str, body: Vec<u8>) -> Self {
        Self {
            body,
            ..Self::new("POST", url)
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body went on after `max_body`.
    pub cut: bool,
    /// From the start to the status and headers.
    pub first_byte: Duration,
    /// From the start to the end of what was read.
    pub total: Duration,
}
