//! ICMP echo, over the kernel's unprivileged ping sockets, or raw ones where mhost may.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use mhost_model::grant::{Origin, Scheme};
use mhost_model::{Fault, FaultResult};
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, ipproto, socket_with};
use tokio::net::UdpSocket;

use super::clockwork::Clockwork;
use super::contract::{IcmpAsk, IcmpFound};
use super::resolve;
use crate::network::Family;
use crate::state::Shared;

/// The most bytes beside the header, so that a probe is one packet everywhere.
const MOST: u32 = 1400;
/// The token by which an answer is known.
const TOKEN: usize = 16;
const HEADER: usize = 8;

pub(super) async fn probe(
    shared: &Shared,
    asked: IcmpAsk,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<IcmpFound> {
    let origin = Origin {
        scheme: Scheme::Icmp,
        host: super::origin(Scheme::Dns, &asked.host, 53)?.host,
        port: 0,
    };
    let permit = shared
        .granter
        .origin(&origin, "ping", false, &origin.to_string())?;
    if asked.size > MOST {
        let text = format!("an echo carries at most {MOST} bytes, not {}", asked.size);
        return Err(Fault::Invalid(text));
    }
    let about = origin.to_string();
    permit.used_part(&about);
    let ip = resolve(shared, &origin, family, clock).await?;
    let begun = Instant::now();
    let echo = echo(ip, asked.size as usize);
    let answered = clock.step(&about, "waiting for the echo", echo).await;
    let unsent_by_us = matches!(&answered, Ok(Err(error)) if is_forbidden(error));
    if !unsent_by_us {
        shared.meter.reached(about);
    }
    let answered = answered?;
    answered.map_err(|error| unsent(&origin, &error))?;
    clock.first_byte(begun);
    Ok(IcmpFound {
        address: ip.to_string(),
        phases: clock.phases(),
    })
}

/// Whether this machine kept the echo from being sent.
fn is_forbidden(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn unsent(origin: &Origin, error: &io::Error) -> Fault {
    match is_forbidden(error) {
        true => Fault::Unsupported(format!(
            "{origin}: this machine lets mhost send no ICMP echo ({error}); put its group into the sysctl net.ipv4.ping_group_range, or give it CAP_NET_RAW"
        )),
        false => Fault::Failed(format!("{origin}: {error}")),
    }
}

/// Sends one request, and waits for its reply.
async fn echo(ip: IpAddr, size: usize) -> io::Result<()> {
    let (socket, raw) = open(ip)?;
    socket.connect(SocketAddr::new(ip, 0)).await?;
    let token = token();
    let packet = request(ip, &token, size);
    socket.send(&packet).await?;
    let mut buffer = vec![0; 2048];
    loop {
        let read = socket.recv(&mut buffer).await?;
        if replies(ip, raw, &buffer[..read], &token) {
            return Ok(());
        }
    }
}

/// A ping socket, or a raw one; and whether it is raw.
fn open(ip: IpAddr) -> io::Result<(UdpSocket, bool)> {
    let (family, protocol) = match ip {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    match socket(family, SocketType::DGRAM, protocol) {
        Ok(socket) => Ok((socket, false)),
        Err(first) => match socket(family, SocketType::RAW, protocol) {
            Ok(socket) => Ok((socket, true)),
            // The remedy for the unprivileged way is the one to name.
            Err(_) => Err(first),
        },
    }
}

fn socket(family: AddressFamily, kind: SocketType, protocol: Protocol) -> io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, kind, flags, Some(protocol))?;
    // Sending and receiving on a connected socket are the same calls for both.
    UdpSocket::from_std(socket.into())
}

/// No two probes of this process have the same.
fn token() -> [u8; TOKEN] {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut token = *b"mhost ping......";
    let count = COUNT.fetch_add(1, Relaxed).to_be_bytes();
    token[8..].copy_from_slice(&count);
    for (byte, own) in token[4..8].iter_mut().zip(std::process::id().to_be_bytes()) {
        *byte = own;
    }
    token
}

fn request(ip: IpAddr, token: &[u8; TOKEN], size: usize) -> Vec<u8> {
    let mut packet = vec![0; HEADER];
    packet[0] = if ip.is_ipv4() { 8 } else { 128 };
    packet[4..8].copy_from_slice(&token[12..16]);
    packet.extend_from_slice(token);
    packet.resize(HEADER + size.max(TOKEN), 0);
    // The kernel fills in the one of ICMPv6, which covers addresses too.
    if ip.is_ipv4() {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([pair[0], low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Whether these bytes are the reply to the request with this token.
fn replies(ip: IpAddr, raw: bool, bytes: &[u8], token: &[u8; TOKEN]) -> bool {
    let header = match (ip, raw) {
        // A raw socket of IPv4 hands out the packet's own header too.
        (IpAddr::V4(_), true) => bytes
            .first()
            .map_or(0, |first| usize::from(first & 0x0f) * 4),
        _ => 0,
    };
    let reply = if ip.is_ipv4() { 0 } else { 129 };
    let message = bytes.get(header..).unwrap_or_default();
    message.first() == Some(&reply) && message.get(HEADER..HEADER + TOKEN) == Some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checked_packet_sums_up_to_nothing() {
        let ip = "127.0.0.1".parse().unwrap();
        for size in [0, 16, 17, 56, 1400] {
            let packet = request(ip, &token(), size);
            assert_eq!(packet.len(), 8 + size.max(TOKEN));
            assert_eq!(checksum(&packet), 0);
        }
    }

    #[test]
    fn only_the_own_reply_counts() {
        let ip = "127.0.0.1".parse().unwrap();
        let (ours, theirs) = (token(), token());
        let mut reply = request(ip, &ours, 16);
        assert!(!replies(ip, false, &reply, &ours), "that is the request");
        reply[0] = 0;
        assert!(replies(ip, false, &reply, &ours));
        assert!(!replies(ip, false, &reply, &theirs));
        let mut raw = vec![0x45; 20];
        raw.extend_from_slice(&reply);
        assert!(replies(ip, true, &raw, &ours));
        for cut in 0..raw.len() {
            assert!(!replies(ip, true, &raw[..cut.min(43)], &ours));
        }
    }
}
