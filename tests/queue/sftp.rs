//! An SSH server on loopback as the way, by a remote.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use mhost_test_support::scratch;
use mhost_test_support::servers::Ssh;
use serde_json::json;

use super::ends::{Ends, figure, report};

pub fn carries() {
    let room = scratch("queue-ssh");
    let mut ssh = Ssh::start(room.path()).unwrap();
    let ends = Ends::with_west(scratch("queue-sftp"), ssh.files().join("west"));
    // The server is another user's.
    open(&ssh.files());
    for n in 0..30 {
        ends.write(&format!("{n}"), format!("{n}").repeat(50_000).as_bytes(), n);
    }
    ends.export();
    let transfer = |ssh: &Ssh, code: i32| {
        let remote = json!({ "name": "far", "path": "queues/east" });
        let config =
            json!({ "queues": "/east/queues", "targets": [{ "name": "west", "remote": remote }] });
        let url = format!(
            "far=sftp://vault:{}{}:rw",
            ssh.port,
            ends.west("").display()
        );
        let mut command = ends.command("transfer", &["east"], &config);
        command.args(["--remote", &url]).env("PATH", ssh.path());
        report(&command.output().unwrap(), code)
    };
    ssh.stop();
    assert_eq!(figure(&transfer(&ssh, 1), "items_sent"), 0);
    ssh.again();
    assert_eq!(figure(&transfer(&ssh, 0), "items_sent"), 30);
    assert_eq!(ends.there("TO_PROCESS").len(), 30);
    report(&ends.import_command().output().unwrap(), 0);
    assert_eq!(figure(&transfer(&ssh, 0), "items_acknowledged"), 30);
    ends.settled();
    ends.write("31", b"one more", 99);
    ends.export();
    assert_eq!(figure(&transfer(&ssh, 0), "items_sent"), 1);
    report(&ends.import_command().output().unwrap(), 0);
    transfer(&ssh, 0);
    ends.settled();
}

fn open(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            open(&path);
        }
    }
}
