//! A granted command, run to its end: a clean environment, nothing to read, bounded
//! output, and a group of its own that is killed when the time is up.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use mhost_model::{Fault, FaultResult};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout_at;

/// What is kept of each output, bytes.
const KEPT: usize = 64 << 10;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// The exit code, or 128 and the signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `words` (a program's absolute path and its arguments) until it ends; at
/// `until` its whole group is killed.
pub(super) async fn run(words: &[String], until: Instant) -> FaultResult<Ended> {
    let failed = |error: io::Error| Fault::Failed(format!("cannot run {words:?}: {error}"));
    let mut running = Running::start(words)?;
    let (mut stdout, mut stderr) = running.outputs().map_err(failed)?;
    let ended = async {
        tokio::select! {
            // Both outputs are emptied all the time, so the command never waits for us.
            ended = running.ended() => ended,
            never = async { tokio::join!(stdout.fill(), stderr.fill()); std::future::pending().await } => never,
        }
    };
    let status = match timeout_at(until.into(), ended).await {
        Ok(status) => status.map_err(failed)?,
        Err(_) => {
            running.kill();
            return Err(Fault::TimedOut(format!(
                "{words:?} did not end within the run's time and was killed"
            )));
        }
    };
    stdout.drain();
    stderr.drain();
    Ok(Ended {
        code: code(status),
        stdout: stdout.text(),
        stderr: stderr.text(),
    })
}

fn code(status: ExitStatus) -> i32 {
    let signal = status.signal().unwrap_or(0);
    status.code().unwrap_or(128 + signal)
}

/// A command that was started. Dropping it while it runs kills its group.
struct Running {
    child: Child,
    handle: AsyncFd<OwnedFd>,
    over: bool,
}

impl Running {
    fn start(words: &[String]) -> FaultResult<Self> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(Fault::Invalid("the grant names no command".to_owned()));
        };
        if !program.starts_with('/') {
            return Err(Fault::Invalid(format!(
                "`{program}` is not absolute; write the program's whole path into the grant"
            )));
        }
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Fault::NotFound(format!("there is no program {program}")),
            _ => Fault::Failed(format!("cannot start {program}: {error}")),
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        match watch(&child) {
            Ok(handle) => Ok(Self {
                child,
                handle,
                over: false,
            }),
            Err(error) => {
                // Nobody would see it end.
                let _ = child.kill();
                let _ = child.wait();
                Err(failed(error))
            }
        }
    }

    fn outputs(&mut self) -> io::Result<(Output, Output)> {
        let missing = || io::Error::other("it has no output");
        let stdout = self.child.stdout.take().ok_or_else(missing)?;
        let stderr = self.child.stderr.take().ok_or_else(missing)?;
        Ok((Output::new(stdout.into())?, Output::new(stderr.into())?))
    }

    async fn ended(&mut self) -> io::Result<ExitStatus> {
        loop {
            let mut ready = self.handle.readable().await?;
            if let Some(status) = self.child.try_wait()? {
                self.over = true;
                return Ok(status);
            }
            ready.clear_ready();
        }
    }

    fn kill(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Its children with it; they share its group unless they left it.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
        self.over = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            self.kill();
        }
    }
}

fn watch(child: &Child) -> io::Result<AsyncFd<OwnedFd>> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("its process id is none"))?;
    let handle = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    // SAFETY: an `OwnedFd` always names the same descriptor, which stays open until the
    // `AsyncFd` that owns it is dropped.
    let watched = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) };
    Ok(watched?)
}

/// One output, of which the beginning is kept.
pub(super) struct Output {
    pipe: Receiver,
    kept: Vec<u8>,
    cut: u64,
}

impl Output {
    pub fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            pipe: Receiver::from_owned_fd(pipe)?,
            kept: Vec::new(),
            cut: 0,
        })
    }

    /// Reads until the other side closes; an error is an end too.
    async fn fill(&mut self) {
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = self.pipe.read(&mut buffer).await {
            self.keep(&buffer[..read]);
        }
    }

    /// What is still in the pipe now. Whoever else holds its other end, such as a
    /// daemon that was started, is not waited for.
    pub fn drain(&mut self) {
        let mut buffer = [0; 8192];
        // A pipe holds a bounded amount; a writer that goes on is not followed for ever.
        for _ in 0..256 {
            // The pipe itself is asked: tokio's `try_read` answers from what its reactor
            // has heard, and that the command ended may be heard before what it wrote.
            match rustix::io::read(&self.pipe, &mut buffer) {
                Ok(read @ 1..) => self.keep(&buffer[..read]),
                Err(Errno::INTR) => {}
                _ => return,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT - self.kept.len();
        let kept = bytes.len().min(room);
        self.kept.extend_from_slice(&bytes[..kept]);
        self.cut += (bytes.len() - kept) as u64;
    }

    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.kept).into_owned();
        // What is no text grows when it is made one.
        let end = text.floor_char_boundary(KEPT);
        let cut = self.cut + (text.len() - end) as u64;
        if cut > 0 {
            text.truncate(end);
            text.push_str(&format!("\n[{cut} more bytes were cut]\n"));
        }
        text
    }
}
