//! Two ends in one folder: `east` sends, `west` receives, each with queues and content.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use mhost_test_support::{files, scratch, tree::File};
use serde_json::{Value, json};

pub struct Ends {
    folder: tempfile::TempDir,
    /// Where west's queues and content are.
    west: PathBuf,
}

/// Where items are on their way.
pub const SENT: &str = "east/queues/west/EXPORT";
pub const THERE: &str = "queues/east/IMPORT";

impl Ends {
    pub fn new() -> Self {
        let folder = scratch("queue");
        let west = folder.path().join("west");
        Self::with_west(folder, west)
    }

    /// With west elsewhere, on a disk of its own perhaps.
    pub fn with_west(folder: tempfile::TempDir, west: PathBuf) -> Self {
        let ends = Self { folder, west };
        for path in [ends.path("east"), ends.west.clone()] {
            fs::create_dir_all(path.join("queues")).unwrap();
            fs::create_dir_all(path.join("content")).unwrap();
        }
        ends.run(
            "create-queue",
            &["east"],
            &json!({ "queues": "/east/queues", "targets": ["west"] }),
        );
        ends.run(
            "create-queue",
            &["west"],
            &json!({ "queues": "/west/queues", "targets": ["east"] }),
        );
        ends
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn west(&self, name: &str) -> PathBuf {
        self.west.join(name)
    }

    /// `mhost exec sync ACTION` with these ends granted.
    pub fn command(&self, action: &str, ends: &[&str], config: &Value) -> Command {
        let file = self.path(&format!("{action}.json"));
        fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .args(["exec", "sync", action, "--format", "json", "--config"])
            .arg(file)
            .env("MHOST_HOME", self.path("state"))
            .env_remove("MHOST_NOW")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for end in ends {
            let path = match *end {
                "west" => self.west.clone(),
                end => self.path(end),
            };
            command.args(["--dir", &format!("{end}={}:rw", path.display())]);
        }
        command
    }

    /// Runs it to its end, which must be a good one; its report.
    #[track_caller]
    pub fn run(&self, action: &str, ends: &[&str], config: &Value) -> Value {
        report(&self.command(action, ends, config).output().unwrap(), 0)
    }

    pub fn export_command(&self) -> Command {
        let config = json!({
            "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }],
            "files": [{ "from": "/east/content" }],
        });
        self.command("export", &["east"], &config)
    }

    #[track_caller]
    pub fn export(&self) -> Value {
        report(&self.export_command().output().unwrap(), 0)
    }

    /// By a directory.
    pub fn transfer_command(&self) -> Command {
        let way = json!({ "name": "west", "directory": "/west/queues/east" });
        let config = json!({ "queues": "/east/queues", "targets": [way] });
        self.command("transfer", &["east", "west"], &config)
    }

    pub fn import_command(&self) -> Command {
        let importers = json!([{ "files": "/west/content" }]);
        let config = json!({ "queues": "/west/queues", "importers": importers });
        self.command("import", &["west"], &config)
    }

    /// A file of east's content.
    pub fn write(&self, name: &str, content: &[u8], seconds: u64) {
        let path = self.path("east/content").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    }

    /// Items of one of east's states, and of west's.
    pub fn sent(&self, state: &str) -> Vec<String> {
        items(&self.path(SENT).join(state))
    }

    pub fn there(&self, state: &str) -> Vec<String> {
        items(&self.west(THERE).join(state))
    }

    /// Both contents are the same, and nothing is on its way any more.
    #[track_caller]
    pub fn equal(&self) {
        let (east, west) = (
            files(&self.path("east/content")),
            files(&self.west("content")),
        );
        let names = |tree: &[File]| tree.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
        assert_eq!(names(&east), names(&west));
        assert!(east == west, "contents, modes or times differ");
    }

    #[track_caller]
    pub fn settled(&self) {
        self.equal();
        for state in ["TO_PROCESS", "PROCESSING", "ERROR"] {
            assert_eq!(self.sent(state), Vec::<String>::new(), "east {state}");
            assert_eq!(self.there(state), Vec::<String>::new(), "west {state}");
        }
        let hidden = [self.path(SENT), self.west(THERE)].map(|folder| {
            let mut names = hidden(&folder.join("TO_PROCESS"));
            // What the copy of a run that was killed left goes with what is old.
            names.retain(|name| !name.ends_with(".partial"));
            names
        });
        assert_eq!(hidden, [Vec::<String>::new(), Vec::new()], "left over");
    }
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

pub fn items(folder: &Path) -> Vec<String> {
    let mut names = listed(folder);
    names.retain(|name| !name.starts_with('.'));
    names
}

/// What is being written, or was left over.
pub fn hidden(folder: &Path) -> Vec<String> {
    let mut names = listed(folder);
    names.retain(|name| name.starts_with('.'));
    names
}

/// The inodes of a tree: a file that is written anew gets another.
pub fn inodes(root: &Path) -> Vec<u64> {
    let mut found: Vec<u64> = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::metadata(&path).unwrap();
            found.push(metadata.ino());
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort_unstable();
    found
}

pub fn told(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// The report of a run that ended with this code.
#[track_caller]
pub fn report(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}", told(output));
    let run: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", told(output)));
    run["report"].clone()
}

#[track_caller]
pub fn figure(report: &Value, name: &str) -> u64 {
    let found = report["metrics"][name].as_f64();
    found.unwrap_or_else(|| panic!("no `{name}` in {report:#}")) as u64
}
