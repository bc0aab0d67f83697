//! Commands and signals, with the shell as the granted program.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mhost_model::grant::{Signal, SignalGrant};
use mhost_model::{Fault, FaultResult};

use super::command::{Ended, Output, run};
use super::signal::send;

async fn shell(script: &str) -> FaultResult<Ended> {
    let words = ["/bin/sh", "-c", script].map(str::to_owned);
    run(&words, Instant::now() + Duration::from_secs(60)).await
}

#[tokio::test]
async fn codes_and_outputs() {
    for (script, code, stdout, stderr) in [
        ("echo out; echo err >&2", 0, "out\n", "err\n"),
        ("exit 3", 3, "", ""),
        ("kill -KILL $$", 137, "", ""),
        ("cat; pwd", 0, "/\n", ""),
        ("printf '\\377'", 0, "\u{fffd}", ""),
    ] {
        let ended = shell(script).await.unwrap();
        let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
        assert_eq!(
            ended,
            Ended {
                code,
                stdout,
                stderr
            },
            "{script}"
        );
    }
}

#[tokio::test]
async fn the_environment_is_clean() {
    let ended = run(
        &["/usr/bin/env".to_owned()],
        Instant::now() + Duration::from_secs(60),
    )
    .await;
    let stdout = ended.unwrap().stdout;
    let mut names: Vec<_> = stdout
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["LANG", "PATH"]);
}

/// More than the pipes hold, on both: a host that reads one after the other would wait for ever.
#[tokio::test]
async fn long_outputs_are_cut_and_never_block() {
    let script = "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero | tr '\\0' x; head -c 500000 /dev/zero >&2";
    let ended = shell(script).await.unwrap();
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.starts_with(&"x".repeat(65536)));
    assert!(
        ended.stdout.ends_with("\n[934464 more bytes were cut]\n"),
        "{}",
        &ended.stdout[65536..]
    );
    assert!(ended.stderr.ends_with("\n[1434464 more bytes were cut]\n"));
    let ended = shell("head -c 65536 /dev/zero | tr '\\0' '\\377'")
        .await
        .unwrap();
    assert!(ended.stdout.len() < 65600, "{}", ended.stdout.len());
}

/// The reactor of this thread hears nothing before the test gives way, as a busy one may
/// hear of a command's end before it hears of its last words.
#[tokio::test]
async fn last_words_that_no_reactor_told_of_are_kept() {
    let (pipe, mut writer) = std::io::pipe().unwrap();
    let mut output = Output::new(pipe.into()).unwrap();
    writer.write_all(b"hello\n").unwrap();
    output.drain();
    assert_eq!(output.text(), "hello\n");
}

#[tokio::test]
async fn a_daemon_that_keeps_the_output_open_is_not_waited_for() {
    let begun = Instant::now();
    let ended = shell("sleep 20 & echo $!").await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    let daemon = rustix::process::Pid::from_raw(ended.stdout.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(daemon, rustix::process::Signal::KILL).unwrap();
}

/// A command that runs a child of its own, told by a file when both are there.
fn lasting(folder: &tempfile::TempDir) -> ([String; 3], std::path::PathBuf) {
    let file = folder.path().join("pid");
    let path = file.display();
    let script = format!("sleep 100 & echo $! > {path}.new; mv {path}.new {path}; wait");
    (["/bin/sh".to_owned(), "-c".to_owned(), script], file)
}

/// Killed or a zombie: its process group's parent may have ended before it.
fn gone(file: &std::path::Path) -> bool {
    let pid = std::fs::read_to_string(file).unwrap();
    match std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn at_the_deadline_the_whole_group_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (words, file) = lasting(&folder);
    let ended = run(&words, Instant::now() + Duration::from_secs(3)).await;
    assert!(matches!(ended, Err(Fault::TimedOut(_))), "{ended:?}");
    until(|| gone(&file)).await;
}

#[tokio::test]
async fn a_run_that_is_cut_off_kills_the_group_too() {
    let folder = tempfile::tempdir().unwrap();
    let (words, file) = lasting(&folder);
    let running = run(&words, Instant::now() + Duration::from_secs(100));
    tokio::select! {
        ended = running => panic!("{ended:?}"),
        () = until(|| file.exists()) => {}
    }
    until(|| gone(&file)).await;
}

#[tokio::test]
async fn commands_that_cannot_be() {
    for (words, expected) in [
        (["true"].as_slice(), "invalid"),
        (&[], "invalid"),
        (&["/no/such/program"], "not-found"),
        (&["/etc"], "failed"),
    ] {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let kind = match run(&words, Instant::now() + Duration::from_secs(5)).await {
            Err(Fault::Invalid(_)) => "invalid",
            Err(Fault::NotFound(_)) => "not-found",
            Err(Fault::Failed(_)) => "failed",
            other => panic!("{other:?}"),
        };
        assert_eq!(kind, expected, "{words:?}");
    }
}

fn granted(pid_file: &std::path::Path, signal: Signal) -> FaultResult<()> {
    let pid_file = pid_file.to_owned();
    send(&SignalGrant { pid_file, signal })
}

#[test]
fn the_process_in_the_file_gets_the_signal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    for (signal, number) in [(Signal::Hup, 1), (Signal::Usr1, 10), (Signal::Usr2, 12)] {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "echo ready; exec sleep 100"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        std::fs::write(&file, format!("{}\nmore\n", child.id())).unwrap();
        granted(&file, signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        let again = granted(&file, signal);
        assert!(matches!(again, Err(Fault::NotFound(_))), "{again:?}");
    }
}

#[test]
fn pid_files_of_no_use() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let own = std::process::id().to_string();
    for content in [
        "",
        "\n5",
        "0",
        "1",
        "-1",
        "+5",
        "abc",
        "12 34",
        "5x",
        "99999999999",
        &own,
        &"9".repeat(100),
    ] {
        std::fs::write(&file, content).unwrap();
        let answer = granted(&file, Signal::Winch);
        assert!(
            matches!(answer, Err(Fault::Invalid(_))),
            "{content:?}: {answer:?}"
        );
    }
    std::fs::write(&file, b"\xff\xff").unwrap();
    assert!(matches!(
        granted(&file, Signal::Winch),
        Err(Fault::Invalid(_))
    ));
    std::fs::write(&file, i32::MAX.to_string()).unwrap();
    assert!(matches!(
        granted(&file, Signal::Winch),
        Err(Fault::NotFound(_))
    ));
    assert!(matches!(
        granted(folder.path(), Signal::Winch),
        Err(Fault::Invalid(_))
    ));
    assert!(matches!(
        granted(&folder.path().join("none"), Signal::Winch),
        Err(Fault::NotFound(_))
    ));
    let fifo = folder.path().join("fifo");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .unwrap();
    assert!(matches!(
        granted(&fifo, Signal::Winch),
        Err(Fault::Invalid(_))
    ));
}
