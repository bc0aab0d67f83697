//! An HTTP server that answers one request a connection, as it is told to.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::tls::Authority;

#[derive(Debug, Clone, Default)]
pub struct Request {
    pub path: String,
    head: String,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        line.unwrap_or_default()
    }
}

pub struct Hook {
    port: u16,
    tls: bool,
    got: Arc<Mutex<Vec<Request>>>,
}

pub fn ok() -> String {
    answer("200 OK", "", "ok")
}

pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

pub async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

impl Hook {
    pub async fn start(authority: Option<&Authority>, answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::default();
        let acceptor = authority.map(Authority::acceptor);
        let tls = acceptor.is_some();
        let kept = Arc::clone(&got);
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut answer = answers.next();
            while let Some(text) = answer.clone() {
                let (stream, _) = listener.accept().await.unwrap();
                let served = match &acceptor {
                    None => serve(stream, &text, &kept).await,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => serve(stream, &text, &kept).await,
                        Err(_) => false,
                    },
                };
                if served {
                    answer = answers.next();
                }
            }
        });
        Self { port, tls, got }
    }

    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    pub fn got(&self) -> Vec<Request> {
        self.got.lock().unwrap().clone()
    }
}

/// Whether a whole request came.
async fn serve<S>(mut stream: S, answer: &str, got: &Mutex<Vec<Request>>) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => bytes.extend(&buffer[..read]),
            _ => return false,
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let request = Request {
            path: head.split(' ').nth(1).unwrap().to_owned(),
            head: head.to_owned(),
            body: body.to_owned(),
        };
        let length: usize = request.header("content-length").parse().unwrap_or(0);
        if body.len() >= length {
            got.lock().unwrap().push(request);
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
            return true;
        }
    }
}
