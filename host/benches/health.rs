//! 10,000 targets in one run of the plugin ping, beside a native client that makes the same
//! requests with the same number at a time: wall time, CPU time and peak memory.
//!
//! `cargo bench -p mhost --bench health`; `MHOST_BENCH_TARGETS` sets how many.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // It shows figures, and fails loudly.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mhost_test_support::measure::{Cost, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// So many requests at the same time, on both sides.
const TOGETHER: usize = 256;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("serve") => serve(),
        Some("client") => client(arguments[2].parse().unwrap(), arguments[3].parse().unwrap()),
        _ => compare(),
    }
}

#[tokio::main]
async fn serve() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1";
                let _ = stream.write_all(answer).await;
            }
        });
    }
}

/// What a program of one's own would do: a connection for each request, the answer read
/// to its end and compared.
#[tokio::main]
async fn client(port: u16, count: usize) {
    let room = Arc::new(Semaphore::new(TOGETHER));
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..count {
        let room = Arc::clone(&room).acquire_owned().await.unwrap();
        tasks.spawn(async move {
            let up = tokio::time::timeout(Duration::from_secs(10), ask(port, at)).await;
            drop(room);
            up.is_ok_and(|up| up)
        });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.into_iter().filter(|up| *up).count(), count);
}

async fn ask(port: u16, at: usize) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = hyper::Request::get(format!("/{at}"))
        .header("host", address.to_string())
        .header("user-agent", "bench")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let good = response.status().is_success();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    drop(sender);
    let _ = driver.await;
    good && body.starts_with(b"1")
}

fn compare() {
    let count = std::env::var("MHOST_BENCH_TARGETS").ok();
    let count: usize = count.map_or(10_000, |text| text.parse().unwrap());
    let me = std::env::current_exe().unwrap();
    let mut server = Command::new(&me)
        .arg("serve")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let port = read_port(&mut server);
    let home = tempfile::tempdir().unwrap();
    let targets: Vec<_> = (0..count)
        .map(|at| serde_json::json!({ "http": format!("http://127.0.0.1:{port}/{at}"), "expect_body": "1" }))
        .collect();
    let config = home.path().join("config.json");
    let text = serde_json::json!({ "targets": targets, "concurrency": TOGETHER }).to_string();
    std::fs::File::create(&config)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .unwrap();
    let mhost = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .args(["exec", "ping", "check", "--format", "json", "--net"])
            .arg(format!("http://127.0.0.1:{port}"))
            .arg("--config")
            .arg(&config)
            .env("MHOST_HOME", home.path().join("state"));
        command
    };
    let native = || {
        let mut command = Command::new(&me);
        command
            .arg("client")
            .arg(port.to_string())
            .arg(count.to_string());
        command
    };
    // The first run compiles the component, which later ones find.
    run(&mut mhost());
    println!("{count} targets, {TOGETHER} at a time; load {}", load());
    println!("{:<8} {:>9} {:>9} {:>10}", "", "wall", "cpu", "peak");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        theirs.push(show("native", run(&mut native())));
        ours.push(show("mhost", run(&mut mhost())));
    }
    let least = |all: &[Cost]| all.iter().map(|one| one.cpu).min().unwrap();
    let ratio = least(&ours).as_secs_f64() / least(&theirs).as_secs_f64();
    println!("cpu: mhost takes {ratio:.2} times what the native client takes");
    server.kill().unwrap();
    server.wait().unwrap();
}

fn read_port(server: &mut Child) -> u16 {
    let mut port = String::new();
    let out = server.stdout.as_mut().unwrap();
    let mut byte = [0];
    while out.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        port.push(byte[0].into());
    }
    port.parse().unwrap()
}

fn show(name: &str, took: Cost) -> Cost {
    let (wall, cpu) = (took.wall.as_secs_f64(), took.cpu.as_secs_f64());
    let peak = took.peak as f64 / 1024.0;
    println!("{name:<8} {wall:>8.2}s {cpu:>8.2}s {peak:>7.1}MiB");
    took
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
