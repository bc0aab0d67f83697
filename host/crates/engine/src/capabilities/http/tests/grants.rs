//! Which requests go out at all.

use super::*;
use crate::network::Network;
use crate::network::bench::{Peer, Run, Told, receipt, serve};

#[tokio::test]
async fn a_granted_request_is_sent_and_counted() {
    let peer = serve(Peer::Answers(OK.to_vec()), None).await;
    let origin = format!("http://{}", peer.address);
    let shared = Run::granted(&[&origin]).shared();
    let response = get(&shared, &format!("{origin}/path?query=1"))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(text(response).await.unwrap(), "hi");
    assert!(
        peer.heard().starts_with("GET /path?query=1 HTTP/1.1\r\n"),
        "{}",
        peer.heard()
    );
    let receipt = receipt(&shared);
    assert_eq!(receipt.bytes_read, 2);
    assert!(receipt.hosts.contains(&origin));
    assert!(receipt.used["net"].verbs.contains("GET"));
    assert!(receipt.used["net"].parts.contains(&origin));
}

#[tokio::test]
async fn a_peer_that_refuses_was_reached_out_to() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let shared = Run::granted(&[&origin]).shared();
    assert_eq!(name(&get(&shared, &origin).await), "ConnectionRefused");
    let refused = receipt(&shared);
    assert!(refused.used["net"].parts.contains(&origin));
    assert!(refused.hosts.contains(&origin));
    // A name that leads where none may: tried, and nothing went out.
    let mut run = Run::granted(&["http://inside.example"]);
    run.network = Network::new(Told::new(&["127.0.0.1"]), Vec::new());
    let shared = run.shared();
    let forbidden = get(&shared, "http://inside.example").await;
    assert_eq!(name(&forbidden), "DestinationIpProhibited");
    let forbidden = receipt(&shared);
    assert!(
        forbidden.used["net"]
            .parts
            .contains("http://inside.example")
    );
    assert!(forbidden.hosts.is_empty());
}

#[tokio::test]
async fn an_ungranted_origin_is_denied_with_the_grant_to_add() {
    let peer = serve(Peer::Answers(OK.to_vec()), None).await;
    let port = peer.address.port();
    let shared = Run::granted(&["http://127.0.0.1:1", "https://example.org"]).shared();
    for uri in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "https://127.0.0.1:1/".to_owned(),
        "http://example.org/".to_owned(),
        "https://example.org:8443/".to_owned(),
        "https://sub.example.org/".to_owned(),
        "https://example.org.evil.example/".to_owned(),
    ] {
        assert_eq!(
            name(&get(&shared, &uri).await),
            "HttpRequestDenied",
            "{uri}"
        );
    }
    assert_eq!(peer.count(), 0);
    let denied = receipt(&shared).denied;
    assert_eq!(denied.len(), 8);
    let wanted = format!("\"http://127.0.0.1:{port}\"");
    let remedy = denied.iter().find(|denial| denial.remedy.contains(&wanted));
    assert!(remedy.unwrap().remedy.contains("net = ["));
}

#[tokio::test]
async fn authorities_that_say_one_thing_and_mean_another() {
    let shared = Run::granted(&["http://example.org", "http://127.0.0.1"]).shared();
    for uri in [
        "http://example.org@127.0.0.1/",
        "http://user:word@example.org/",
    ] {
        assert_eq!(
            name(&get(&shared, uri).await),
            "HttpRequestUriInvalid",
            "{uri}"
        );
    }
    let tunnel = send(
        &shared,
        request("CONNECT", "http://example.org/", b""),
        None,
    )
    .await;
    assert_eq!(name(&tunnel), "HttpRequestMethodInvalid");
}

#[tokio::test]
async fn a_redirect_is_the_guests_to_follow_and_checked_again() {
    let hidden = serve(Peer::Answers(OK.to_vec()), None).await;
    let target = format!("http://{}/secret", hidden.address);
    let moved = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
    let peer = serve(Peer::Answers(moved.into_bytes()), None).await;
    let origin = format!("http://{}", peer.address);
    let shared = Run::granted(&[&origin]).shared();
    let response = get(&shared, &origin).await.unwrap();
    assert_eq!(response.status(), 302);
    let location = response.headers()["location"].to_str().unwrap();
    assert_eq!(name(&get(&shared, location).await), "HttpRequestDenied");
    assert_eq!(hidden.count(), 0);
    assert_eq!(receipt(&shared).denied.len(), 1);
}

#[tokio::test]
async fn a_dry_run_only_looks() {
    let peer = serve(Peer::Answers(OK.to_vec()), None).await;
    let origin = format!("http://{}", peer.address);
    let mut run = Run::granted(&[&origin]);
    run.dry_run = true;
    let shared = run.shared();
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE",
    ] {
        let answer = send(&shared, request(method, &origin, b""), None).await;
        assert_eq!(name(&answer), "HttpRequestDenied", "{method}");
    }
    assert_eq!(peer.count(), 0);
    assert_eq!(receipt(&shared).withheld.len(), 7);
    for method in ["GET", "HEAD"] {
        let answer = send(&shared, request(method, &origin, b""), None).await;
        assert_eq!(name(&answer), "ok", "{method}");
    }
}

#[tokio::test]
async fn what_is_sent_is_of_the_write_budget() {
    let peer = serve(Peer::Answers(OK.to_vec()), None).await;
    let origin = format!("http://{}", peer.address);
    let mut run = Run::granted(&[&origin]);
    run.limits.write = Some(mhost_model::ByteSize(100));
    let shared = run.shared();
    let answer = send(&shared, request("POST", &origin, &[b'x'; 60]), None).await;
    assert_eq!(name(&answer), "ok");
    let answer = send(&shared, request("POST", &origin, &[b'x'; 60]), None).await;
    assert_ne!(name(&answer), "ok");
    assert_eq!(receipt(&shared).bytes_written, 60);
}
