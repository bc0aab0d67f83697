//! TLS, and peers that are not there.

use super::*;
use crate::network::Network;
use crate::network::bench::{Authority, Peer, Run, Told, serve};

#[tokio::test]
async fn only_a_certificate_that_is_trusted_and_fits_will_do() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (acceptor, expected) in [
        (ours.acceptor(&["localhost"], 2099), "ok"),
        (theirs.acceptor(&["localhost"], 2099), "TlsCertificateError"),
        (ours.acceptor(&["example.org"], 2099), "TlsCertificateError"),
        (ours.acceptor(&["localhost"], 2021), "TlsCertificateError"),
    ] {
        let peer = serve(Peer::Answers(OK.to_vec()), Some(acceptor)).await;
        let origin = format!("https://localhost:{}", peer.address.port());
        let mut run = Run::granted(&[&origin]);
        run.network = Network::new(Told::new(&[]), vec![ours.root()]);
        assert_eq!(name(&get(&run.shared(), &origin).await), expected);
    }
}

#[tokio::test]
async fn a_certificate_for_an_address_fits_the_address() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["127.0.0.1"], 2099);
    let peer = serve(Peer::Answers(OK.to_vec()), Some(acceptor)).await;
    let origin = format!("https://{}", peer.address);
    let mut run = Run::granted(&[&origin]);
    run.network = Network::new(Told::new(&[]), vec![authority.root()]);
    assert_eq!(name(&get(&run.shared(), &origin).await), "ok");
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_and_one_that_is_not_there() {
    let peer = serve(Peer::Greets(b"220 hello\r\n".to_vec()), None).await;
    let origin = format!("https://{}", peer.address);
    let shared = Run::granted(&[&origin]).shared();
    assert_eq!(name(&get(&shared, &origin).await), "TlsProtocolError");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let shared = Run::granted(&[&origin]).shared();
    assert_eq!(name(&get(&shared, &origin).await), "ConnectionRefused");
}
