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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use domain::base::iana::Class;
    use domain::base::{MessageBuilder, Ttl};
    use domain::rdata::{Cname, Mx, Ptr, Txt};
    use domain::resolv::stub::conf::{ServerConf, Transport};
    use tokio::net::UdpSocket;

    use super::*;

    fn name(text: &str) -> Name<Vec<u8>> {
        text.parse().unwrap()
    }

    /// What the name server of the tests knows.
    fn answer(request: &Message<Vec<u8>>) -> Vec<u8> {
        let question = request.sole_question().unwrap();
        let asked = question.qname().to_string();
        let builder = MessageBuilder::new_vec();
        let rcode = match asked.as_str() {
            "gone.example" => Rcode::NXDOMAIN,
            "broken.example" => Rcode::REFUSED,
            _ => Rcode::NOERROR,
        };
        let mut builder = builder.start_answer(request, rcode).unwrap();
        let owner = (question.qname(), Class::IN, Ttl::from_secs(60));
        let (qname, class, ttl) = owner;
        match question.qtype() {
            Rtype::MX => {
                builder
                    .push((qname, class, ttl, Cname::new(name("real.example."))))
                    .unwrap();
                let record = Mx::new(10, name("mail.example."));
                builder
                    .push((name("real.example."), class, ttl, record))
                    .unwrap();
            }
            Rtype::TXT => {
                let text = Txt::<Vec<u8>>::build_from_slice(b"v=spf1 -all").unwrap();
                builder.push((qname, class, ttl, text)).unwrap();
            }
            Rtype::PTR if asked == "1.2.0.192.in-addr.arpa" => {
                builder
                    .push((qname, class, ttl, Ptr::new(name("host.example."))))
                    .unwrap();
            }
            _ => {}
        }
        builder.finish()
    }

    async fn server(reply: fn(&Message<Vec<u8>>) -> Vec<u8>) -> ResolvConf {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address: SocketAddr = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((read, from)) = socket.recv_from(&mut buffer).await {
                let request = Message::from_octets(buffer[..read].to_vec()).unwrap();
                socket.send_to(&reply(&request), from).await.unwrap();
            }
        });
        let mut conf = ResolvConf::new();
        conf.servers
            .push(ServerConf::new(address, Transport::UdpTcp));
        conf.options.timeout = Duration::from_secs(5);
        conf
    }

    #[tokio::test]
    async fn records_in_their_presentation_form() {
        for (asked, kind, expected) in [
            (
                "example.org",
                RecordKind::Mx,
                ["10 mail.example."].as_slice(),
            ),
            ("example.org", RecordKind::Txt, &["\"v=spf1 -all\""]),
            ("192.0.2.1", RecordKind::Ptr, &["host.example."]),
            ("example.org", RecordKind::Srv, &[]),
        ] {
            let records = ask(server(answer).await, asked, kind).await.unwrap();
            assert_eq!(records, expected, "{asked} {kind:?}");
        }
    }

    #[tokio::test]
    async fn names_without_an_answer() {
        let conf = server(answer).await;
        let gone = ask(conf.clone(), "gone.example", RecordKind::Ns).await;
        assert!(matches!(gone, Err(Fault::NotFound(_))), "{gone:?}");
        let broken = ask(conf.clone(), "broken.example", RecordKind::Ns).await;
        assert!(matches!(broken, Err(Fault::Failed(_))), "{broken:?}");
        for bad in ["", "a..b", &"a".repeat(64), &"a.".repeat(200)] {
            let answer = ask(conf.clone(), bad, RecordKind::Ns).await;
            assert!(
                matches!(answer, Err(Fault::Invalid(_))),
                "{bad}: {answer:?}"
            );
        }
    }
}
