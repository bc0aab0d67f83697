//! Real servers on loopback: OpenSSH's, an S3 server, WebDAV servers and restic's REST protocol. Each
//! runs on a port of its own until it is dropped, and is ready when it has been made.

mod relay;
mod ssh;
mod zope;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::tools::{Tool, Unavailable};
pub use relay::{Relay, Then};
pub use ssh::Ssh;
pub use zope::Zope;

/// An S3 server that keeps everything in memory.
pub const S3: Tool = Tool::Python(&["moto[server,s3]"]);
/// A Zope.
pub const ZOPE: Tool = Tool::Python(&["Zope[wsgi]"]);
/// A WebDAV server.
pub const WEBDAV: Tool = Tool::Python(&["wsgidav", "cheroot"]);

/// Who may log in at those that ask.
pub const USER: &str = "keeper";
pub const SECRET: &str = "a-long-secret";

/// A server takes longer than this only on a machine that is dead.
const READY: Duration = Duration::from_secs(120);

/// A process that serves.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Drop for Server {
    /// With the processes that serve single connections, which have groups of their own.
    fn drop(&mut self) {
        let others = children_of(self.child.id());
        let _ = self.child.kill();
        for id in others {
            // It may have ended by itself.
            let _ = kill_process(id, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn children_of(parent: u32) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_child = |stat: &str| {
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
        let id = fields.and_then(|fields| fields.split_ascii_whitespace().nth(1));
        id.and_then(|id| id.parse().ok()) == Some(parent)
    };
    let mut found = Vec::new();
    for process in processes {
        let id = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        if let Some(id) = id
            && is_child(&stat)
        {
            found.extend(children_of(id));
            found.extend(Pid::from_raw(id.cast_signed()));
        }
    }
    found
}

/// A port that nobody uses just now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap_or_else(|e| panic!("{e}"));
    listener
        .local_addr()
        .unwrap_or_else(|e| panic!("{e}"))
        .port()
}

impl Server {
    /// Starts it and waits until it says `sign`.
    #[track_caller]
    fn start(mut command: Command, port: u16, sign: &str) -> Self {
        let (reader, writer) = std::io::pipe().unwrap_or_else(|e| panic!("{e}"));
        let copy = writer.try_clone().unwrap_or_else(|e| panic!("{e}"));
        command
            .stdin(Stdio::null())
            .stdout(copy)
            .stderr(writer)
            .env("PYTHONUNBUFFERED", "1");
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // The command holds the writing ends, and the reader is to see their end.
        drop(command);
        let (sender, ready) = channel();
        let sign = sign.to_owned();
        // Its end comes with the last process that may still say something.
        thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                // Nobody listens once it is ready.
                let _ = sender.send((line.contains(&sign), line));
            }
        });
        let mut said = Vec::new();
        loop {
            match ready.recv_timeout(READY) {
                Ok((true, _)) => break,
                Ok((false, line)) => said.push(line),
                Err(why @ (RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("the server is not ready ({why}): {}", said.join("\n"));
                }
            }
        }
        Self { child, port }
    }

    /// Ends it at once, as a power cut would.
    pub fn stop(self) {}
}

/// Any names and keys are right.
#[track_caller]
pub fn s3(port: u16) -> Result<Server, Unavailable> {
    let mut command = Command::new(S3.path()?);
    command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p"]);
    command.arg(port.to_string());
    Ok(Server::start(command, port, "Running on http"))
}

/// Serves a folder; [`USER`] logs in with [`SECRET`].
#[track_caller]
pub fn webdav(port: u16, folder: &Path, scratch: &Path) -> Result<Server, Unavailable> {
    let mut command = Command::new(WEBDAV.path()?);
    let config = scratch.join("wsgidav.json");
    let text = format!(
        r#"{{"host": "127.0.0.1", "port": {port}, "server": "cheroot", "verbose": 3,
        "provider_mapping": {{"/dav": "{}"}},
        "http_authenticator": {{"accept_basic": true, "accept_digest": false, "default_to_digest": false}},
        "simple_dc": {{"user_mapping": {{"*": {{"{USER}": {{"password": "{SECRET}"}}}}}}}}}}"#,
        folder.display()
    );
    std::fs::write(&config, text).unwrap_or_else(|e| panic!("{e}"));
    command.args(["-m", "wsgidav.server.server_cli", "--config"]);
    command.arg(config);
    Ok(Server::start(command, port, "Serving on"))
}

/// Serves a folder of repositories by restic's REST protocol; [`USER`] logs in with [`SECRET`].
#[track_caller]
pub fn rest(port: u16, folder: &Path, options: &[&str]) -> Result<Server, Unavailable> {
    let mut command = Command::new(Tool::Rclone.path()?);
    command.args(["serve", "restic", "--addr"]);
    command.arg(format!("127.0.0.1:{port}"));
    command.args(["--user", USER, "--pass", SECRET, "-v"]);
    command.args(options).arg(folder);
    command.env("RCLONE_CONFIG", "/dev/null");
    Ok(Server::start(command, port, "Serving restic REST API"))
}

/// Makes a bucket on a server of [`s3`].
#[track_caller]
pub fn make_bucket(port: u16, name: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|e| panic!("{e}"));
    let request = format!(
        "PUT /{name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let mut answer = String::new();
    let said = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read_to_string(&mut answer));
    assert!(
        said.is_ok() && answer.contains(" 200 "),
        "{said:?} {answer}"
    );
}
