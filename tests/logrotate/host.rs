//! Rotation and watching with the host around them: alerts and mails that arrive, state
//! that is kept by a run that fails, and a state file that is waited for.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use mhost_test_support::scratch;
use tempfile::TempDir;

const DAY: i64 = 86_400;
/// 2026-03-01T00:00:00Z.
pub const START: i64 = 1_772_323_200;

pub struct Home(TempDir);

impl Home {
    /// With tasks that may tell through the channel `file`, which writes down what it is told.
    pub fn new(tasks: &str) -> Self {
        let home = Self(scratch("logrotate-host"));
        fs::create_dir(home.path("logs")).unwrap();
        let channel = format!(
            "[channels.file]\nkind = \"command\"\ncommand = [\"/usr/bin/tee\", \"-a\", \"{}\"]\ngroup = \"0s\"\n\n\
             [notify]\nchannels = [\"file\"]\n\n",
            home.path("told").display()
        );
        let tasks = tasks.replace("LOGS", &home.path("logs").display().to_string());
        fs::write(home.path("mhost.toml"), channel + &tasks).unwrap();
        home.done(START, &["apply", "mhost.toml"], true);
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, now: i64, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("MHOST_HOME", self.path("state"))
            .env("MHOST_NOW", now.to_string())
            .env("TZ", "UTC");
        command
    }

    /// What it said; it must go as it should.
    pub fn done(&self, now: i64, arguments: &[&str], well: bool) -> String {
        let output = self.command(now, arguments).output().unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.success(), well, "{arguments:?}: {told}");
        told
    }

    pub fn write(&self, name: &str, text: &str) {
        use std::io::Write as _;
        let path = self.path(name);
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// What the channel was told, and no more.
    fn told(&self) -> String {
        let told = fs::read_to_string(self.path("told")).unwrap_or_default();
        let _ = fs::remove_file(self.path("told"));
        told
    }

    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("logs")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }
}

/// What a watch finds is told once, stands, and is told to be over.
pub fn a_watch_tells_what_is_too_much() {
    let home = Home::new(
        "[tasks.watch]\nplugin = \"logrotate\"\naction = \"watch\"\nschedule = \"manual\"\n\
         config = { logs = [\"/logs/access.log\"], format = \"common\", errors = { rate = 0.5, at_least = 4 } }\n\
         grants = { dirs.logs = { path = \"LOGS\" } }\n",
    );
    let requests = |minute: u32, status: u32| {
        let line = |n: u32| {
            format!(
                "h - - [01/Mar/2026:00:{minute:02}:{n:02} +0000] \"GET / HTTP/1.1\" {status} 5\n"
            )
        };
        (0..10).map(line).collect::<String>()
    };
    home.write("logs/access.log", &requests(0, 500));
    home.done(START + 30, &["run", "watch"], true);
    assert_eq!(home.told(), "", "the first run begins at the end");
    home.write("logs/access.log", &requests(1, 503));
    // Rotated and compressed before anybody looked.
    fs::rename(home.path("logs/access.log"), home.path("logs/access.log.1")).unwrap();
    let gzip = Command::new("gzip")
        .arg(home.path("logs/access.log.1"))
        .status();
    assert!(gzip.unwrap().success());
    home.write("logs/access.log", &requests(2, 200));
    home.done(START + 130, &["run", "watch"], true);
    let told = home.told();
    assert!(told.contains("/logs/access.log 5xx"), "{told}");
    assert!(told.contains("10 of 10 requests"), "{told}");
    let alerts = home.done(START + 140, &["notify", "alerts"], true);
    assert!(alerts.contains("5xx"), "{alerts}");
    home.done(START + 150, &["run", "watch"], true);
    assert_eq!(home.told(), "", "it is told once");
    home.done(START + 1000, &["run", "watch"], true);
    let told = home.told();
    assert!(told.contains("recovered"), "{told}");
}

/// An archive that goes is sent through the channel that stands for `mail`.
pub fn an_archive_that_goes_is_mailed_by_the_host() {
    let home = Home::new(
        "[tasks.rotate]\nplugin = \"logrotate\"\naction = \"rotate\"\nschedule = \"manual\"\n\
         config = { conf_text = \"/logs/app.log {\\nsize 1\\nrotate 1\\nmail ops@example.org\\n}\\n\", scripts = { mail = \"file\" } }\n\
         grants = { dirs.logs = { path = \"LOGS\", access = \"read-write\" }, channels = [\"file\"] }\n",
    );
    for (turn, sent) in [(1, false), (2, true)] {
        home.write("logs/app.log", "a line\n");
        home.done(START + turn, &["run", "rotate"], true);
        let told = home.told();
        assert_eq!(told.contains("app.log.2"), sent, "{told}");
    }
    assert_eq!(home.names(), ["app.log.1"]);
}

/// The state of the host's store is kept by a run that fails, for the logs that went well.
pub fn a_task_that_always_fails_remembers_the_others() {
    let home = Home::new(
        "[tasks.rotate]\nplugin = \"logrotate\"\naction = \"rotate\"\nschedule = \"manual\"\n\
         config = { conf_text = \"/logs/*.log {\\ndaily\\nrotate 9\\n}\\n\", seed = { \"/logs/good.log\" = \"2026-2-25-0:0:0\" } }\n\
         grants = { dirs.logs = { path = \"LOGS\", access = \"read-write\" } }\n",
    );
    std::os::unix::fs::symlink("good.log", home.path("logs/link.log")).unwrap();
    for (turn, archives) in [(1, 1), (3600, 1), (DAY, 2)] {
        home.write("logs/good.log", "a line\n");
        home.done(START + turn, &["run", "rotate"], false);
        let there = home
            .names()
            .iter()
            .filter(|name| name.starts_with("good.log."))
            .count();
        assert_eq!(there, archives, "after {turn} s");
    }
}

/// The command begins once whoever holds the state file lets it go.
pub fn a_state_file_that_is_held_is_waited_for() {
    let home = Home::new("");
    home.write("logs/app.log", "a line\n");
    let conf = format!("{}/app.log {{\nrotate 1\n}}\n", home.path("logs").display());
    fs::write(home.path("conf"), conf).unwrap();
    fs::write(home.path("logs/.status"), "").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    fs::set_permissions(home.path("logs/.status"), private).unwrap();
    let held = File::open(home.path("logs/.status")).unwrap();
    held.lock().unwrap();
    let refused = home
        .command(START, &["logrotate", "-f", "-s", "logs/.status", "conf"])
        .output();
    assert_eq!(refused.unwrap().status.code(), Some(3));
    let arguments = [
        "logrotate",
        "-f",
        "--wait-for-state-lock",
        "-s",
        "logs/.status",
        "conf",
    ];
    let mut child = home
        .command(START, &arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !waits(&child) {
        assert!(child.try_wait().unwrap().is_none(), "it did not wait");
        std::thread::yield_now();
    }
    assert_eq!(home.names(), ["app.log"]);
    drop(held);
    assert!(child.wait().unwrap().success());
    assert_eq!(home.names(), ["app.log.1"]);
}

/// Whether the kernel says that the process waits for a lock.
fn waits(child: &Child) -> bool {
    let locks = fs::read_to_string("/proc/locks").unwrap();
    let pid = child.id().to_string();
    let waiting = locks.lines().filter(|line| line.contains("->"));
    waiting
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .any(|words| words.contains(&pid.as_str()))
}
