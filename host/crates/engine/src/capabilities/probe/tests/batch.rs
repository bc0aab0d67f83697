//! Many probes at the same time: each with its own grant, deadline and answer.

use std::sync::Arc;

use super::super::batch::Batch;
use super::super::contract::{
    Answer, Ask, DnsAsk, Family, Found, HttpAsk, HttpVersion, IcmpAsk, Question, TcpAsk, TlsOptions,
};
use super::*;
use crate::network::Network;
use crate::network::bench::{Authority, Peer, Run, Told, receipt, serve};
use crate::state::Shared;

fn ask(id: u32, question: Question, timeout_ms: u32) -> Ask {
    Ask {
        id,
        question,
        family: Family::Any,
        timeout_ms,
        delay_ms: 0,
    }
}

fn http(method: &str, url: &str) -> Question {
    Question::Http(HttpAsk {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        speak: HttpVersion::Any,
        tls: TlsOptions {
            server_name: None,
            trusted: true,
            authorities: None,
            tls13_only: false,
        },
        redirects: 0,
        keep: 1024,
        read: 1 << 16,
    })
}

fn tcp(port: u16, send: Option<&[u8]>) -> Question {
    Question::Tcp(TcpAsk {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        from_start: false,
        steps: Vec::new(),
        send: send.map(<[u8]>::to_vec),
        listen: 64,
        until: None,
    })
}

/// All answers, by id; the time that they took.
async fn answers(shared: &Arc<Shared>, limit: u32, asks: Vec<Ask>) -> (Vec<Answer>, Duration) {
    let begun = Instant::now();
    let mut batch = Batch::new(limit).unwrap();
    batch.add(shared, asks).unwrap();
    let mut all = Vec::new();
    loop {
        let news = batch.next(16, Duration::from_secs(5)).await;
        all.extend(news.answers);
        if news.open == 0 {
            break;
        }
    }
    all.sort_by_key(|answer| answer.id);
    (all, begun.elapsed())
}

fn word(answer: &Answer) -> &'static str {
    use crate::bindings::mhost::plugin::faults::Error;
    match &answer.found {
        Ok(_) => "ok",
        Err(Error::Denied(_)) => "denied",
        Err(Error::DryRun(_)) => "dry-run",
        Err(Error::TimedOut(_)) => "timed-out",
        Err(Error::Invalid(_)) => "invalid",
        Err(Error::NotFound(_)) => "not-found",
        Err(_) => "failed",
    }
}

#[tokio::test]
async fn each_ask_needs_its_own_grant() {
    let web = serve(
        Peer::Answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()),
        None,
    )
    .await;
    let other = serve(Peer::Silent, None).await;
    let url = format!("http://{}/", web.address);
    let elsewhere = format!("http://{}/", other.address);
    let mut run = Run::granted(&[&url, "http://private.example"]);
    run.network = Network::new(Told::new(&["10.0.0.1"]), Vec::new());
    let shared = run.shared();
    let dns = DnsAsk {
        name: "a.example".to_owned(),
        kind: "A".to_owned(),
        server: Some("127.0.0.1".to_owned()),
        port: 53,
        tcp: false,
        recursion: true,
    };
    let icmp = IcmpAsk {
        host: "127.0.0.1".to_owned(),
        size: 32,
    };
    let asks = [
        (http("GET", &url), "ok"),
        (http("GET", &elsewhere), "denied"),
        (http("GET", "http://private.example/"), "denied"),
        (http("GET", "http://user@private.example/"), "invalid"),
        (http("CONNECT", &url), "invalid"),
        (tcp(other.address.port(), None), "denied"),
        (Question::Dns(dns), "denied"),
        (Question::Icmp(icmp), "denied"),
    ];
    let expected: Vec<_> = asks.iter().map(|(_, expected)| *expected).collect();
    let asks = asks.into_iter().zip(0..);
    let asks = asks.map(|((question, _), id)| ask(id, question, 20_000));
    let (found, _) = answers(&shared, 4, asks.collect()).await;
    assert_eq!(found.iter().map(word).collect::<Vec<_>>(), expected);
    assert_eq!(other.count(), 0, "nobody was asked without a grant");
    let Ok(Found::Http(answer)) = &found[0].found else {
        panic!("{:?}", found[0]);
    };
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"ok".as_slice())
    );
    let receipt = receipt(&shared);
    assert_eq!(receipt.denied.len(), 5);
    assert_eq!(receipt.hosts.len(), 1);
}

/// Nothing is said to a peer that is not trusted, but what it showed is known.
#[tokio::test]
async fn a_certificate_that_is_refused_is_handed_out() {
    let authority = Authority::new();
    let (old, good) = (
        serve(Peer::Silent, Some(authority.acceptor(&["localhost"], 2021))).await,
        serve(Peer::Silent, Some(authority.acceptor(&["localhost"], 2099))).await,
    );
    let urls = [&old, &good].map(|peer| format!("https://localhost:{}/", peer.address.port()));
    let mut run = Run::granted(&[&urls[0], &urls[1]]);
    run.network = Network::new(Told::new(&[]), vec![authority.root()]);
    let asks = vec![
        ask(0, http("GET", &urls[0]), 20_000),
        ask(1, http("GET", &urls[1]), 300),
    ];
    let (found, _) = answers(&run.shared(), 4, asks).await;
    assert_eq!(
        found.iter().map(word).collect::<Vec<_>>(),
        ["failed", "timed-out"]
    );
    let presented = found[0].presented.as_ref().unwrap();
    assert!(presented.distrust.as_ref().unwrap().contains("expired"));
    assert_eq!(presented.chain[0].names, ["localhost"]);
    assert!(found[1].presented.is_none());
}

#[tokio::test]
async fn a_dry_run_says_nothing() {
    let peer = serve(Peer::Echoes, None).await;
    let (url, port) = (format!("http://{}/", peer.address), peer.address.port());
    let mut run = Run::granted(&[&url, &format!("tcp://{}", peer.address)]);
    run.dry_run = true;
    let asks = vec![
        ask(0, http("POST", &url), 1000),
        ask(1, tcp(port, Some(b"hello")), 1000),
    ];
    let (found, _) = answers(&run.shared(), 4, asks).await;
    assert_eq!(
        found.iter().map(word).collect::<Vec<_>>(),
        ["dry-run", "dry-run"]
    );
    assert_eq!(peer.count(), 0);
}

#[tokio::test]
async fn every_deadline_is_kept_and_no_more_are_asked_than_allowed() {
    let silent = serve(Peer::Silent, None).await;
    let drips = serve(Peer::Drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), None).await;
    let urls = [&silent, &drips].map(|peer| format!("http://{}/", peer.address));
    let shared = Run::granted(&[&urls[0], &urls[1]]).shared();
    let asks = (0..8).map(|id| ask(id, http("GET", &urls[id as usize % 2]), 300));
    let (found, took) = answers(&shared, 4, asks.collect()).await;
    assert!(
        found.iter().all(|answer| word(answer) == "timed-out"),
        "{found:?}"
    );
    // Two rounds of four, each of 300 ms.
    assert!(took >= Duration::from_millis(600), "{took:?}");
    assert!(took < Duration::from_millis(5000), "{took:?}");
}

#[tokio::test]
async fn dropping_a_batch_ends_its_probes() {
    let silent = serve(Peer::Silent, None).await;
    let url = format!("http://{}/", silent.address);
    let shared = Run::granted(&[&url]).shared();
    let mut batch = Batch::new(2).unwrap();
    let asks = (0..3).map(|id| ask(id, http("GET", &url), 60_000));
    batch.add(&shared, asks.collect()).unwrap();
    let news = batch.next(1, Duration::from_millis(50)).await;
    assert_eq!((news.answers.len(), news.open), (0, 3));
    let held = Arc::strong_count(&shared);
    assert!(held > 1);
    drop(batch);
    while Arc::strong_count(&shared) > 1 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn limits_of_a_batch() {
    for limit in [0, 1025] {
        assert!(Batch::new(limit).is_err());
    }
}
