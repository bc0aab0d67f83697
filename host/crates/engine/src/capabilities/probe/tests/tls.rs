//! Handshakes, and what is wrong with certificates.

use super::super::TlsAnswer;
use super::super::single::tls;
use super::*;
use crate::network::Network;
use crate::network::bench::{Authority, Peer, Run, Told, serve};

async fn ask(
    authority: &Authority,
    port: u16,
    server_name: Option<&str>,
    millis: u64,
) -> FaultResult<TlsAnswer> {
    let mut run = Run::granted(&[&format!("tls://localhost:{port}")]);
    run.network = Network::new(Told::new(&[]), vec![authority.root()]);
    let peer = ("localhost".to_owned(), port);
    let name = server_name.map(str::to_owned);
    tls(&run.shared(), peer, name, soon(millis)).await
}

#[tokio::test]
async fn certificates_are_reported_trusted_or_not() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (authority, name, year, server_name, distrust) in [
        (&ours, "localhost", 2099, None, None),
        (&ours, "mail.example", 2099, Some("mail.example"), None),
        (&ours, "mail.example", 2099, None, Some("not valid for")),
        (&ours, "localhost", 2021, None, Some("expired")),
        (&theirs, "localhost", 2099, None, Some("UnknownIssuer")),
    ] {
        let peer = serve(
            Peer::Silent,
            Some(authority.acceptor(&[name, "192.0.2.7"], year)),
        )
        .await;
        let answer = ask(&ours, peer.address.port(), server_name, 20_000)
            .await
            .unwrap();
        assert_eq!(answer.version, "TLSv1.3");
        assert!(answer.cipher.starts_with("TLS13_"), "{}", answer.cipher);
        assert_eq!(answer.address, peer.address.to_string());
        let certificate = &answer.chain[0];
        assert_eq!(certificate.names, [name, "192.0.2.7"]);
        assert_eq!(certificate.not_before, 1_577_836_800_000);
        assert_eq!(certificate.fingerprint.len(), 64);
        assert!(!certificate.serial.is_empty() && certificate.issuer.contains("authority"));
        match (distrust, &answer.distrust) {
            (None, found) => assert_eq!(found, &None),
            (Some(expected), Some(found)) => assert!(found.contains(expected), "{found}"),
            (Some(expected), None) => panic!("trusted, and not {expected}"),
        }
        assert!(answer.timings.handshake > 0);
    }
}

#[tokio::test]
async fn peers_that_shake_no_hands() {
    let authority = Authority::new();
    for (peer, expected) in [
        (Peer::Silent, "timed-out"),
        (Peer::Babbles(b"\x16\x03\x03"), "timed-out"),
        (Peer::Greets(b"220 mail ready\r\n".to_vec()), "failed"),
    ] {
        let peer = serve(peer, None).await;
        let answer = ask(&authority, peer.address.port(), None, 200).await;
        assert_eq!(kind(&answer), expected);
    }
    assert_eq!(
        kind(&ask(&authority, 1, Some("not a name"), 200).await),
        "invalid"
    );
}

#[tokio::test]
async fn a_plain_connection_is_not_granted_by_it() {
    let peer = serve(Peer::Silent, None).await;
    let port = peer.address.port();
    let run = Run::granted(&[&format!("tcp://localhost:{port}")]);
    let asked = ("localhost".to_owned(), port);
    let answer = tls(&run.shared(), asked, None, soon(1000)).await;
    assert_eq!(kind(&answer), "denied");
    assert_eq!(peer.count(), 0);
}
