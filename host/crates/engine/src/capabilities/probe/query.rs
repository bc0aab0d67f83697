//! A question to a name server, and its whole answer.

use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use domain::base::iana::Class;
use domain::base::{Message, MessageBuilder, Name, ParsedName, RecordSection, Rtype, ToName};
use domain::rdata::AllRecordData;
use mhost_model::grant::Scheme;
use mhost_model::{Fault, FaultResult};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::clockwork::Clockwork;
use super::contract::{DnsAsk, DnsFound, RecordType};
use super::question::permit;
use super::{name, reach, resolve};
use crate::network::Family;
use crate::permits::{OriginUse, Permit};
use crate::state::Shared;

/// The largest answer over UDP that is offered to be taken, bytes.
const DATAGRAM: usize = 4096;

pub(super) async fn probe(
    shared: &Shared,
    asked: DnsAsk,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<DnsFound> {
    match &asked.server {
        Some(server) => server_probe(shared, &asked, server, family, clock).await,
        None => machine_probe(shared, &asked, clock).await,
    }
}

/// Through the machine's resolver.
async fn machine_probe(
    shared: &Shared,
    asked: &DnsAsk,
    clock: &mut Clockwork,
) -> FaultResult<DnsFound> {
    let kind = match asked.kind.to_ascii_uppercase().as_str() {
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "CNAME" => RecordType::Cname,
        "MX" => RecordType::Mx,
        "NS" => RecordType::Ns,
        "PTR" => RecordType::Ptr,
        "SRV" => RecordType::Srv,
        "TXT" => RecordType::Txt,
        other => {
            return Err(Fault::Unsupported(format!(
                "the machine's resolver is not asked for {other} records; name a server"
            )));
        }
    };
    let (origin, _) = permit(shared, Scheme::Dns, (&asked.name, 53), "resolve", false)?;
    let found = name::probe(shared, &origin, kind, clock.until()).await?;
    Ok(DnsFound {
        rcode: "NOERROR".to_owned(),
        data: found.records,
        answer: Vec::new(),
        authority: Vec::new(),
        additional: Vec::new(),
        address: String::new(),
        phases: clock.phases(),
    })
}

async fn server_probe(
    shared: &Shared,
    asked: &DnsAsk,
    server: &str,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<DnsFound> {
    let (origin, permit) = permit(shared, Scheme::Dns, (server, asked.port), "resolve", false)?;
    let (question, kind) = question(asked)?;
    let (answer, address) = match asked.tcp {
        true => over_tcp(shared, &permit, &question, family, clock).await?,
        false => over_udp(shared, &permit, &question, family, clock).await?,
    };
    shared.meter.read(answer.len() as u64);
    let damaged =
        |why: String| Fault::Damaged(format!("{origin}: its answer cannot be read: {why}"));
    let message = Message::from_octets(answer).map_err(|error| damaged(error.to_string()))?;
    let found = read(&message, kind).map_err(damaged)?;
    Ok(DnsFound {
        address: address.to_string(),
        phases: clock.phases(),
        ..found
    })
}

/// The question as it goes over the wire.
fn question(asked: &DnsAsk) -> FaultResult<(Message<Vec<u8>>, Rtype)> {
    let wrong = |what: &str, why: &dyn Display| {
        Fault::Invalid(format!("`{what}` cannot be asked for: {why}"))
    };
    let kind: Rtype = asked
        .kind
        .to_ascii_uppercase()
        .parse()
        .map_err(|_| wrong(&asked.kind, &"there is no such type of record"))?;
    let name: Name<Vec<u8>> = match asked.name.parse::<std::net::IpAddr>() {
        Ok(address) if kind == Rtype::PTR => {
            Name::reverse_from_addr(address).map_err(|error| wrong(&asked.name, &error))?
        }
        _ => asked
            .name
            .parse()
            .map_err(|error| wrong(&asked.name, &error))?,
    };
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_random_id();
    builder.header_mut().set_rd(asked.recursion);
    let mut builder = builder.question();
    builder
        .push((name, kind, Class::IN))
        .map_err(|error| wrong(&asked.name, &error))?;
    Ok((builder.into_message(), kind))
}

async fn over_udp(
    shared: &Shared,
    permit: &Permit<OriginUse>,
    question: &Message<Vec<u8>>,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<(Vec<u8>, SocketAddr)> {
    let origin = &permit.origin;
    let about = origin.to_string();
    permit.used_part(&about);
    let ip = resolve(shared, origin, family, clock).await?;
    let address = SocketAddr::new(ip, origin.port);
    shared.meter.reached(about.clone());
    let begun = Instant::now();
    let talk = datagrams(address, question);
    let answer = clock.step(&about, "waiting for the answer", talk).await?;
    let answer = answer.map_err(|error| Fault::Failed(format!("{origin}: {error}")))?;
    clock.first_byte(begun);
    let cut = Message::from_octets(answer.as_slice()).is_ok_and(|message| message.header().tc());
    match cut {
        // What does not fit into a datagram is asked for again.
        true => over_tcp(shared, permit, question, family, clock).await,
        false => Ok((answer, address)),
    }
}

/// Sends, and takes the first datagram that answers this question.
async fn datagrams(address: SocketAddr, question: &Message<Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(address).await?;
    socket.send(question.as_slice()).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let read = socket.recv(&mut buffer).await?;
        if answers(&buffer[..read], question) {
            buffer.truncate(read);
            return Ok(buffer);
        }
    }
}

fn answers(bytes: &[u8], question: &Message<Vec<u8>>) -> bool {
    Message::from_octets(bytes).is_ok_and(|message| {
        let (ours, theirs) = (question.header(), message.header());
        let same = match (question.sole_question(), message.sole_question()) {
            (Ok(ours), Ok(theirs)) => ours == theirs,
            // A server that refuses need not repeat the question.
            _ => message.header_counts().qdcount() == 0,
        };
        theirs.id() == ours.id() && theirs.qr() && same
    })
}

async fn over_tcp(
    shared: &Shared,
    permit: &Permit<OriginUse>,
    question: &Message<Vec<u8>>,
    family: Family,
    clock: &mut Clockwork,
) -> FaultResult<(Vec<u8>, SocketAddr)> {
    let (mut stream, address) = reach(shared, permit, family, clock).await?;
    let about = permit.origin.to_string();
    let begun = Instant::now();
    let talk = async {
        let length = u16::try_from(question.as_slice().len()).unwrap_or(u16::MAX);
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(question.as_slice());
        stream.write_all(&bytes).await?;
        let mut answer = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = clock.step(&about, "waiting for the answer", talk).await?;
    let answer = answer.map_err(|error| Fault::Failed(format!("{about}: {error}")))?;
    clock.first_byte(begun);
    match answers(&answer, question) {
        true => Ok((answer, address)),
        false => Err(Fault::Damaged(format!(
            "{about}: what came does not answer the question"
        ))),
    }
}

fn read(message: &Message<Vec<u8>>, kind: Rtype) -> Result<DnsFound, String> {
    let told = |error: domain::base::wire::ParseError| error.to_string();
    let (_, answer, authority, additional) = message.sections().map_err(told)?;
    let (answer, data) = records(answer, kind)?;
    let (authority, _) = records(authority, kind)?;
    let (additional, _) = records(additional, kind)?;
    Ok(DnsFound {
        rcode: message.header().rcode().to_string(),
        data,
        answer,
        authority,
        additional,
        address: String::new(),
        phases: Clockwork::new(Instant::now()).phases(),
    })
}

/// Whole records, and the data of those of one type.
fn records<'s>(
    section: RecordSection<'s, Vec<u8>>,
    kind: Rtype,
) -> Result<(Vec<String>, Vec<String>), String> {
    let (mut whole, mut data) = (Vec::new(), Vec::new());
    for record in section.limit_to::<AllRecordData<&'s [u8], ParsedName<&'s [u8]>>>() {
        let record = record.map_err(|error| error.to_string())?;
        let said = record.data().to_string();
        whole.push(format!(
            "{}\t{}\t{}\t{}\t{said}",
            record.owner().fmt_with_dot(),
            record.ttl().as_secs(),
            record.class(),
            record.rtype()
        ));
        if record.rtype() == kind {
            data.push(said);
        }
    }
    Ok((whole, data))
}
