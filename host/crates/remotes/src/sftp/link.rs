//! One connection to an SFTP server: the `ssh` program, which knows the user's keys,
//! configuration and known hosts, and the protocol over its pipes.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use mhost_model::{Fault, FaultResult};
use openssh_sftp_client::{Sftp as Client, SftpOptions};
use tokio::net::unix::pipe;

use crate::url::Server;
use crate::worker::Trouble;

/// Until the server greets.
const GREETING: Duration = Duration::from_secs(60);
/// What ssh says at most is kept, from its end.
const SAID: usize = 2 << 10;

/// See the module. Ends with its last user.
pub(super) struct Link {
    pub client: Client,
    _process: Process,
}

/// The `ssh` of a link; dropping it ends it.
struct Process {
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
    listener: Option<thread::JoinHandle<()>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take() {
            // It only reads, and its pipe is closed by now.
            let _ = listener.join();
        }
    }
}

impl Link {
    /// Must be called on the worker's runtime.
    pub async fn open(ssh: &[String], server: &Server) -> Result<Self, Trouble> {
        let mut child = start(ssh, server).map_err(Trouble::lasting)?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let said = Arc::default();
        let listener = child.stderr.take().map(|from| listen(from, &said));
        let mut process = Process {
            child,
            said,
            listener,
        };
        let (Some(stdin), Some(stdout)) = pipes else {
            let fault = Fault::Failed("connecting by ssh: it has no pipes".into());
            return Err(Trouble::lasting(fault));
        };
        let piped = |error: io::Error| {
            Trouble::lasting(Fault::Failed(format!("connecting by ssh: {error}")))
        };
        let to = pipe::Sender::from_owned_fd(stdin.into()).map_err(piped)?;
        let from = pipe::Receiver::from_owned_fd(stdout.into()).map_err(piped)?;
        let options = SftpOptions::new().flush_interval(Duration::ZERO);
        let greeted = tokio::time::timeout(GREETING, Client::new(to, from, options)).await;
        let why = match greeted {
            Ok(Ok(client)) => {
                return Ok(Self {
                    client,
                    _process: process,
                });
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no greeting within {} seconds", GREETING.as_secs()),
        };
        let said = process.last_words();
        let text = if said.is_empty() { why } else { said };
        let lasting = LASTING.iter().any(|sign| text.contains(sign));
        Err(Trouble {
            fault: Fault::Failed(format!(
                "cannot connect to {} by `{}`: {text}",
                shown(server),
                ssh.join(" ")
            )),
            passing: !lasting,
        })
    }
}

/// What ssh says where trying again is of no use.
const LASTING: [&str; 5] = [
    "Permission denied",
    "Host key verification failed",
    "REMOTE HOST IDENTIFICATION HAS CHANGED",
    "Bad configuration option",
    "subsystem request failed",
];

impl Process {
    /// What ssh said before it ended; it is ended for that.
    fn last_words(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&said);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("; ")
    }
}

/// As messages call it.
pub(super) fn shown(server: &Server) -> String {
    match &server.user {
        Some(user) => format!("{user}@{}", server.host),
        None => server.host.clone(),
    }
}

/// Never asks for anything: nobody would answer. A group of its own, so that what is typed at
/// the terminal ends mhost, which ends it.
fn start(ssh: &[String], server: &Server) -> FaultResult<Child> {
    let (program, arguments) = ssh
        .split_first()
        .ok_or_else(|| Fault::Invalid("`ssh` names no program".into()))?;
    let mut command = Command::new(program);
    command.args(arguments);
    for option in [
        "BatchMode=yes",
        "ConnectTimeout=20",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=4",
        "ClearAllForwardings=yes",
    ] {
        command.args(["-o", option]);
    }
    if let Some(port) = server.port {
        command.args(["-p", &port.to_string()]);
    }
    if let Some(user) = &server.user {
        command.args(["-l", user]);
    }
    command.args(["-s", "--", &server.host, "sftp"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command.spawn().map_err(|error| {
        Fault::Failed(format!(
            "cannot start `{program}` to connect to {}: {error}: install the OpenSSH client, or \
             name it in `ssh`",
            shown(server)
        ))
    })
}

fn listen(mut from: ChildStderr, said: &Arc<Mutex<Vec<u8>>>) -> thread::JoinHandle<()> {
    let said = Arc::clone(said);
    thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.extend_from_slice(&buffer[..count]);
            let spare = said.len().saturating_sub(SAID);
            said.drain(..spare);
        }
    })
}
