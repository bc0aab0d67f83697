//! For tests: a run without a guest, peers on the loopback, and a resolver that
//! answers what it was told.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mhost_model::grant::Grants;
use mhost_model::limits::Limits;
use mhost_model::plugin::Capability;
use mhost_model::receipt::Receipt;
use mhost_model::{Fault, FaultResult, SystemClock};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::{Network, RecordKind, Resolver};
use crate::Cancel;
use crate::api::GrantedBy;
use crate::budget::WriteBudget;
use crate::capabilities::alerts::Alerts;
use crate::capabilities::progress::Progress;
use crate::capabilities::state::Overlay;
use crate::describe::nothing::Nothing;
use crate::directories::Directories;
use crate::log::Log;
use crate::meter::Meter;
use crate::permits::{Basis, Granter};
use crate::state::Shared;

/// What a run under test is given.
pub(crate) struct Run {
    pub grants: Grants,
    pub dry_run: bool,
    pub limits: Limits,
    pub network: Network,
    pub time: Duration,
}

impl Run {
    /// Granted these origins, by the machine's resolver.
    pub(crate) fn granted(origins: &[&str]) -> Self {
        Self {
            grants: Grants {
                net: origins
                    .iter()
                    .map(|origin| origin.parse().unwrap())
                    .collect(),
                ..Grants::default()
            },
            dry_run: false,
            limits: Limits::default(),
            network: Network::system(),
            time: Duration::from_secs(60),
        }
    }

    pub(crate) fn shared(self) -> Arc<Shared> {
        let (meter, masks) = (Arc::new(Meter::default()), Arc::default());
        let (nothing, clock) = (Arc::new(Nothing), Arc::new(SystemClock));
        let log = Log::new(
            nothing.clone(),
            clock.clone(),
            &self.limits,
            Arc::clone(&masks),
            Arc::clone(&meter),
        );
        Arc::new(Shared {
            granter: Granter::new(
                Basis {
                    task: "test".to_owned(),
                    action: "test".to_owned(),
                    grants: self.grants,
                    granted_by: GrantedBy::Task,
                    declared: Capability::ALL
                        .map(|kind| (kind, true))
                        .into_iter()
                        .collect(),
                },
                self.dry_run,
                nothing.clone(),
                Arc::clone(&meter),
            ),
            budget: WriteBudget::new(&self.limits, Arc::clone(&meter)),
            meter,
            masks,
            directories: Directories::new(&[]),
            databases: nothing.clone(),
            repositories: nothing.clone(),
            remotes: nothing.clone(),
            secrets: nothing.clone(),
            tasks: nothing.clone(),
            messenger: nothing.clone(),
            clock,
            network: Arc::new(self.network),
            cancel: Cancel::default(),
            deadline: Instant::now() + self.time,
            config: Default::default(),
            limits: self.limits,
            log,
            overlay: Overlay::new(nothing.clone()),
            alerts: Alerts::default(),
            watched: nothing.clone(),
            observed: Default::default(),
            progress: Progress::new(nothing),
            over: AtomicBool::new(false),
        })
    }
}

pub(crate) fn receipt(shared: &Shared) -> Receipt {
    shared
        .meter
        .receipt(shared.granter.grants(), Duration::from_secs(1))
}

/// Answers every name with the same addresses, and counts how often it was asked.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub addresses: Vec<IpAddr>,
    pub asked: AtomicUsize,
}

impl Told {
    pub(crate) fn new(addresses: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            addresses: addresses
                .iter()
                .map(|address| address.parse().unwrap())
                .collect(),
            asked: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Resolver for Told {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, SeqCst);
        match host {
            "silent.example" => std::future::pending().await,
            _ => Ok(self.addresses.clone()),
        }
    }

    async fn records(&self, name: &str, kind: RecordKind) -> FaultResult<Vec<String>> {
        match name {
            "silent.example" => std::future::pending().await,
            "example.org" => Ok(vec![format!("{kind:?} of {name}")]),
            _ => Err(Fault::NotFound(format!("there is no name `{name}`"))),
        }
    }
}

/// What a peer does on each connection.
#[derive(Clone)]
pub(crate) enum Peer {
    /// Reads a request's head, answers with these bytes, and closes.
    Answers(Vec<u8>),
    /// The same, but keeps the connection open after.
    Lingers(Vec<u8>),
    /// Reads a request's head, says the first, and then the second again and again
    /// without a pause to speak of.
    Drips(&'static [u8], &'static [u8]),
    /// The same without being asked.
    Babbles(&'static [u8]),
    /// Says these bytes before anything is asked, then stays silent.
    Greets(Vec<u8>),
    /// Sends back what it gets.
    Echoes,
    /// Never says anything.
    Silent,
}

/// A peer on the loopback.
pub(crate) struct Served {
    pub address: SocketAddr,
    /// Connections so far.
    pub connections: Arc<AtomicUsize>,
    /// What the newest request said.
    pub heard: Arc<std::sync::Mutex<String>>,
}

impl Served {
    pub(crate) fn count(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub(crate) fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

pub(crate) async fn serve(peer: Peer, tls: Option<TlsAcceptor>) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = Served {
        address: listener.local_addr().unwrap(),
        connections: Arc::default(),
        heard: Arc::default(),
    };
    let (connections, heard) = (served.connections.clone(), served.heard.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, SeqCst);
            tokio::spawn(answer(stream, peer.clone(), tls.clone(), heard.clone()));
        }
    });
    served
}

async fn answer(
    stream: TcpStream,
    peer: Peer,
    tls: Option<TlsAcceptor>,
    heard: Arc<std::sync::Mutex<String>>,
) {
    match tls {
        None => drop(play(stream, peer, heard).await),
        Some(tls) => {
            // A client that does not trust us hangs up.
            if let Ok(stream) = tls.accept(stream).await {
                drop(play(stream, peer, heard).await);
            }
        }
    }
}

async fn play(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    heard: Arc<std::sync::Mutex<String>>,
) -> io::Result<()> {
    if matches!(peer, Peer::Answers(_) | Peer::Lingers(_) | Peer::Drips(..)) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next());
        // Hanging up on what was not read would take the answer along.
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await?;
        *heard.lock().unwrap() = head;
    }
    match peer {
        Peer::Answers(bytes) => {
            stream.write_all(&bytes).await?;
            return stream.shutdown().await;
        }
        Peer::Lingers(bytes) | Peer::Greets(bytes) => stream.write_all(&bytes).await?,
        Peer::Drips(first, then) => {
            stream.write_all(first).await?;
            drip(&mut stream, then).await?;
        }
        Peer::Babbles(bytes) => drip(&mut stream, bytes).await?,
        Peer::Echoes => loop {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            stream.write_all(&buffer[..read]).await?;
        },
        Peer::Silent => {}
    }
    std::future::pending().await
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(bytes).await?;
        stream.flush().await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An authority of the test's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        let name = format!("authority {}", COUNT.fetch_add(1, SeqCst));
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// For a server with a certificate for these names, valid until `year`.
    pub(crate) fn acceptor(&self, names: &[&str], year: i32) -> TlsAcceptor {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
