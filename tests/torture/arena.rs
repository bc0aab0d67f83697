//! A state with its tasks, the service on it, and commands beside it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::faults::pause;
use super::witness::Witness;

pub const TASKS: usize = 200;
/// Every task is due so often, milliseconds.
pub const EVERY: i64 = 2_000;
/// A claim lasts so long here, so that a process can be stopped for longer.
const LEASE: &str = "3s";
/// Nothing of what is asked here takes so long, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(120);
/// Nor does a service need so long until it is itself again.
const RECOVERY: Duration = Duration::from_secs(30);

pub struct Arena {
    folder: PathBuf,
    pub witness: Witness,
    service: Option<Child>,
}

/// A task's name; the even ones run at most once.
pub fn name(task: usize) -> String {
    format!("t{task}")
}

pub fn at_most_once(task: usize) -> bool {
    task.is_multiple_of(2)
}

impl Arena {
    pub fn new(folder: &Path) -> Self {
        let arena = Self {
            folder: folder.to_owned(),
            witness: Witness::new(),
            service: None,
        };
        fs::write(folder.join("mhost.toml"), arena.config()).unwrap();
        arena.json(&["apply", "mhost.toml"]);
        arena
    }

    fn config(&self) -> String {
        let origin = &self.witness.origin;
        let mut config = String::from("[pools.many]\nsize = 24\n");
        for task in 0..TASKS {
            let name = name(task);
            let delivery = match at_most_once(task) {
                true => "at-most-once",
                false => "at-least-once",
            };
            write!(
                config,
                "[tasks.{name}]\nplugin = \"ping\"\naction = \"check\"\n\
                 schedule = {{ every = \"2s\" }}\n\
                 config = {{ targets = [{{ http = \"{origin}/{name}\", timeout = \"20s\", retries = 0 }}] }}\n\
                 grants.net = [\"{origin}\"]\n\
                 policy = {{ delivery = \"{delivery}\", pool = \"many\" }}\n",
            )
            .unwrap();
        }
        config
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .args(args)
            .current_dir(&self.folder)
            .env("MHOST_HOME", self.folder.join("state"))
            .env("MHOST_LEASE", LEASE)
            .env_remove("MHOST_NOW")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// What a command answers; it must not fail for long. After a disk was full the
    /// service reads again only when it has written again, which is some seconds later.
    pub fn json(&self, args: &[&str]) -> Value {
        let begun = Instant::now();
        loop {
            match self.try_json(args) {
                Ok(answer) => return answer,
                Err(told) => assert!(begun.elapsed() < RECOVERY, "{args:?}: {told}"),
            }
            pause(Duration::from_millis(500));
        }
    }

    fn try_json(&self, args: &[&str]) -> Result<Value, String> {
        let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
        let output = self
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Starts the service; its log is kept for whoever looks into a failure.
    pub fn serve(&mut self) {
        let log = File::options()
            .append(true)
            .create(true)
            .open(super::scratch_log());
        let mut command = self.command(&["serve"]);
        command.stderr(log.unwrap());
        self.service = Some(command.spawn().unwrap());
    }

    /// Whether the service is there; it must never end by itself.
    pub fn serves(&mut self) -> bool {
        match &mut self.service {
            None => false,
            Some(service) => {
                let ended = service.try_wait().unwrap();
                assert!(ended.is_none(), "the service ended by itself: {ended:?}");
                true
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(service) = &self.service {
            let pid = Pid::from_child(service);
            rustix::process::kill_process(pid, signal).unwrap();
        }
    }

    pub fn kill(&mut self) {
        if let Some(mut service) = self.service.take() {
            service.kill().unwrap();
            service.wait().unwrap();
        }
    }

    /// The service drains and ends, and a last tick settles what it left.
    pub fn come_to_rest(&mut self) {
        if !self.serves() {
            self.serve();
        }
        self.signal(Signal::TERM);
        let mut service = self.service.take().unwrap();
        let begun = Instant::now();
        while service.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "the service does not end");
            pause(Duration::from_millis(50));
        }
        // What waits for a lease or a retry is over by then.
        for _ in 0..3 {
            pause(Duration::from_secs(1));
            let tick = self.command(&["tick"]).status();
            assert!(tick.unwrap().code().is_some_and(|code| code <= 1));
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.kill();
    }
}
