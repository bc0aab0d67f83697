//! Names that lead where no name may.

use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::network::Network;
use crate::network::bench::{Peer, Run, Told, receipt, serve};

#[tokio::test]
async fn a_name_never_reaches_this_machine_or_its_neighbours() {
    let peer = serve(Peer::Answers(OK.to_vec()), None).await;
    let origin = format!("http://rebind.example:{}", peer.address.port());
    for addresses in [
        ["127.0.0.1"].as_slice(),
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["169.254.169.254"],
        &["fd00:ec2::254"],
        &["10.0.0.1", "127.0.0.1"],
        &["0.0.0.0"],
        &["::"],
    ] {
        let told = Told::new(addresses);
        let mut run = Run::granted(&[&origin]);
        run.network = Network::new(told.clone(), Vec::new());
        let shared = run.shared();
        let answer = get(&shared, &origin).await;
        assert_eq!(name(&answer), "DestinationIpProhibited", "{addresses:?}");
        assert_eq!(told.asked.load(SeqCst), 1, "{addresses:?}");
        let denied = receipt(&shared).denied;
        assert_eq!(denied.len(), 1, "{addresses:?}");
        assert!(denied.first().unwrap().remedy.contains(addresses[0]));
    }
    assert_eq!(peer.count(), 0);
}

#[tokio::test]
async fn a_name_without_an_address() {
    let mut run = Run::granted(&["http://nowhere.example"]);
    run.network = Network::new(Told::new(&[]), Vec::new());
    assert_eq!(
        name(&get(&run.shared(), "http://nowhere.example/").await),
        "DnsError"
    );
}

/// The operator's own words for this machine are taken as they stand, and nobody is asked.
#[tokio::test]
async fn what_is_written_as_an_address_is_meant() {
    let peer = serve(Peer::Answers(OK.to_vec()), None).await;
    let port = peer.address.port();
    for host in ["127.0.0.1", "localhost", "LOCALHOST"] {
        let origin = format!("http://{host}:{port}");
        let told = Told::new(&["192.0.2.1"]);
        let mut run = Run::granted(&[&origin]);
        run.network = Network::new(told.clone(), Vec::new());
        assert_eq!(name(&get(&run.shared(), &origin).await), "ok", "{host}");
        assert_eq!(told.asked.load(SeqCst), 0, "{host}");
    }
}
