//! Peers that are slow, silent, or never stop.

use std::time::Instant;

use super::*;
use crate::network::Network;
use crate::network::bench::{Authority, Peer, Run, Told, serve};

async fn silent_connection(millis: u64, time: Duration) -> (String, Duration) {
    let peer = serve(Peer::Silent, None).await;
    let origin = format!("https://{}", peer.address);
    let mut run = Run::granted(&[&origin]);
    run.time = time;
    let begun = Instant::now();
    let answer = send(&run.shared(), request("GET", &origin, b""), waiting(millis)).await;
    (name(&answer), begun.elapsed())
}

#[tokio::test]
async fn a_silent_handshake_ends_by_the_options_or_the_runs_deadline() {
    for (millis, time) in [
        (50, Duration::from_secs(60)),
        (60_000, Duration::from_millis(50)),
    ] {
        let (answer, took) = silent_connection(millis, time).await;
        assert_eq!(answer, "ConnectionTimeout");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[tokio::test]
async fn a_resolver_that_does_not_answer() {
    let mut run = Run::granted(&["http://silent.example"]);
    run.network = Network::new(Told::new(&[]), Vec::new());
    let uri = "http://silent.example/";
    let answer = send(&run.shared(), request("GET", uri, b""), waiting(50)).await;
    assert_eq!(name(&answer), "ConnectionTimeout");
}

#[tokio::test]
async fn heads_and_bodies_that_do_not_come() {
    for (peer, expected) in [
        (Peer::Lingers(Vec::new()), "ConnectionReadTimeout"),
        (
            Peer::Lingers(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
            "ConnectionReadTimeout",
        ),
        (
            Peer::Lingers(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi".to_vec()),
            "ConnectionReadTimeout",
        ),
        (
            Peer::Answers(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi".to_vec()),
            "Hyper",
        ),
        (Peer::Answers(Vec::new()), "Hyper"),
        (Peer::Answers(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), "Hyper"),
        (
            Peer::Drips(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
            "ConnectionReadTimeout",
        ),
    ] {
        let peer = serve(peer, None).await;
        let origin = format!("http://{}", peer.address);
        let shared = Run::granted(&[&origin]).shared();
        let answer = send(&shared, request("GET", &origin, b""), waiting(200)).await;
        let answer = match answer {
            Ok(response) => text(response).await,
            Err(error) => Err(error),
        };
        assert_eq!(name(&answer), expected);
    }
}

/// Each piece comes in time, but they never end; the run does.
#[tokio::test]
async fn a_dripping_body_ends_with_the_run() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let peer = serve(Peer::Drips(head, b"1\r\nx\r\n"), None).await;
    let origin = format!("http://{}", peer.address);
    let mut run = Run::granted(&[&origin]);
    run.time = Duration::from_millis(150);
    let shared = run.shared();
    let response = get(&shared, &origin).await.unwrap();
    assert_eq!(name(&text(response).await), "ConnectionReadTimeout");
    assert!(Instant::now() >= shared.deadline);
}

#[test]
fn the_usual_patience_is_half_a_minute_at_most() {
    let soon = Instant::now() + Duration::from_secs(1);
    let far = Instant::now() + Duration::from_secs(3600);
    let waits = super::super::Waits::new(None, far);
    for wait in [waits.connect, waits.first_byte, waits.between_bytes] {
        assert_eq!(wait, Duration::from_secs(30));
        assert!(waits.until(wait) < far);
    }
    let long = waiting(u64::MAX);
    let waits = super::super::Waits::new(long, soon);
    assert_eq!(waits.until(waits.connect), soon);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_cut_off() {
    let shared = Run::granted(&[]).shared();
    let waits = super::super::Waits::new(None, shared.deadline);
    for (left, expected) in [(10, "ok"), (9, "HttpResponseBodySize")] {
        let body = Full::new(Bytes::from_static(b"0123456789"))
            .map_err(|never| -> Error { match never {} });
        let received = super::super::body::Received::up_to(left, body, waits, Arc::clone(&shared));
        assert_eq!(name(&received.collect().await), expected);
    }
}

#[tokio::test]
async fn nothing_is_received_once_the_run_is_over() {
    let authority = Authority::new();
    let peer = serve(
        Peer::Lingers(OK.to_vec()),
        Some(authority.acceptor(&["localhost"], 2099)),
    )
    .await;
    let origin = format!("https://localhost:{}", peer.address.port());
    let mut run = Run::granted(&[&origin]);
    run.network = Network::new(Told::new(&[]), vec![authority.root()]);
    let shared = run.shared();
    let response = get(&shared, &origin).await.unwrap();
    shared.over.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(name(&text(response).await), "ConnectionReadTimeout");
}
