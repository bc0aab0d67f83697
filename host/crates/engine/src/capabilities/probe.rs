//! `mhost:plugin/probe`: looking at the network below HTTP, as a health check does.
//! Every answer comes within the timeout, and the run's deadline, whatever the peer
//! does or does not. The single calls are the first of the contract; a [`Batch`] asks
//! many at the same time.

mod batch;
mod certificate;
mod clockwork;
mod echo;
mod name;
mod query;
mod question;
mod shake;
mod single;
mod talk;
#[cfg(test)]
mod tests;
mod tls;
mod web;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mhost_model::grant::{Origin, Scheme};
use mhost_model::{Denial, Fault, FaultResult};
use tokio::net::TcpStream;
use wasmtime::component::{Linker, Resource};

use crate::bindings::mhost::plugin::probe::{
    self as contract, DnsAnswer, Host, RecordType, TcpAnswer, TlsAnswer,
};
use crate::network::{DialError, Family, addresses, dial};
use crate::permits::{OriginUse, Permit};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, Shared, enter};
pub use batch::Batch;
use clockwork::Clockwork;

/// The most that a probe sends or hands out, bytes.
const MOST: usize = 64 << 10;
/// The most that is kept of an HTTP answer's body, bytes.
const MOST_KEPT: usize = 1 << 20;

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn tcp(
        &mut self,
        host: String,
        port: u16,
        send: Option<Vec<u8>>,
        max_bytes: u32,
        timeout_ms: u32,
    ) -> Answer<TcpAnswer> {
        let until = until(&self.shared, timeout_ms);
        Ok(single::tcp(&self.shared, (host, port), send, max_bytes, until).await?)
    }

    async fn tls(
        &mut self,
        host: String,
        port: u16,
        server_name: Option<String>,
        timeout_ms: u32,
    ) -> Answer<TlsAnswer> {
        let until = until(&self.shared, timeout_ms);
        Ok(single::tls(&self.shared, (host, port), server_name, until).await?)
    }

    async fn resolve(
        &mut self,
        name: String,
        kind: RecordType,
        timeout_ms: u32,
    ) -> Answer<DnsAnswer> {
        let until = until(&self.shared, timeout_ms);
        let origin = origin(Scheme::Dns, &name, 53)?;
        Ok(name::probe(&self.shared, &origin, kind, until).await?)
    }

    async fn open_batch(&mut self, limit: u32) -> Answer<Resource<Batch>> {
        Ok(self.table.push(Batch::new(limit)?)?)
    }
}

/// When a probe's time is up.
fn until(shared: &Shared, timeout_ms: u32) -> Instant {
    let asked = Instant::now() + Duration::from_millis(timeout_ms.into());
    asked.min(shared.deadline)
}

/// The origin as a grant would say it.
fn origin(scheme: Scheme, host: &str, port: u16) -> FaultResult<Origin> {
    let text = match host.contains(':') {
        true => format!("{}://[{host}]:{port}", scheme.as_str()),
        false => format!("{}://{host}:{port}", scheme.as_str()),
    };
    text.parse::<Origin>()
        .map_err(|error| Fault::Invalid(error.to_string()))
}

/// Connects to a permitted origin.
async fn reach(
    shared: &Shared,
    permit: &Permit<OriginUse>,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<(TcpStream, SocketAddr)> {
    let origin = &permit.origin;
    let dialing = dial(&shared.network, origin, family, clock.until());
    match permit.reaching(shared, dialing).await {
        Ok(dialed) => {
            clock.dialed(dialed.resolve, dialed.connect);
            Ok((dialed.stream, dialed.address))
        }
        Err(error) => Err(unreached(shared, origin, &error)),
    }
}

/// The address of a permitted origin that nothing is connected to.
async fn resolve(
    shared: &Shared,
    origin: &Origin,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<IpAddr> {
    let begun = Instant::now();
    let about = origin.to_string();
    let found = addresses(&shared.network, &origin.host, family);
    let found = clock.step(&about, "resolving the name", found).await?;
    let found = found.map_err(|error| unreached(shared, origin, &error))?;
    clock.dialed(begun.elapsed(), Duration::ZERO);
    let first = found.first().copied();
    first.ok_or_else(|| Fault::NotFound(format!("{about}: it has no address")))
}

fn unreached(shared: &Shared, origin: &Origin, error: &DialError) -> Fault {
    let text = format!("{origin}: {error}");
    match error {
        DialError::Forbidden { .. } => {
            let denial = Denial {
                capability: "network".to_owned(),
                target: origin.to_string(),
                verb: "connect".to_owned(),
                remedy: error.to_string(),
            };
            shared.meter.denied(denial.clone());
            Fault::Denied(denial)
        }
        DialError::TimedOut(_) => Fault::TimedOut(text),
        DialError::Resolve(_) => Fault::NotFound(text),
        DialError::Connect(_) => Fault::Failed(text),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
