//! The single calls of the contract: each is one question, with an answer of its own shape.

use std::time::Instant;

use mhost_model::FaultResult;

use super::clockwork::Clockwork;
use super::contract::{Phases, TcpAsk, Timings, TlsAsk, TlsOptions};
use super::{TcpAnswer, TlsAnswer, shake, talk};
use crate::network::Family;
use crate::state::Shared;

/// Connects, perhaps says something, and hears what comes first.
pub(super) async fn tcp(
    shared: &Shared,
    (host, port): (String, u16),
    send: Option<Vec<u8>>,
    max_bytes: u32,
    until: Instant,
) -> FaultResult<TcpAnswer> {
    let mut clock = Clockwork::new(until);
    let exchanges = send.is_some() || max_bytes > 0;
    let asked = TcpAsk {
        host,
        port,
        send,
        listen: max_bytes,
        until: None,
        steps: Vec::new(),
        tls: None,
        from_start: false,
    };
    let found = talk::probe(shared, asked, Family::Any, &mut clock).await?;
    Ok(TcpAnswer {
        address: found.address,
        received: found.received,
        timings: Timings {
            exchange: if exchanges { found.phases.transfer } else { 0 },
            ..timings(found.phases)
        },
    })
}

/// Shakes hands, and reports the certificates, trusted or not.
pub(super) async fn tls(
    shared: &Shared,
    (host, port): (String, u16),
    server_name: Option<String>,
    until: Instant,
) -> FaultResult<TlsAnswer> {
    let mut clock = Clockwork::new(until);
    let asked = TlsAsk {
        host,
        port,
        options: TlsOptions {
            server_name,
            trusted: false,
            authorities: None,
            tls13_only: false,
        },
    };
    let found = shake::probe(shared, asked, Family::Any, &mut clock).await?;
    Ok(TlsAnswer {
        address: found.address,
        version: found.tls.version,
        cipher: found.tls.cipher,
        chain: found.tls.chain,
        distrust: found.tls.distrust,
        timings: timings(found.phases),
    })
}

fn timings(phases: Phases) -> Timings {
    Timings {
        resolve: phases.resolve,
        connect: phases.connect,
        handshake: phases.handshake,
        exchange: 0,
    }
}
