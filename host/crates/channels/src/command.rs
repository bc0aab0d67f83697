//! A command that is told by its standard input: what the preset `json` says, one
//! document. It has a clean environment and an end.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::bundle::Bundle;
use crate::masks::Keyring;
use crate::{Delivered, Failure, render};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(25);
/// What is kept of its complaints, bytes.
const COMPLAINTS: usize = 2000;
/// And shown of them.
const SHOWN: usize = 300;
/// How long the pipe is read on after the command's end.
const LAST_WORDS: Duration = Duration::from_millis(500);
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub async fn run(words: &[String], bundle: &Bundle, keyring: &Keyring) -> Delivered {
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Failure::new("there is no command"))?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C")
        .env("MHOST_TITLE", bundle.title())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let child = child.map_err(|error| Failure::new(format!("cannot start {program}: {error}")))?;
    let group = Group(i32::try_from(child.id()).ok().and_then(Pid::from_raw));
    let said = render::json(bundle);
    let work = tokio::task::spawn_blocking(move || talk(child, said));
    let ended = tokio::time::timeout(PATIENCE, work).await;
    let (status, complaint) = match ended {
        Ok(Ok(Ok(ended))) => ended,
        Ok(Ok(Err(error))) => return Err(Failure::new(format!("{program}: {error}"))),
        Ok(Err(error)) => return Err(Failure::new(format!("{program}: {error}"))),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            return Err(Failure::new(format!(
                "{program} did not end within {seconds} s and was killed"
            )));
        }
    };
    std::mem::forget(group);
    if status.success() {
        return Ok(());
    }
    let complaint = match keyring.quoted(&complaint, SHOWN).as_str() {
        "" => String::new(),
        said => format!(": {said}"),
    };
    Err(Failure::new(format!(
        "{program} ended with {status}{complaint}"
    )))
}

/// Kills the command and its children unless it ended; a delivery can be dropped too.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The command is through when it ends, whoever still holds its ends of the pipes: what it
/// left running in the background is nobody's business here.
fn talk(mut child: Child, said: Vec<u8>) -> std::io::Result<(ExitStatus, String)> {
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not want to know closes its end.
        std::thread::spawn(move || stdin.write_all(&said));
    }
    let complaint: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (reading, read) = mpsc::channel::<()>();
    if let Some(stderr) = child.stderr.take() {
        let complaint = Arc::clone(&complaint);
        std::thread::spawn(move || {
            hear(stderr, &complaint);
            drop(reading);
        });
    }
    let status = child.wait()?;
    if !status.success() {
        // All that it said is in the pipe by now; whoever else holds that may go on.
        let _ = read.recv_timeout(LAST_WORDS);
    }
    let complaint = complaint.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((status, String::from_utf8_lossy(&complaint).into_owned()))
}

/// Keeps the beginning; the rest goes nowhere, but must not stop the command.
fn hear(mut stderr: impl std::io::Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = COMPLAINTS.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use mhost_model::notify::EventKind;

    use super::*;
    use crate::bundle::tests_support::{bundle, event};
    use crate::masks::tests_support::keyring;

    async fn shell(script: &str) -> Delivered {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        let said = bundle(vec![event(EventKind::Failed, "site failed")]);
        run(&words, &said, &keyring()).await
    }

    #[tokio::test]
    async fn it_reads_what_there_is_to_say() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("said");
        shell(&format!("cat > {}", file.display())).await.unwrap();
        let said: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(said["events"][0]["title"], "site failed");
        shell("exit 0").await.unwrap();
    }

    /// Something in the background keeps the pipe open, as its own standard error.
    #[tokio::test]
    async fn what_is_left_in_the_background_is_not_waited_for() {
        let begun = std::time::Instant::now();
        shell("sleep 20 & exit 0").await.unwrap();
        let failure = shell("echo busy >&2; sleep 20 & exit 3").await.unwrap_err();
        assert_eq!(failure.why, "/bin/sh ended with exit status: 3: busy");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn how_it_ended_is_said() {
        let failure = shell("echo no pager >&2; exit 3").await.unwrap_err();
        assert_eq!(failure.why, "/bin/sh ended with exit status: 3: no pager");
        let missing = ["/nowhere/page".to_owned()];
        let said = bundle(vec![event(EventKind::Test, "t")]);
        let failure = run(&missing, &said, &keyring()).await;
        assert!(
            failure
                .unwrap_err()
                .why
                .starts_with("cannot start /nowhere/page")
        );
    }
}
