//! Connecting, perhaps saying something, and hearing what comes first.

use std::time::{Duration, Instant};

use mhost_model::grant::Origin;
use mhost_model::{Fault, FaultResult};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::{MOST, TcpAnswer, nanos, reach, timings};
use crate::network::{Dialed, Family};
use crate::state::Shared;

/// After its first bytes, a peer that is silent for so long has said it all.
const PAUSE: Duration = Duration::from_millis(250);

/// What to say, and how much to hear.
pub(super) struct Exchange {
    send: Option<Vec<u8>>,
    max: usize,
}

impl Exchange {
    pub(super) fn new(send: Option<Vec<u8>>, max_bytes: u32) -> FaultResult<Self> {
        let max = max_bytes as usize;
        if max > MOST || send.as_ref().is_some_and(|send| send.len() > MOST) {
            return Err(Fault::Invalid(
                "a probe sends and receives at most 65536 bytes".to_owned(),
            ));
        }
        Ok(Self { send, max })
    }
}

pub(super) async fn probe(
    shared: &Shared,
    origin: &Origin,
    exchange: Exchange,
    until: Instant,
) -> FaultResult<TcpAnswer> {
    // Who says something may change something.
    let changes = exchange.send.is_some();
    let permit = shared
        .granter
        .origin(origin, "connect", changes, &origin.to_string())?;
    let Dialed {
        mut stream,
        address,
        resolve,
        connect,
    } = reach(shared, &permit, Family::Any, until).await?;
    let begun = Instant::now();
    if let Some(send) = &exchange.send {
        shared.budget.take_unplaced(send.len() as u64)?;
        say(&mut stream, send, origin, until).await?;
    }
    let received = hear(&mut stream, exchange.max, until).await;
    let received = received.map_err(|error| Fault::Failed(format!("{origin}: {error}")))?;
    shared.meter.read(received.len() as u64);
    let mut timings = timings(resolve, connect);
    if changes || exchange.max > 0 {
        timings.exchange = nanos(begun.elapsed());
    }
    Ok(TcpAnswer {
        address: address.to_string(),
        received,
        timings,
    })
}

async fn say(
    stream: &mut TcpStream,
    bytes: &[u8],
    origin: &Origin,
    until: Instant,
) -> FaultResult<()> {
    match timeout_at(until.into(), stream.write_all(bytes)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Fault::Failed(format!("{origin}: cannot send: {error}"))),
        Err(_) => Err(Fault::TimedOut(format!(
            "{origin}: the time was up while sending"
        ))),
    }
}

/// Reads until `max` bytes are there, the peer closes or pauses, or the time is up.
async fn hear(stream: &mut TcpStream, max: usize, until: Instant) -> std::io::Result<Vec<u8>> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while received.len() < max {
        let room = buffer.len().min(max - received.len());
        let patience = match received.is_empty() {
            true => until,
            false => until.min(Instant::now() + PAUSE),
        };
        match timeout_at(patience.into(), stream.read(&mut buffer[..room])).await {
            Ok(Ok(0)) | Err(_) => break,
            Ok(Ok(read)) => received.extend_from_slice(&buffer[..read]),
            // A peer that hangs up hard was heard before.
            Ok(Err(_)) if !received.is_empty() => break,
            Ok(Err(error)) => return Err(error),
        }
        if Instant::now() >= until {
            break;
        }
    }
    Ok(received)
}
