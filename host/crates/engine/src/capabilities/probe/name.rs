//! Names and what the resolver knows of them.

use std::net::IpAddr;
use std::time::Instant;

use mhost_model::grant::Origin;
use mhost_model::{Fault, FaultResult};
use tokio::time::timeout_at;

use super::contract::Timings;
use super::{DnsAnswer, RecordType, nanos};
use crate::network::RecordKind;
use crate::state::Shared;

/// What is asked for.
enum Asked {
    /// An address of this family.
    V4,
    V6,
    Other(RecordKind),
}

pub(super) async fn probe(
    shared: &Shared,
    origin: &Origin,
    kind: RecordType,
    until: Instant,
) -> FaultResult<DnsAnswer> {
    let permit = shared
        .granter
        .origin(origin, "resolve", false, &origin.to_string())?;
    permit.used_part(&origin.to_string());
    let begun = Instant::now();
    let answer = timeout_at(until.into(), records(shared, &origin.host, asked(kind))).await;
    let Ok(records) = answer else {
        return Err(Fault::TimedOut(format!(
            "{origin}: the time was up while resolving"
        )));
    };
    let records = records?;
    let timings = Timings {
        resolve: nanos(begun.elapsed()),
        connect: 0,
        handshake: 0,
        exchange: 0,
    };
    Ok(DnsAnswer { records, timings })
}

fn asked(kind: RecordType) -> Asked {
    match kind {
        RecordType::A => Asked::V4,
        RecordType::Aaaa => Asked::V6,
        RecordType::Cname => Asked::Other(RecordKind::Cname),
        RecordType::Mx => Asked::Other(RecordKind::Mx),
        RecordType::Ns => Asked::Other(RecordKind::Ns),
        RecordType::Ptr => Asked::Other(RecordKind::Ptr),
        RecordType::Srv => Asked::Other(RecordKind::Srv),
        RecordType::Txt => Asked::Other(RecordKind::Txt),
    }
}

async fn records(shared: &Shared, name: &str, asked: Asked) -> FaultResult<Vec<String>> {
    let family: fn(&IpAddr) -> bool = match asked {
        Asked::Other(kind) => return shared.network.resolver.records(name, kind).await,
        Asked::V4 => IpAddr::is_ipv4,
        Asked::V6 => IpAddr::is_ipv6,
    };
    let addresses = shared.network.resolver.addresses(name).await;
    let addresses =
        addresses.map_err(|error| Fault::NotFound(format!("cannot resolve `{name}`: {error}")))?;
    let addresses = addresses.iter().filter(|address| family(address));
    Ok(addresses.map(IpAddr::to_string).collect())
}
