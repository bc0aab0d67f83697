//! Ports, certificates and names, with a network of the test's own.

use std::time::Duration;

use mhost_sdk::Error;
use mhost_sdk::probe::{Certificate, DnsAnswer, Probe, RecordType, TcpAnswer, Timings, TlsAnswer};
use mhost_sdk::testing::NativeHost;
use serde_json::json;

use super::run;

const DAY: u64 = 86_400_000;
const NOW: u64 = 1_772_323_200_000;

/// A port that greets, and a certificate.
struct Net {
    not_before: u64,
    not_after: u64,
    distrust: Option<String>,
}

impl Default for Net {
    fn default() -> Self {
        Self {
            not_before: NOW - DAY,
            not_after: NOW + 30 * DAY,
            distrust: None,
        }
    }
}

fn timings() -> Timings {
    Timings {
        resolve: 0,
        connect: 2_000_000,
        handshake: 0,
        exchange: 1_000_000,
    }
}

impl Probe for Net {
    fn tcp(
        &self,
        host: &str,
        port: u16,
        send: Option<&[u8]>,
        max_bytes: u32,
        timeout: Duration,
    ) -> mhost_sdk::Result<TcpAnswer> {
        if port != 25 {
            return Err(Error::TimedOut(format!(
                "{host}:{port} did not answer within {timeout:?}"
            )));
        }
        assert_eq!((send.is_some(), max_bytes > 0), (true, true));
        Ok(TcpAnswer {
            address: "192.0.2.1:25".to_owned(),
            received: b"220 ready".to_vec(),
            timings: timings(),
        })
    }

    fn tls(&self, _: &str, _: u16, _: Option<&str>, _: Duration) -> mhost_sdk::Result<TlsAnswer> {
        Ok(TlsAnswer {
            address: "192.0.2.1:443".to_owned(),
            version: "TLSv1.3".to_owned(),
            cipher: "x".to_owned(),
            chain: vec![Certificate {
                subject: "CN=a".to_owned(),
                issuer: "CN=ca".to_owned(),
                serial: "01".to_owned(),
                not_before: self.not_before,
                not_after: self.not_after,
                names: vec!["a".to_owned()],
                fingerprint: "00".to_owned(),
            }],
            distrust: self.distrust.clone(),
            timings: timings(),
        })
    }

    fn resolve(&self, _: &str, kind: RecordType, _: Duration) -> mhost_sdk::Result<DnsAnswer> {
        let records = match kind {
            RecordType::A => vec!["192.0.2.1".to_owned()],
            _ => Vec::new(),
        };
        Ok(DnsAnswer {
            records,
            timings: timings(),
        })
    }
}

fn message(net: Net, target: serde_json::Value) -> Option<String> {
    let host = NativeHost::new().with_probe(net);
    run(&host, json!([target]))
        .err()
        .map(|failure| failure.message)
}

#[test]
fn ports() {
    let greeting = |expected| json!({ "tcp": "mail:25", "body": "EHLO", "expect_body": expected });
    assert_eq!(message(Net::default(), greeting("220")), None);
    assert!(
        message(Net::default(), greeting("250"))
            .unwrap()
            .contains("it said `220 ready`")
    );
    let silent = json!({ "tcp": "mail:26", "timeout": "2s" });
    assert!(
        message(Net::default(), silent)
            .unwrap()
            .contains("within 2s")
    );
}

#[test]
fn certificates() {
    let distrusted = || Some("unknown issuer".to_owned());
    let cases = [
        (Net::default(), json!({}), None),
        (
            Net::default(),
            json!({ "min_days": 31 }),
            Some("ends in 30 days"),
        ),
        (
            Net {
                not_after: NOW - 2 * DAY,
                ..Net::default()
            },
            json!({}),
            Some("ended 2 days ago"),
        ),
        (
            Net {
                not_after: NOW + DAY - 1,
                ..Net::default()
            },
            json!({ "min_days": 0 }),
            None,
        ),
        (
            Net {
                not_before: NOW + 1,
                ..Net::default()
            },
            json!({}),
            Some("not valid yet"),
        ),
        (
            Net {
                distrust: distrusted(),
                ..Net::default()
            },
            json!({}),
            Some("unknown issuer"),
        ),
        (
            Net {
                distrust: distrusted(),
                ..Net::default()
            },
            json!({ "trusted": false }),
            None,
        ),
    ];
    for (net, settings, expected) in cases {
        let mut tls = json!({ "host": "a" });
        tls.as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let found = message(net, json!({ "tls": tls }));
        match expected {
            None => assert_eq!(found, None, "{settings}"),
            Some(text) => assert!(found.unwrap().contains(text), "{settings}"),
        }
    }
}

#[test]
fn names() {
    for (dns, up) in [
        (json!({ "name": "a" }), true),
        (json!({ "name": "a", "record": "mx" }), false),
        (json!({ "name": "a", "expect": "192.0.2.1" }), true),
        (json!({ "name": "a", "expect": "192.0.2.2" }), false),
    ] {
        assert_eq!(
            message(Net::default(), json!({ "dns": dns })).is_none(),
            up,
            "{dns}"
        );
    }
}

#[test]
fn figures() {
    let host = NativeHost::new().with_probe(Net::default());
    let report = run(&host, json!([{ "tls": { "host": "a" } }])).unwrap();
    assert_eq!(report.figure("certificate_days_min"), Some(30.0));
    assert_eq!(report.figure("latency_ms_max"), Some(3.0));
    let details = report.details.unwrap();
    assert_eq!(details["targets"][0]["certificate"]["days_left"], 30);
}
