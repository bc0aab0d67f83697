//! HTTP and probes through a guest.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::{Value, json};

use crate::calls::{answers, calls, kinds};
use crate::support::Attack;

/// A peer that answers every connection with these bytes after it was asked.
fn serve(answer: String) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            counted.fetch_add(1, SeqCst);
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, count)
}

fn ok() -> (SocketAddr, Arc<AtomicUsize>) {
    serve("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello".to_owned())
}

fn get(authority: &str) -> Value {
    json!({"do": "http", "scheme": "http", "authority": authority})
}

fn granted(attack: Attack, origins: &[&str]) -> Attack {
    let origins = origins.iter().map(|origin| origin.parse().unwrap());
    attack.grants(|grants| grants.net.extend(origins))
}

#[test]
fn a_granted_request_is_answered() {
    let (address, _) = ok();
    let origin = format!("http://{address}");
    let went = granted(calls(json!([get(&address.to_string())])), &[&origin]).go();
    assert_eq!(answers(&went), [json!({"ok": [200, "", "hello"]})]);
    assert!(went.finished.receipt.hosts.contains(&origin));
}

#[test]
fn an_ungranted_origin_and_a_redirect_to_one() {
    let (hidden, reached) = ok();
    let moved = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{hidden}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (address, _) = serve(moved);
    let asked = json!([get(&address.to_string()), get(&hidden.to_string())]);
    let went = granted(calls(asked), &[&format!("http://{address}")]).go();
    let answers = answers(&went);
    assert_eq!(answers[0]["ok"][0], 302);
    assert_eq!(answers[0]["ok"][1], format!("http://{hidden}/"));
    assert_eq!(answers[1]["error"], "HttpRequestDenied");
    assert_eq!(reached.load(SeqCst), 0);
    let denied = &went.finished.receipt.denied;
    assert!(
        denied.first().unwrap().remedy.contains("net = ["),
        "{denied:?}"
    );
}

#[test]
fn names_that_lead_to_this_machine_or_a_metadata_service() {
    let (address, reached) = ok();
    let port = address.port();
    let hosts = ["rebind.example", "metadata.example"].map(|host| format!("{host}:{port}"));
    let origins: Vec<String> = ["http", "tcp", "tls"]
        .iter()
        .flat_map(|scheme| hosts.iter().map(move |host| format!("{scheme}://{host}")))
        .collect();
    let origins: Vec<&str> = origins.iter().map(String::as_str).collect();
    let mut asked: Vec<Value> = hosts.iter().map(|host| get(host)).collect();
    for verb in ["probe tcp", "probe tls"] {
        for host in ["rebind.example", "metadata.example"] {
            asked.push(json!({"do": verb, "host": host, "port": port}));
        }
    }
    let went = granted(calls(json!(asked)), &origins).go();
    let kinds = kinds(&went);
    assert_eq!(kinds[..2], ["DestinationIpProhibited"; 2]);
    assert_eq!(kinds[2..], ["denied"; 4]);
    assert_eq!(reached.load(SeqCst), 0);
    assert_eq!(went.finished.receipt.denied.len(), 6);
}

#[test]
fn a_dry_run_only_looks() {
    let (address, reached) = ok();
    let mut post = get(&address.to_string());
    post["method"] = json!("POST");
    let asked = json!([post, get(&address.to_string())]);
    let went = granted(calls(asked), &[&format!("http://{address}")])
        .dry_run()
        .go();
    assert_eq!(kinds(&went), ["HttpRequestDenied", "ok"]);
    assert_eq!(reached.load(SeqCst), 1);
    assert_eq!(went.finished.receipt.withheld.len(), 1);
}

#[test]
fn probes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.write_all(b"220 ready\r\n");
        }
    });
    let asked = json!([
        {"do": "probe tcp", "host": "127.0.0.1", "port": port},
        {"do": "probe tcp", "host": "127.0.0.1", "port": 1},
        {"do": "probe tls", "host": "127.0.0.1", "port": port},
        {"do": "probe resolve", "host": "any.example"},
        {"do": "probe resolve", "host": "other.example"},
    ]);
    let tcp = format!("tcp://127.0.0.1:{port}");
    let went = granted(calls(asked), &[&tcp, "dns://any.example"]).go();
    assert_eq!(kinds(&went), ["ok", "denied", "denied", "ok", "denied"]);
    assert_eq!(answers(&went)[0]["ok"], "220 ready\r\n");
    assert_eq!(answers(&went)[3]["ok"], json!(["127.0.0.1"]));
}
