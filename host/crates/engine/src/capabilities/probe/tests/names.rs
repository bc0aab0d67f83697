//! Names asked of the resolver.

use super::super::contract::RecordType;
use super::super::name::probe;
use super::super::origin;
use super::*;
use crate::network::Network;
use crate::network::bench::{Run, Told};
use mhost_model::grant::Scheme;

async fn ask(name: &str, kind: RecordType) -> FaultResult<Vec<String>> {
    let mut run = Run::granted(&[
        "dns://example.org",
        "dns://silent.example",
        "dns://none.example",
    ]);
    run.network = Network::new(
        Told::new(&["192.0.2.1", "2001:db8::1", "127.0.0.1"]),
        Vec::new(),
    );
    let origin = origin(Scheme::Dns, name, 53)?;
    let answer = probe(&run.shared(), &origin, kind, soon(100)).await?;
    assert!(answer.timings.resolve > 0);
    Ok(answer.records)
}

#[tokio::test]
async fn addresses_by_family_and_other_records() {
    for (kind, expected) in [
        (RecordType::A, ["192.0.2.1", "127.0.0.1"].as_slice()),
        (RecordType::Aaaa, &["2001:db8::1"]),
        (RecordType::Mx, &["Mx of example.org"]),
        (RecordType::Txt, &["Txt of example.org"]),
    ] {
        assert_eq!(ask("Example.org.", kind).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn names_that_are_not_granted_not_there_or_not_answered() {
    for (name, kind_of, expected) in [
        ("other.example", RecordType::A, "denied"),
        ("none.example", RecordType::Mx, "not-found"),
        ("silent.example", RecordType::A, "timed-out"),
        ("silent.example", RecordType::Srv, "timed-out"),
        ("a b", RecordType::A, "invalid"),
    ] {
        assert_eq!(kind(&ask(name, kind_of).await), expected, "{name}");
    }
}
