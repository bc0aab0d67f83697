//! A conversation over TCP: what is said, what is awaited, and a change to TLS.

use std::time::{Duration, Instant};

use mhost_model::grant::{Origin, Scheme};
use mhost_model::{Fault, FaultResult};
use regex::bytes::{Regex, RegexBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout_at;

use super::clockwork::Clockwork;
use super::contract::{TcpAsk, TcpFound, TcpStep, TlsFacts, TlsOptions};
use super::question::permit;
use super::shake::shake;
use super::{MOST, reach};
use crate::network::{Family, Stream};
use crate::state::Shared;

/// After its first bytes, a peer that is silent for so long has said it all.
const PAUSE: Duration = Duration::from_millis(250);
/// What a regular expression may take when compiled, bytes.
const LARGEST: usize = 1 << 20;

pub(super) async fn probe(
    shared: &Shared,
    asked: TcpAsk,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<TcpFound> {
    let says = asked.send.is_some() || asked.steps.iter().any(|step| step.send.is_some());
    let peer = (asked.host.as_str(), asked.port);
    let (origin, permit) = permit(shared, Scheme::Tcp, peer, "connect", says)?;
    let steps = compiled(&asked)?;
    let (stream, address) = reach(shared, &permit, family, clock).await?;
    let _ = stream.set_nodelay(true);
    let mut talk = Talk {
        shared,
        origin: &origin,
        stream: Some(Box::new(stream)),
        heard: Vec::new(),
        read: 0,
        tls: None,
    };
    if let (Some(options), true) = (&asked.tls, asked.from_start) {
        talk.secure(options, clock).await?;
    }
    let begun = Instant::now();
    for (expect, step) in &steps {
        talk.step(expect.as_ref(), step, asked.tls.as_ref(), clock)
            .await?;
    }
    if steps.is_empty() {
        if let Some(send) = &asked.send {
            talk.say(send, clock).await?;
        }
        talk.listen(asked.listen as usize, asked.until.as_deref(), clock)
            .await?;
    }
    clock.transferred(begun);
    shared.meter.read(talk.heard.len() as u64);
    Ok(TcpFound {
        address: address.to_string(),
        received: talk.heard,
        tls: talk.tls,
        phases: clock.phases(),
    })
}

fn compiled(asked: &TcpAsk) -> FaultResult<Vec<(Option<Regex>, &TcpStep)>> {
    let sent = asked.steps.iter().filter_map(|step| step.send.as_ref());
    let sent: usize = sent.chain(&asked.send).map(Vec::len).sum();
    if asked.listen as usize > MOST || sent > MOST || asked.steps.len() > 100 {
        return Err(Fault::Invalid(
            "a probe sends and receives at most 65536 bytes, in at most 100 steps".to_owned(),
        ));
    }
    let steps = asked.steps.iter().map(|step| {
        let expect = step.expect.as_deref().map(|pattern| {
            let built = RegexBuilder::new(pattern).size_limit(LARGEST).build();
            built.map_err(|error| Fault::Invalid(format!("`{pattern}`: {error}")))
        });
        Ok((expect.transpose()?, step))
    });
    steps.collect()
}

/// A connection and what was heard on it.
struct Talk<'a> {
    shared: &'a Shared,
    origin: &'a Origin,
    /// None only while it changes to TLS.
    stream: Option<Box<dyn Stream>>,
    heard: Vec<u8>,
    /// So much of it was looked at.
    read: usize,
    tls: Option<TlsFacts>,
}

impl Talk<'_> {
    fn failed(&self, doing: &str, error: &dyn std::fmt::Display) -> Fault {
        Fault::Failed(format!("{}: cannot {doing}: {error}", self.origin))
    }

    fn stream(&mut self) -> FaultResult<&mut Box<dyn Stream>> {
        let lost = || Fault::Failed(format!("{}: the connection is gone", self.origin));
        self.stream.as_mut().ok_or_else(lost)
    }

    async fn step(
        &mut self,
        expect: Option<&Regex>,
        step: &TcpStep,
        options: Option<&TlsOptions>,
        clock: &mut Clockwork,
    ) -> FaultResult<()> {
        let mut send = step.send.clone();
        if let Some(expect) = expect {
            let line = self.line(expect, clock).await?;
            if let (Some(template), Some(groups)) = (&step.send, expect.captures(&line)) {
                let mut expanded = Vec::new();
                groups.expand(template, &mut expanded);
                send = Some(expanded);
            }
        }
        if let Some(send) = send {
            self.say(&send, clock).await?;
        }
        if step.start_tls {
            let default = TlsOptions {
                server_name: None,
                trusted: true,
                authorities: None,
                tls13_only: false,
            };
            // What came in the clear must not be taken for what comes under TLS.
            if self.read < self.heard.len() {
                return Err(self.failed("start TLS", &"the peer said more in the clear"));
            }
            self.secure(options.unwrap_or(&default), clock).await?;
        }
        Ok(())
    }

    async fn secure(&mut self, options: &TlsOptions, clock: &mut Clockwork) -> FaultResult<()> {
        let Some(stream) = self.stream.take() else {
            return Err(self.failed("start TLS", &"the connection is gone"));
        };
        let (stream, facts) =
            shake(self.shared, self.origin, stream, options, Vec::new(), clock).await?;
        self.stream = Some(Box::new(stream));
        self.tls = Some(facts);
        Ok(())
    }

    async fn say(&mut self, bytes: &[u8], clock: &Clockwork) -> FaultResult<()> {
        self.shared.budget.take_unplaced(bytes.len() as u64)?;
        let about = self.origin.to_string();
        let stream = self.stream()?;
        let work = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        let said = clock.step(&about, "sending", work).await?;
        said.map_err(|error| self.failed("send", &error))
    }

    /// Waits for a line that matches.
    async fn line(&mut self, expect: &Regex, clock: &Clockwork) -> FaultResult<Vec<u8>> {
        loop {
            while let Some(line) = self.next_line() {
                if expect.is_match(&line) {
                    return Ok(line);
                }
            }
            let doing = format!("waiting for `{expect}`");
            let about = self.origin.to_string();
            let more = clock.step(&about, &doing, self.more()).await??;
            if !more {
                // A last line need not have an end.
                let rest = self.heard[self.read..].to_vec();
                self.read = self.heard.len();
                if !rest.is_empty() && expect.is_match(&rest) {
                    return Ok(rest);
                }
                let what = format!("the peer closed, or said too much, before `{expect}` came");
                return Err(Fault::Failed(format!("{}: {what}", self.origin)));
            }
        }
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        let rest = &self.heard[self.read..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let line = line.to_vec();
        self.read += end + 1;
        Some(line)
    }

    /// Reads once; false where nothing more comes, or nothing more is kept.
    async fn more(&mut self) -> FaultResult<bool> {
        let room = MOST - self.heard.len().min(MOST);
        let mut buffer = [0; 4096];
        let length = room.min(buffer.len());
        if length == 0 {
            return Ok(false);
        }
        let read = self.stream()?.read(&mut buffer[..length]).await;
        match read {
            Ok(read) => {
                self.heard.extend_from_slice(&buffer[..read]);
                Ok(read > 0)
            }
            // A peer that hangs up hard was heard before.
            Err(_) if !self.heard.is_empty() => Ok(false),
            Err(error) => Err(self.failed("hear", &error)),
        }
    }

    /// Hears until it is enough, the peer closes or pauses, or the time is up.
    async fn listen(
        &mut self,
        most: usize,
        awaited: Option<&[u8]>,
        clock: &Clockwork,
    ) -> FaultResult<()> {
        while self.heard.len() < most {
            let has = |awaited: &[u8]| self.heard.windows(awaited.len()).any(|at| at == awaited);
            if awaited.is_some_and(|awaited| !awaited.is_empty() && has(awaited)) {
                break;
            }
            let patience = match self.heard.is_empty() {
                true => clock.until(),
                false => clock.until().min(Instant::now() + PAUSE),
            };
            match timeout_at(patience.into(), self.more()).await {
                Ok(Ok(true)) if Instant::now() < clock.until() => {}
                Ok(Err(error)) => return Err(error),
                _ => break,
            }
        }
        self.heard.truncate(most.max(1));
        Ok(())
    }
}
