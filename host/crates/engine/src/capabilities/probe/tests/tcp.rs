//! Connections, greetings and silences.

use super::super::single::tcp;
use super::super::{TcpAnswer, origin};
use super::*;
use crate::network::Network;
use crate::network::bench::{Peer, Run, Told, receipt, serve};
use mhost_model::grant::Scheme;

async fn ask(
    run: Run,
    port: u16,
    send: Option<&[u8]>,
    max: u32,
    millis: u64,
) -> FaultResult<TcpAnswer> {
    let peer = ("127.0.0.1".to_owned(), port);
    let send = send.map(<[u8]>::to_vec);
    tcp(&run.shared(), peer, send, max, soon(millis)).await
}

#[tokio::test]
async fn what_a_peer_says() {
    let banner = b"220 ready\r\n".to_vec();
    for (peer, send, max, expected) in [
        (
            Peer::Greets(banner.clone()),
            None,
            1024,
            b"220 ready\r\n".as_slice(),
        ),
        (Peer::Greets(banner.clone()), None, 3, b"220"),
        (Peer::Greets(banner), None, 0, b""),
        (Peer::Echoes, Some(b"ping".as_slice()), 4, b"ping"),
        (
            Peer::Answers(b"+PONG".to_vec()),
            Some(b"PING\r\n\r\n"),
            65536,
            b"+PONG",
        ),
    ] {
        let peer = serve(peer, None).await;
        let port = peer.address.port();
        let run = Run::granted(&[&format!("tcp://127.0.0.1:{port}")]);
        let answer = ask(run, port, send, max, 20_000).await.unwrap();
        assert_eq!(answer.received, expected);
        assert_eq!(answer.address, peer.address.to_string());
        assert!(answer.timings.connect > 0);
        assert_eq!(answer.timings.exchange > 0, max > 0);
    }
}

#[tokio::test]
async fn the_time_is_kept_whatever_the_peer_does() {
    for peer in [Peer::Silent, Peer::Babbles(b"x")] {
        let peer = serve(peer, None).await;
        let port = peer.address.port();
        let run = Run::granted(&[&format!("tcp://127.0.0.1:{port}")]);
        let begun = Instant::now();
        let answer = ask(run, port, Some(b"\r\n\r\n"), 65536, 150).await.unwrap();
        assert!(answer.received.len() < 1000);
        let took = begun.elapsed();
        assert!(
            (Duration::from_millis(140)..Duration::from_secs(10)).contains(&took),
            "{took:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_granted_or_makes_no_sense() {
    let peer = serve(Peer::Greets(b"hello".to_vec()), None).await;
    let port = peer.address.port();
    let granted = format!("tcp://127.0.0.1:{port}");
    let tls = format!("tls://127.0.0.1:{port}");
    assert_eq!(
        kind(&ask(Run::granted(&[&tls]), port, None, 1, 1000).await),
        "denied"
    );
    assert_eq!(
        kind(&ask(Run::granted(&[&granted]), port, None, 65537, 1000).await),
        "invalid"
    );
    let much = vec![0; 65537];
    assert_eq!(
        kind(&ask(Run::granted(&[&granted]), port, Some(&much), 1, 1000).await),
        "invalid"
    );
    let mut dry = Run::granted(&[&granted]);
    dry.dry_run = true;
    assert_eq!(
        kind(&ask(dry, port, Some(b"DROP"), 1, 1000).await),
        "dry-run"
    );
    assert_eq!(peer.count(), 0);
    let mut dry = Run::granted(&[&granted]);
    dry.dry_run = true;
    assert_eq!(kind(&ask(dry, port, None, 1, 1000).await), "ok");
    for host in ["", "a b", "a/b", "u@h", "a:b:c:"] {
        assert_eq!(kind(&origin(Scheme::Tcp, host, 1)), "invalid", "{host:?}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine() {
    let peer = serve(Peer::Greets(b"hello".to_vec()), None).await;
    let port = peer.address.port();
    for address in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "fd00:ec2::254",
    ] {
        let mut run = Run::granted(&[&format!("tcp://rebind.example:{port}")]);
        run.network = Network::new(Told::new(&[address]), Vec::new());
        let shared = run.shared();
        let peer = ("Rebind.Example.".to_owned(), port);
        let answer = tcp(&shared, peer, None, 10, soon(5000)).await;
        assert_eq!(kind(&answer), "denied", "{address}");
        assert_eq!(receipt(&shared).denied.len(), 1);
    }
    assert_eq!(peer.count(), 0);
}

#[tokio::test]
async fn nobody_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let run = Run::granted(&[&format!("tcp://127.0.0.1:{port}")]);
    assert_eq!(kind(&ask(run, port, None, 1, 5000).await), "failed");
}
