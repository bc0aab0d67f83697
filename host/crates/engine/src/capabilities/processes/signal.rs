//! A signal to the process whose id stands in a file.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use mhost_model::grant::{Signal, SignalGrant};
use mhost_model::{Fault, FaultResult};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

/// More than any process id and the blanks around it, bytes.
const LONGEST: u64 = 64;

/// Sends the granted signal. The process is held by a handle first, so its id cannot
/// pass to another one between the look and the signal.
pub(super) fn send(grant: &SignalGrant) -> FaultResult<()> {
    let (pid, process) = open(&grant.pid_file)?;
    let Some(signal) = number(grant.signal) else {
        return Err(Fault::Invalid("the grant names no signal".to_owned()));
    };
    pidfd_send_signal(process, signal).map_err(|error| match error {
        Errno::SRCH | Errno::NOENT => gone(pid, &grant.pid_file),
        error => Fault::Failed(format!("cannot signal process {pid}: {error}")),
    })
}

/// The living process of a pid file, and the name of its command.
pub(super) fn find(path: &Path) -> FaultResult<(i32, String)> {
    let (pid, _process) = open(path)?;
    // The handle keeps the id from passing to another process meanwhile.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    let stat = stat.map_err(|_| gone(pid, path))?;
    let (name, rest) = stat.rsplit_once(')').unwrap_or_default();
    let command = name.split_once('(').map_or("", |(_, command)| command);
    match rest.trim_start().chars().next() {
        // It has ended, and its parent has not asked how.
        Some('Z' | 'X' | 'x') | None => Err(gone(pid, path)),
        Some(_) => Ok((pid, command.to_owned())),
    }
}

fn gone(pid: i32, path: &Path) -> Fault {
    Fault::NotFound(format!(
        "there is no process {pid}, which {} names",
        path.display()
    ))
}

fn open(path: &Path) -> FaultResult<(i32, OwnedFd)> {
    let pid = process_id(path, &read(path)?)?;
    let id = Pid::from_raw(pid).ok_or_else(|| gone(pid, path))?;
    let process = pidfd_open(id, PidfdFlags::empty()).map_err(|error| match error {
        // A thread's id, which is no process's.
        Errno::SRCH | Errno::NOENT | Errno::INVAL => gone(pid, path),
        error => Fault::Failed(format!("cannot look at process {pid}: {error}")),
    })?;
    Ok((pid, process))
}

/// The beginning of a pid file, which is a regular file.
fn read(path: &Path) -> FaultResult<String> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Fault::NotFound(format!("there is no pid file {}", path.display()))
        }
        _ => Fault::Failed(format!(
            "cannot read the pid file {}: {error}",
            path.display()
        )),
    };
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(unfit(path, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| unfit(path, "it holds no text"))
}

/// The process id in the first line; never init's, nor a group's, nor mhost's own.
fn process_id(path: &Path, text: &str) -> FaultResult<i32> {
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || !line.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unfit(path, "its first line is no process id"));
    }
    let pid: i32 = line
        .parse()
        .map_err(|_| unfit(path, "its first line is no process id"))?;
    if pid <= 1 {
        return Err(unfit(path, "a process id is greater than 1"));
    }
    if pid.cast_unsigned() == std::process::id() {
        return Err(unfit(path, "it names mhost itself"));
    }
    Ok(pid)
}

fn unfit(path: &Path, why: &str) -> Fault {
    Fault::Invalid(format!(
        "the pid file {} is of no use: {why}",
        path.display()
    ))
}

fn number(signal: Signal) -> Option<rustix::process::Signal> {
    Some(match signal {
        Signal::Hup => rustix::process::Signal::HUP,
        Signal::Usr1 => rustix::process::Signal::USR1,
        Signal::Usr2 => rustix::process::Signal::USR2,
        Signal::Winch => rustix::process::Signal::WINCH,
        Signal::None => return None,
    })
}
