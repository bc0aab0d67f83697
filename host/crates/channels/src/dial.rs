//! Connecting to a receiver. The operator wrote its name, so a private address is as good
//! as any; but no name leads to a metadata service, a neighbour's link-local address, or
//! to everybody.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Failure;

/// How long one address is tried.
const PATIENCE: Duration = Duration::from_secs(10);

/// The addresses to try, in order.
pub async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |why: String| Failure::new(format!("{host}:{port}: {why}"));
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| failed(format!("the name cannot be resolved: {error}")))?;
    let (good, bad): (Vec<_>, Vec<_>) = found.partition(|address| !astray(address.ip()));
    match bad.first() {
        _ if !good.is_empty() => Ok(good),
        Some(address) => Err(failed(format!(
            "the name leads to {}, where no name may; write the address if it is meant",
            address.ip()
        ))),
        None => Err(failed("the name has no address".into())),
    }
}

/// Where no name leads.
fn astray(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let metadata = [[168, 63, 129, 16], [100, 100, 100, 200], [192, 0, 0, 192]];
            v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast()
                || metadata.contains(&v4.octets())
        }
        IpAddr::V6(v6) => {
            let metadata = [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];
            v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || v6.segments() == metadata
        }
    }
}

/// A connection to the first address that answers.
pub async fn dial(host: &str, port: u16) -> Result<TcpStream, Failure> {
    let mut failure = Failure::new(format!("{host}:{port}: the name has no address"));
    for address in addresses(host, port).await? {
        let why = match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "nobody answers".to_owned(),
        };
        failure = Failure::new(format!("cannot connect to {host}:{port}: {why}"));
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_name_leads() {
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
        ] {
            assert!(astray(text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "10.0.0.5",
            "192.0.2.1",
            "::1",
            "fd00::1",
            "2001:db8::1",
        ] {
            assert!(!astray(text.parse().unwrap()), "{text}");
        }
    }
}
