//! Every command is killed, by a signal that nobody can catch, as soon as a certain number of
//! items has moved; then it all goes on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ends::{Ends, THERE, figure, inodes, items, report};

const FILES: usize = 40;

/// Kills the command once `reached` says so; whether it was killed before its end.
pub fn kill_when(mut command: Command, reached: impl Fn() -> bool) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if reached() {
            let _ = child.kill();
            let _ = child.wait();
            return true;
        }
        std::thread::yield_now();
    }
}

fn count(folder: &Path) -> usize {
    items(folder).len()
}

pub fn killed() {
    let ends = Ends::new();
    for n in 0..FILES {
        ends.write(
            &format!("{}/{n}", n % 4),
            format!("{n}").repeat(3000).as_bytes(),
            n as u64,
        );
    }
    let mut kills = 0;
    let (export, sent) = (ends.path("east/queues/west/EXPORT"), ends.west(THERE));
    for most in [1, 7, 23, FILES] {
        let reached = || count(&export.join("TO_PROCESS")) >= most;
        kills += usize::from(kill_when(ends.export_command(), reached));
    }
    report(&ends.export_command().output().unwrap(), 0);
    for most in [1, 9, 30, FILES] {
        let reached = || count(&sent.join("TO_PROCESS")) >= most;
        kills += usize::from(kill_when(ends.transfer_command(), reached));
    }
    report(&ends.transfer_command().output().unwrap(), 0);
    // What came, to be sent once more below.
    let arrived: Vec<(String, Vec<u8>)> = items(&sent.join("TO_PROCESS"))
        .into_iter()
        .map(|name| {
            let content = fs::read(sent.join("TO_PROCESS").join(&name)).unwrap();
            (name, content)
        })
        .collect();
    assert!(arrived.len() >= FILES);
    for most in [1, 11, 29] {
        let reached = || count(&sent.join("DONE")) >= most;
        kills += usize::from(kill_when(ends.import_command(), reached));
    }
    report(&ends.import_command().output().unwrap(), 0);
    for most in [1, 13] {
        let reached = || count(&export.join("DONE")) >= most;
        kills += usize::from(kill_when(ends.transfer_command(), reached));
    }
    report(&ends.transfer_command().output().unwrap(), 0);
    report(&ends.transfer_command().output().unwrap(), 0);
    assert!(kills >= 6, "only {kills} runs were killed in the middle");
    ends.settled();
    // All of it once more, the newest first: nothing is applied twice.
    let before = inodes(&ends.west("content"));
    for (name, content) in arrived.iter().rev() {
        fs::write(sent.join("TO_PROCESS").join(name), content).unwrap();
    }
    let again = report(&ends.import_command().output().unwrap(), 0);
    assert_eq!(figure(&again, "items_applied"), 0);
    assert_eq!(figure(&again, "items_superseded"), arrived.len() as u64);
    assert_eq!(inodes(&ends.west("content")), before);
    ends.settled();
    assert_eq!(figure(&ends.export(), "items_put"), 0);
}
