//! A mail server that takes everything, within RFC 5321, 3207 (STARTTLS) and 4954 (AUTH).

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::tls::Authority;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Clear,
    Starttls,
    Implicit,
}

#[derive(Debug, Clone, Default)]
pub struct Mail {
    pub tls: bool,
    pub user: Option<String>,
    pub to: Vec<String>,
    pub data: String,
}

#[derive(Default)]
struct Kept {
    mails: Vec<Mail>,
    heard: String,
}

pub struct Sink {
    pub port: u16,
    kept: Arc<Mutex<Kept>>,
}

type Login = Option<(&'static str, &'static str)>;

impl Sink {
    pub async fn start(way: Way, authority: &Authority, login: Login) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let (acceptor, writes) = (authority.acceptor(), Arc::clone(&kept));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, kept) = (acceptor.clone(), Arc::clone(&writes));
                tokio::spawn(async move {
                    match way {
                        Way::Implicit => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                Talk::new(&kept, login, true).greet(stream).await;
                            }
                        }
                        _ => clear(stream, way, acceptor, &kept, login).await,
                    }
                });
            }
        });
        Self { port, kept }
    }

    pub fn got(&self) -> Vec<Mail> {
        self.kept.lock().unwrap().mails.clone()
    }

    /// Every command that came.
    pub fn heard(&self) -> String {
        self.kept.lock().unwrap().heard.clone()
    }
}

async fn clear(
    stream: tokio::net::TcpStream,
    way: Way,
    acceptor: TlsAcceptor,
    kept: &Mutex<Kept>,
    login: Login,
) {
    let mut talk = Talk::new(kept, login, false);
    talk.offers_tls = way == Way::Starttls;
    if let Some(stream) = talk.greet(stream).await
        && let Ok(stream) = acceptor.accept(stream).await
    {
        Talk::new(kept, login, true)
            .go(BufReader::new(stream))
            .await;
    }
}

struct Talk<'a> {
    kept: &'a Mutex<Kept>,
    login: Login,
    offers_tls: bool,
    mail: Mail,
}

impl<'a> Talk<'a> {
    fn new(kept: &'a Mutex<Kept>, login: Login, tls: bool) -> Self {
        let mail = Mail {
            tls,
            ..Mail::default()
        };
        Self {
            kept,
            login,
            offers_tls: false,
            mail,
        }
    }

    async fn greet<S: AsyncRead + AsyncWrite + Unpin>(&mut self, mut stream: S) -> Option<S> {
        stream.write_all(b"220 sink ESMTP\r\n").await.ok()?;
        self.go(BufReader::new(stream)).await
    }

    /// Talks until the end; answers the stream where it is to be taken up to TLS.
    async fn go<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut stream: BufReader<S>,
    ) -> Option<S> {
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            self.kept.lock().unwrap().heard.push_str(&line);
            let line = line.trim_end().to_owned();
            if line == "STARTTLS" {
                stream.write_all(b"220 go\r\n").await.ok()?;
                return Some(stream.into_inner());
            }
            if line == "DATA" {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                self.data(&mut stream).await?;
            }
            let answer = self.answer(&line);
            stream.write_all(answer.as_bytes()).await.ok()?;
            if line == "QUIT" {
                return None;
            }
        }
    }

    async fn data<S: AsyncRead + Unpin>(&mut self, stream: &mut BufReader<S>) -> Option<()> {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            if line == ".\r\n" {
                let mail = self.mail.clone();
                self.kept.lock().unwrap().mails.push(mail);
                return Some(());
            }
            self.mail.data.push_str(&line);
        }
    }

    fn answer(&mut self, line: &str) -> String {
        let said = |text: &str| format!("{text}\r\n");
        if line.starts_with("EHLO") {
            let tls = if self.offers_tls {
                "250-STARTTLS\r\n"
            } else {
                ""
            };
            let auth = match self.login.is_some() && self.mail.tls {
                true => "250-AUTH PLAIN LOGIN\r\n",
                false => "",
            };
            return format!("250-sink\r\n{tls}{auth}250 8BITMIME\r\n");
        }
        if let Some(text) = line.strip_prefix("AUTH PLAIN ") {
            let decoded = STANDARD.decode(text).unwrap();
            let decoded = String::from_utf8(decoded).unwrap();
            let parts: Vec<&str> = decoded.split('\0').collect();
            if self
                .login
                .is_some_and(|(user, password)| (user, password) == (parts[1], parts[2]))
            {
                self.mail.user = Some(parts[1].to_owned());
                return said("235 welcome");
            }
            let refusal = format!("535 5.7.8 no such password: {}: {line}", parts[2]);
            return said(&refusal);
        }
        if let Some(to) = line.strip_prefix("RCPT TO:<") {
            if self.login.is_some() && self.mail.user.is_none() {
                return said("530 5.7.0 log in first");
            }
            self.mail.to.push(to.trim_end_matches('>').to_owned());
        }
        match line.split(' ').next().unwrap_or_default() {
            "QUIT" => said("221 bye"),
            "AUTH" => said("504 only PLAIN here"),
            _ => said("250 ok"),
        }
    }
}
