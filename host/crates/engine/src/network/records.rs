//! Records other than addresses, asked of the servers in `/etc/resolv.conf`. No
//! answer is kept: a health check wants to know how it is now.

use std::io;
use std::net::IpAddr;

use domain::base::iana::Rcode;
use domain::base::{Message, Name, ParsedName, Rtype};
use domain::rdata::AllRecordData;
use domain::resolv::StubResolver;
use domain::resolv::stub::conf::ResolvConf;
use mhost_model::{Fault, FaultResult};

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    Cname,
    Mx,
    Ns,
    /// Of a name, or of an address, which is turned round for the question.
    Ptr,
    Srv,
    Txt,
}

impl RecordKind {
    fn code(self) -> Rtype {
        match self {
            Self::Cname => Rtype::CNAME,
            Self::Mx => Rtype::MX,
            Self::Ns => Rtype::NS,
            Self::Ptr => Rtype::PTR,
            Self::Srv => Rtype::SRV,
            Self::Txt => Rtype::TXT,
        }
    }
}

/// The records of this kind, in the order of the answer.
pub(super) async fn ask(
    servers: ResolvConf,
    name: &str,
    kind: RecordKind,
) -> FaultResult<Vec<String>> {
    let question = question(name, kind)?;
    let resolver = StubResolver::from_conf(servers);
    let answer = resolver.query((question, kind.code())).await;
    let answer = answer.map_err(|error| unanswered(name, &error))?;
    match answer.header().rcode() {
        Rcode::NOERROR => read(&answer.into_message(), kind).map_err(|why| {
            Fault::Damaged(format!("the answer for `{name}` cannot be read: {why}"))
        }),
        Rcode::NXDOMAIN => Err(Fault::NotFound(format!("there is no name `{name}`"))),
        code => Err(Fault::Failed(format!(
            "the name server answered {code} for `{name}`"
        ))),
    }
}

fn question(name: &str, kind: RecordKind) -> FaultResult<Name<Vec<u8>>> {
    let wrong = |why: &dyn std::fmt::Display| {
        Fault::Invalid(format!("`{name}` is no name to ask for: {why}"))
    };
    match name.parse::<IpAddr>() {
        Ok(address) if kind == RecordKind::Ptr => {
            Name::reverse_from_addr(address).map_err(|error| wrong(&error))
        }
        _ => name.parse().map_err(|error| wrong(&error)),
    }
}

fn read(message: &Message<impl AsRef<[u8]>>, kind: RecordKind) -> Result<Vec<String>, String> {
    let message = Message::from_octets(message.as_slice()).map_err(|error| error.to_string())?;
    let answers = message.answer().map_err(|error| error.to_string())?;
    let mut records = Vec::new();
    for record in answers.limit_to_in::<AllRecordData<&[u8], ParsedName<&[u8]>>>() {
        let record = record.map_err(|error| error.to_string())?;
        // A chain of aliases stands before what was asked for.
        if record.rtype() == kind.code() {
            records.push(record.data().to_string());
        }
    }
    Ok(records)
}

fn unanswered(name: &str, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::TimedOut => Fault::TimedOut(format!("no name server answered for `{name}`")),
        _ => Fault::Failed(format!("cannot ask for `{name}`: {error}")),
    }
}
