//! Connecting to a granted origin.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use mhost_model::grant::Origin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use super::Network;
use super::address::forbidden;

/// A connection, in the clear or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Which addresses of a name to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Any,
    V4,
    V6,
}

impl Family {
    fn has(self, address: &IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }

    fn missing(self) -> String {
        match self {
            Self::Any => "it has no address".to_owned(),
            Self::V4 => "it has no IPv4 address".to_owned(),
            Self::V6 => "it has no IPv6 address".to_owned(),
        }
    }
}

/// A connection to a checked address.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub stream: TcpStream,
    pub address: SocketAddr,
    pub resolve: Duration,
    pub connect: Duration,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum DialError {
    /// The name has no address, or nobody could be asked.
    Resolve(String),
    /// The name leads where no name may.
    Forbidden {
        address: IpAddr,
        why: &'static str,
    },
    Connect(io::Error),
    /// The phase that was on when the time was up.
    TimedOut(&'static str),
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(why) => write!(f, "the name cannot be resolved: {why}"),
            Self::Forbidden { address, why } => write!(
                f,
                "the name leads to {why} address, {address}, and a name never reaches one; grant it as an address"
            ),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::TimedOut(phase) => write!(f, "the time was up while {phase}"),
        }
    }
}

impl DialError {
    /// Whether somebody was sent something before it failed.
    pub(crate) fn went_out(&self) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::TimedOut(phase) => *phase == CONNECTING,
            Self::Resolve(_) | Self::Forbidden { .. } => false,
        }
    }
}

/// The phase that reaches out to the peer.
const CONNECTING: &str = "connecting";

/// Connects to the first address that answers, until `until`. The host is resolved
/// once; what was written as an address, or is `localhost`, is taken as it stands.
pub(crate) async fn dial(
    network: &Network,
    origin: &Origin,
    family: Family,
    until: Instant,
) -> Result<Dialed, DialError> {
    let begun = Instant::now();
    let addresses = match timeout_at(until.into(), addresses(network, &origin.host, family)).await {
        Ok(addresses) => addresses?,
        Err(_) => return Err(DialError::TimedOut("resolving the name")),
    };
    let resolve = begun.elapsed();
    let begun = Instant::now();
    let mut failed = DialError::TimedOut(CONNECTING);
    for (at, ip) in addresses.iter().enumerate() {
        let address = SocketAddr::new(*ip, origin.port);
        // What is left is shared, so that one silent address does not take it all.
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let connect = begun.elapsed();
                return Ok(Dialed {
                    stream,
                    address,
                    resolve,
                    connect,
                });
            }
            Ok(Err(error)) => failed = DialError::Connect(error),
            Err(_) => failed = DialError::TimedOut(CONNECTING),
        }
    }
    Err(failed)
}

/// The checked addresses of a host, of one family.
pub(crate) async fn addresses(
    network: &Network,
    host: &str,
    family: Family,
) -> Result<Vec<IpAddr>, DialError> {
    let mut found = permitted(network, host).await?;
    found.retain(|address| family.has(address));
    match found.is_empty() {
        true => Err(DialError::Resolve(family.missing())),
        false => Ok(found),
    }
}

async fn permitted(network: &Network, host: &str) -> Result<Vec<IpAddr>, DialError> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    if host == "localhost" {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let found = network.resolver.addresses(host).await;
    let found = found.map_err(|error| DialError::Resolve(error.to_string()))?;
    let verdicts = found.iter().map(|address| (*address, forbidden(*address)));
    let (good, bad): (Vec<_>, Vec<_>) = verdicts.partition(|(_, why)| why.is_none());
    match bad.first() {
        _ if !good.is_empty() => Ok(good.into_iter().map(|(address, _)| address).collect()),
        Some((address, Some(why))) => Err(DialError::Forbidden {
            address: *address,
            why,
        }),
        _ => Err(DialError::Resolve("it has no address".to_owned())),
    }
}
