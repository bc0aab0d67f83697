//! West as a service that receives, and a client that speaks to it without any help.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use mhost_test_support::servers::free_port;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::ends::{Ends, report};

/// The token of the queue, and that of the service.
pub const TOKEN: &str = "the-token-of-the-queue-east";
pub const ADMIN: &str = "the-token-of-the-service-itself";

pub struct Receiver {
    pub port: u16,
    child: Option<Child>,
}

impl Receiver {
    /// West's mhost, with a task that imports and receives; `more` are further settings of
    /// the receiver.
    pub fn start(ends: &Ends, more: &str) -> Self {
        fs::write(ends.path("east.token"), format!("{TOKEN}\n")).unwrap();
        fs::write(ends.path("admin.token"), ADMIN).unwrap();
        let config = format!(
            "[tasks.import]\nplugin = \"sync\"\naction = \"import\"\nschedule = \"manual\"\n\
             config = {{ queues = \"/queues\", importers = [{{ files = \"/content\" }}] }}\n\
             [tasks.import.grants]\n\
             dirs.queues = {{ path = \"{west}/queues\", access = \"read-write\" }}\n\
             dirs.content = {{ path = \"{west}/content\", access = \"read-write\" }}\n\
             [tasks.import.receive.east]\nqueues = \"/queues\"\ntoken = {{ file = \"east.token\" }}\n{more}\n",
            west = ends.west("").display().to_string().trim_end_matches('/')
        );
        fs::write(ends.path("west.toml"), config).unwrap();
        let mut receiver = Self {
            port: free_port(),
            child: None,
        };
        receiver.again(ends);
        receiver
    }

    /// Starts it once more on the same port.
    pub fn again(&mut self, ends: &Ends) {
        let mut child = mhost(ends)
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)])
            .arg("--token-file")
            .arg(ends.path("admin.token"))
            .arg("--config")
            .arg(ends.path("west.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        while !said
            .last()
            .is_some_and(|line: &String| line.contains("mhost serves"))
        {
            let line = lines.next();
            said.push(
                line.unwrap_or_else(|| panic!("it ended: {said:?}"))
                    .unwrap(),
            );
        }
        std::thread::spawn(move || lines.for_each(drop));
        self.child = Some(child);
    }

    /// As a power cut does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Runs the task that imports; its report.
    #[track_caller]
    pub fn import(&self, ends: &Ends, code: i32) -> Value {
        let output = mhost(ends)
            .args(["run", "import", "--format", "json"])
            .output()
            .unwrap();
        report(&output, code)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

fn mhost(ends: &Ends) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
    command
        .env("MHOST_HOME", ends.path("west-state"))
        .env_remove("MHOST_NOW")
        .current_dir(ends.path(""))
        .stdin(Stdio::null());
    command
}

/// `mhost exec sync transfer` from east, over the service on this port.
pub fn transfer_command(ends: &Ends, port: u16, token: &str) -> Command {
    let url = format!("http://127.0.0.1:{port}");
    let service = json!({ "url": url, "task": "import", "queue": "east", "token": "west" });
    let way = json!({ "name": "west", "service": service });
    let config = json!({ "queues": "/east/queues", "targets": [way] });
    let mut command = ends.command("transfer", &["east"], &config);
    command
        .args(["--net", &url, "--secret", "west=env:WEST_TOKEN"])
        .env("WEST_TOKEN", token);
    command
}

#[track_caller]
pub fn transfer(ends: &Ends, port: u16, code: i32) -> Value {
    report(&transfer_command(ends, port, TOKEN).output().unwrap(), code)
}

/// One request; the status and the answer.
pub fn ask(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    // It may answer before it has read all of it.
    let _ = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.write_all(body));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (status.unwrap_or(0), body.to_owned())
}

/// A whole item in one piece.
pub fn put(port: u16, name: &str, content: &[u8]) -> (u16, String) {
    let range = format!("bytes 0-{}/{}", content.len() - 1, content.len());
    piece(port, name, &range, &digest(content), content)
}

pub fn piece(port: u16, name: &str, range: &str, digest: &str, content: &[u8]) -> (u16, String) {
    let headers = [
        ("authorization", &*format!("Bearer {TOKEN}")),
        ("content-range", range),
        ("repr-digest", digest),
    ];
    ask(
        port,
        "PUT",
        &format!("/v1/receive/import/east/{name}"),
        &headers,
        content,
    )
}

pub fn digest(content: &[u8]) -> String {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(content));
    format!("sha-256=:{digest}:")
}
