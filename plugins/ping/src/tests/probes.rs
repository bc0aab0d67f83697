//! Ports, certificates and names, with answers of the test's own.

use mhost_sdk::Error;
use mhost_sdk::probe::{Certificate, DnsFound, Found, Question, TcpFound, TlsFacts, TlsFound};
use mhost_sdk::testing::NativeHost;
use serde_json::{Value, json};

use super::{details, phases, response, run, why};

const DAY: u64 = 86_400_000;
const NOW: u64 = 1_772_323_200_000;

/// A certificate that is valid from a day ago until so many milliseconds from now.
fn facts(not_before: u64, not_after: u64, distrust: Option<&str>) -> TlsFacts {
    TlsFacts {
        version: "TLSv1.3".to_owned(),
        cipher: "x".to_owned(),
        chain: vec![Certificate {
            subject: "CN=a".to_owned(),
            issuer: "CN=ca".to_owned(),
            serial: "01".to_owned(),
            not_before,
            not_after,
            names: vec!["a".to_owned()],
            fingerprint: "00".to_owned(),
        }],
        distrust: distrust.map(str::to_owned),
    }
}

fn tls(facts: TlsFacts) -> NativeHost {
    NativeHost::new().with_found(move |_| {
        Ok(Found::Tls(TlsFound {
            address: "192.0.2.1:443".to_owned(),
            tls: facts.clone(),
            phases: phases(3),
        }))
    })
}

#[test]
fn ports() {
    let host = NativeHost::new().with_found(|ask| {
        let Question::Tcp(asked) = &ask.question else {
            panic!("{ask:?}");
        };
        if asked.port != 25 {
            let text = format!("{}:{} did not answer within 2s", asked.host, asked.port);
            return Err(Error::TimedOut(text));
        }
        assert_eq!(asked.send.as_deref(), Some(b"EHLO".as_slice()));
        assert!(asked.listen > 0 && asked.tls.is_none());
        Ok(Found::Tcp(TcpFound {
            address: "192.0.2.1:25".to_owned(),
            received: b"220 ready".to_vec(),
            tls: None,
            phases: phases(3),
        }))
    });
    let greeting = |expected| json!({ "tcp": "mail:25", "body": "EHLO", "expect_body": expected });
    assert_eq!(why(&host, greeting("220")), None);
    let found = why(&host, greeting("250")).unwrap();
    assert!(found.contains("it said `220 ready`"), "{found}");
    let silent = json!({ "tcp": "mail:26", "timeout": "2s" });
    assert!(why(&host, silent).unwrap().contains("within 2s"));
}

#[test]
fn conversations() {
    let host = NativeHost::new().with_found(|ask| {
        let Question::Tcp(asked) = &ask.question else {
            panic!("{ask:?}");
        };
        let steps: Vec<_> = asked
            .steps
            .iter()
            .map(|step| (step.expect.as_deref(), step.send.as_deref(), step.start_tls))
            .collect();
        let sent = b"STARTTLS\r\n".as_slice();
        assert_eq!(
            steps,
            [
                (Some("^220"), Some(sent), false),
                (Some("^220"), None, true)
            ]
        );
        assert!(asked.tls.as_ref().is_some_and(|tls| tls.trusted) && !asked.from_start);
        Ok(Found::Tcp(TcpFound {
            address: "192.0.2.1:25".to_owned(),
            received: Vec::new(),
            tls: Some(facts(NOW - DAY, NOW + 9 * DAY, None)),
            phases: phases(3),
        }))
    });
    let target = |certificate: Value| {
        json!({
            "tcp": "mail:25",
            "steps": [
                { "expect": "^220", "send": "STARTTLS\r\n" },
                { "expect": "^220", "start_tls": true },
            ],
            "certificate": certificate,
        })
    };
    assert_eq!(why(&host, target(json!({}))), None);
    let found = why(&host, target(json!({ "min_days": 10 }))).unwrap();
    assert!(found.contains("ends in 9 days"), "{found}");
    let details = details(run(&host, json!([target(json!({}))])));
    assert_eq!(
        details["targets"][0]["state"], "degraded",
        "its end is near"
    );
}

#[test]
fn certificates() {
    let good = || facts(NOW - DAY, NOW + 30 * DAY, None);
    let distrusted = || facts(NOW - DAY, NOW + 30 * DAY, Some("unknown issuer"));
    for (facts, settings, expected) in [
        (good(), json!({}), None),
        (good(), json!({ "min_days": 31 }), Some("ends in 30 days")),
        (
            facts(0, NOW - 2 * DAY, None),
            json!({}),
            Some("ended 2 days ago"),
        ),
        (
            facts(0, NOW - 2 * DAY, None),
            json!({ "trusted": false }),
            Some("ended 2 days ago"),
        ),
        (
            facts(0, NOW - 2 * DAY, None),
            json!({ "trusted": false, "min_days": 0 }),
            None,
        ),
        (
            facts(0, NOW + DAY - 1, None),
            json!({ "min_days": 0 }),
            None,
        ),
        (
            facts(NOW + 1, NOW + 30 * DAY, None),
            json!({}),
            Some("not valid yet"),
        ),
        (distrusted(), json!({}), Some("unknown issuer")),
        (distrusted(), json!({ "trusted": false }), None),
    ] {
        let mut target = json!({ "host": "a" });
        let settings = settings.as_object().unwrap().clone();
        target.as_object_mut().unwrap().extend(settings.clone());
        let found = why(&tls(facts), json!({ "tls": target }));
        match expected {
            None => assert_eq!(found, None, "{settings:?}"),
            Some(text) => assert!(found.unwrap().contains(text), "{settings:?}"),
        }
    }
}

#[test]
fn a_certificate_is_known_while_its_server_is_down() {
    let failing = std::rc::Rc::new(std::cell::Cell::new(false));
    let fails = std::rc::Rc::clone(&failing);
    let host = NativeHost::new().with_found(move |_| match fails.get() {
        true => Err(Error::TimedOut("silent".to_owned())),
        false => {
            let mut found = response(200, "");
            found.tls = Some(facts(NOW - DAY, NOW + 30 * DAY, None));
            Ok(Found::Http(found))
        }
    });
    let targets = json!([{ "http": "https://a/" }]);
    let seen = details(run(&host, targets.clone()));
    assert_eq!(seen["targets"][0]["certificate"]["days_left"], 30);
    assert_eq!(seen["targets"][0]["certificate"]["last_seen"], Value::Null);
    failing.set(true);
    host.set_now(NOW + 5 * DAY);
    let failure = run(&host, targets).unwrap_err();
    let report = failure.partial.clone().unwrap();
    assert_eq!(report.figure("certificate_days_min"), Some(25.0));
    let kept = details(Err(failure));
    assert_eq!(kept["targets"][0]["certificate"]["days_left"], 25);
    assert_eq!(kept["targets"][0]["certificate"]["last_seen"], NOW);
}

#[test]
fn a_certificate_that_is_refused_is_shown() {
    let expired = facts(0, NOW - 2 * DAY, Some("expired"));
    let host = NativeHost::new()
        .with_found(|_| Err(Error::Failed("a: not trusted: expired".to_owned())))
        .with_presented(expired);
    for target in [
        json!({ "http": "https://a/" }),
        json!({ "tcp": "a:1", "secure": true }),
    ] {
        let found = details(run(&host, json!([target])));
        let certificate = &found["targets"][0]["certificate"];
        assert_eq!(certificate["days_left"], -2, "{found}");
        assert_eq!(certificate["subject"], "CN=a");
        assert_eq!(certificate["last_seen"], Value::Null);
    }
}

#[test]
fn a_chain_ends_with_its_first_link() {
    let chain = |subject: &str, issuer: &str, days: i64| {
        let mut facts = facts(NOW - DAY, NOW + 300 * DAY, None);
        let mut above = facts.chain[0].clone();
        (above.subject, above.issuer) = (subject.to_owned(), issuer.to_owned());
        above.not_after = NOW.saturating_add_signed(days * DAY as i64);
        facts.chain.push(above);
        facts
    };
    for (facts, warned) in [
        (chain("CN=ca", "CN=root", 3), true),
        (chain("CN=ca", "CN=root", 20), false),
        (chain("CN=ca", "CN=root", 400), false),
        // Sent for old clients, though it has ended; and a root, which nobody looks at.
        (chain("CN=ca", "CN=root", -3), false),
        (chain("CN=root", "CN=root", 3), false),
    ] {
        let about = format!("{:?}", facts.chain[1]);
        let found = details(run(&tls(facts), json!([{ "tls": { "host": "a" } }])));
        let target = &found["targets"][0];
        assert_eq!(target["state"] == "degraded", warned, "{about}: {target}");
        if warned {
            let why = target["error"].as_str().unwrap();
            assert!(
                why.contains("`CN=ca`") && why.contains("in 3 days"),
                "{why}"
            );
        }
    }
}

fn dns(found: DnsFound) -> NativeHost {
    NativeHost::new().with_found(move |ask| {
        assert!(matches!(ask.question, Question::Dns(_)));
        Ok(Found::Dns(found.clone()))
    })
}

fn answered(rcode: &str, data: &[&str], answer: &[&str]) -> DnsFound {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    DnsFound {
        rcode: rcode.to_owned(),
        data: owned(data),
        answer: owned(answer),
        authority: Vec::new(),
        additional: Vec::new(),
        address: "192.0.2.53:53".to_owned(),
        phases: phases(3),
    }
}

#[test]
fn names() {
    let one = || answered("NOERROR", &["192.0.2.1"], &["a.\t60\tIN\tA\t192.0.2.1"]);
    let none = || answered("NOERROR", &[], &[]);
    let gone = || answered("NXDOMAIN", &[], &[]);
    for (found, settings, expected) in [
        (one(), json!({}), None),
        (none(), json!({ "record": "mx" }), Some("no such record")),
        (one(), json!({ "expect": "192.0.2.1" }), None),
        (
            one(),
            json!({ "expect": "192.0.2.2" }),
            Some("without `192.0.2.2`"),
        ),
        (
            one(),
            json!({ "expect_all": ["192.0.2.1", "192.0.2.9"] }),
            Some("without `192.0.2.9`"),
        ),
        (gone(), json!({ "server": "s" }), Some("answered NXDOMAIN")),
        (
            gone(),
            json!({ "server": "s", "rcodes": ["nxdomain"] }),
            None,
        ),
        (
            one(),
            json!({ "server": "s", "rcodes": ["NXDOMAIN"] }),
            Some("expected NXDOMAIN"),
        ),
        (
            one(),
            json!({ "answer": { "fail_if_matches": ["192\\.0"] } }),
            Some("and should not"),
        ),
        (
            one(),
            json!({ "answer": { "fail_if_matches": ["198\\."] } }),
            None,
        ),
        (
            one(),
            json!({ "answer": { "fail_if_not_matches": ["^b\\."] } }),
            Some("does not match"),
        ),
        (
            one(),
            json!({ "answer": { "fail_if_all_match": ["^a\\."] } }),
            Some("all answer records match"),
        ),
        (
            one(),
            json!({ "authority": { "fail_if_none_matches": ["SOA"] } }),
            Some("no authority record"),
        ),
        (
            one(),
            json!({ "answer": { "fail_if_none_matches": ["\\tA\\t"] } }),
            None,
        ),
    ] {
        let mut target = json!({ "name": "a" });
        let settings = settings.as_object().unwrap().clone();
        target.as_object_mut().unwrap().extend(settings.clone());
        let found = why(&dns(found), json!({ "dns": target }));
        match expected {
            None => assert_eq!(found, None, "{settings:?}"),
            Some(text) => assert!(
                found.as_ref().is_some_and(|found| found.contains(text)),
                "{settings:?}: {found:?}"
            ),
        }
    }
}

#[test]
fn figures() {
    let host = tls(facts(NOW - DAY, NOW + 30 * DAY, None));
    let report = run(&host, json!([{ "tls": { "host": "a" } }])).unwrap();
    assert_eq!(report.figure("certificate_days_min"), Some(30.0));
    assert_eq!(report.figure("latency_ms_max"), Some(3.0));
    let details = report.details.unwrap();
    assert_eq!(details["targets"][0]["certificate"]["days_left"], 30);
}
