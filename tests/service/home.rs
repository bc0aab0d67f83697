//! A state folder of a test, and the command on it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use serde_json::Value;

/// A folder with a state and a configuration in it.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// With this configuration, not yet applied.
    pub fn new(config: &str) -> Self {
        let home = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        home.write("mhost.toml", config);
        for folder in ["a", "b"] {
            fs::create_dir(home.path(folder)).unwrap();
        }
        home.write("a/file", "content");
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A command on this state; `now` stops its clock.
    pub fn command(&self, now: Option<&str>, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("MHOST_HOME", self.path("state"))
            .env_remove("MHOST_NOW");
        if let Some(now) = now {
            command.env("MHOST_NOW", now);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, now: Option<&str>, args: &[&str]) -> Output {
        self.command(now, args).output().unwrap()
    }

    /// As [`run`](Self::run), and reads its JSON; it must end with `code`.
    pub fn json(&self, now: Option<&str>, code: i32, args: &[&str]) -> Value {
        let all: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
        let output = self.run(now, &all);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {told}"))
    }

    /// Starts the service, and waits until it says that it serves.
    pub fn serve(&self) -> Service {
        let config = self.path("mhost.toml");
        let mut service = self.start(&["serve", "--config", config.to_str().unwrap()]);
        service.wait_for("mhost serves");
        service
    }

    /// Starts a service that may have something to say before it serves.
    pub fn start(&self, args: &[&str]) -> Service {
        let mut child = self.command(None, args).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Service { child, lines }
    }
}

/// A running service; killed when it is dropped.
pub struct Service {
    pub child: Child,
    lines: BufReader<ChildStderr>,
}

impl Service {
    /// Reads what it says until a line holds these words.
    pub fn wait_for(&mut self, words: &str) -> String {
        let mut told = String::new();
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(
                read > 0,
                "the service ended before it said `{words}`:\n{told}"
            );
            if line.contains(words) {
                return line;
            }
            told += &line;
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that accepts and says nothing.
pub struct Silent(TcpListener);

impl Silent {
    pub fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// Waits for a caller, who is then kept waiting.
    pub fn accept(&self) -> TcpStream {
        self.0.accept().unwrap().0
    }
}

/// A task that mirrors `a` to `b`.
pub fn mirror(name: &str, schedule: &str) -> String {
    format!(
        "[tasks.{name}]\nplugin = \"sync\"\naction = \"mirror\"\nschedule = {schedule}\n\
         config = {{ from = \"/a\", to = \"/b\" }}\n\
         grants.dirs.a = {{ path = \"a\" }}\ngrants.dirs.b = {{ path = \"b\", access = \"read-write\" }}\n"
    )
}

/// A task that waits for a server which never answers.
pub fn hang(name: &str, schedule: &str, origin: &str, policy: &str) -> String {
    format!(
        "[tasks.{name}]\nplugin = \"ping\"\naction = \"check\"\nschedule = {schedule}\n\
         config = {{ targets = [{{ http = \"{origin}/\", timeout = \"10m\" }}] }}\n\
         grants.net = [\"{origin}\"]\npolicy = {policy}\n"
    )
}

/// The names in a list of tasks, but for mhost's own.
pub fn names(tasks: &Value) -> Vec<&str> {
    tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["name"].as_str().unwrap())
        .filter(|name| *name != "mhost-retention")
        .collect()
}

/// Whether a path is there.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
