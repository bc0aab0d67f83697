//! A scenario laid out in a folder of its own, and what is there afterwards.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, NaiveDateTime};
use mhost_format_logrotate::State;
use mhost_test_support::scratch;
use tempfile::TempDir;

use crate::scenario::{self, Scenario, Through};

pub struct World {
    folder: TempDir,
    /// Paths stay as they are in the sandbox.
    guest: bool,
}

/// What is there: files by name, with kind, mode, owner and content; and the state.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub files: BTreeMap<String, String>,
    pub state: BTreeMap<String, NaiveDateTime>,
}

impl World {
    pub fn new(label: &str, scenario: &Scenario, now: i64) -> Self {
        let world = Self {
            folder: scratch(&format!("logrotate-{label}")),
            guest: scenario.through == Through::Exec && label == "ours",
        };
        fs::create_dir(world.logs()).unwrap();
        for file in &scenario.files {
            world.lay(file, now);
        }
        let configuration = world.placed(&scenario.configuration);
        fs::write(world.configuration(), configuration).unwrap();
        fs::set_permissions(world.configuration(), Permissions::from_mode(0o644)).unwrap();
        if scenario.owner != 0 {
            std::os::unix::fs::chown(world.configuration(), Some(scenario.owner), None).unwrap();
        }
        let at = |ago: i64| DateTime::from_timestamp(now - ago, 0).unwrap().naive_utc();
        let state = State {
            logs: scenario
                .state
                .iter()
                .map(|(log, ago)| (world.placed(log), at(*ago)))
                .collect(),
        };
        if !scenario.state.is_empty() {
            fs::write(world.state(), state.text()).unwrap();
            fs::set_permissions(world.state(), Permissions::from_mode(scenario.state_mode))
                .unwrap();
        }
        world
    }

    pub fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    pub fn state(&self) -> PathBuf {
        self.logs().join(".state")
    }

    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("conf")
    }

    /// Paths as they are on this machine.
    fn placed(&self, text: &str) -> String {
        if self.guest {
            return text.to_owned();
        }
        text.replace("/logs", &self.logs().display().to_string())
    }

    fn lay(&self, file: &scenario::File, now: i64) {
        let path = self.logs().join(&file.name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match file.content.as_str() {
            "dir" => fs::create_dir_all(&path).unwrap(),
            "fifo" => {
                use rustix::fs::{CWD, FileType, Mode, mknodat};
                mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            }
            text => match (text.strip_prefix("-> "), text.strip_prefix("= ")) {
                (Some(target), _) => return std::os::unix::fs::symlink(target, &path).unwrap(),
                (_, Some(other)) => return fs::hard_link(self.logs().join(other), &path).unwrap(),
                _ => write(&path, &self.placed(text)),
            },
        }
        fs::set_permissions(&path, Permissions::from_mode(file.mode)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(file.owner.0), Some(file.owner.1)).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(file.mode)).unwrap();
        }
        if file.content != "fifo" {
            let at = UNIX_EPOCH + Duration::from_secs((now - file.age).cast_unsigned());
            File::open(&path)
                .unwrap()
                .set_times(FileTimes::new().set_modified(at))
                .unwrap();
        }
    }

    pub fn look(&self) -> Seen {
        let mut files = BTreeMap::new();
        self.walk(Path::new(""), &mut files);
        // What mhost leaves for its next run to finish.
        files.retain(|name, _| !name.contains(".mhost-rotating"));
        let root = self.logs().display().to_string();
        let text = fs::read_to_string(self.state()).unwrap_or_default();
        let (state, _) = State::read(&text);
        let logs = state.logs.into_iter();
        Seen {
            files,
            state: logs
                .map(|(log, at)| (log.replace(&root, "/logs"), at))
                .collect(),
        }
    }

    fn walk(&self, below: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(self.logs().join(below)).unwrap() {
            let name = below.join(entry.unwrap().file_name());
            let path = self.logs().join(&name);
            let meta = path.symlink_metadata().unwrap();
            let owner = format!("{:04o} {}:{}", meta.mode() & 0o7777, meta.uid(), meta.gid());
            let what = match meta.file_type() {
                kind if kind.is_dir() => format!("folder {owner}"),
                kind if kind.is_symlink() => format!("link {:?}", fs::read_link(&path).unwrap()),
                kind if kind.is_fifo() => format!("fifo {owner}"),
                // What stands in it is compared line by line.
                _ if name == Path::new(".state") => format!("file {owner}"),
                _ => {
                    let content = read(&path).replace(&self.logs().display().to_string(), "/logs");
                    format!("file {owner} {content:?}")
                }
            };
            files.insert(name.display().to_string(), what);
            if meta.is_dir() {
                self.walk(&name, files);
            }
        }
    }
}

fn write(path: &Path, text: &str) {
    let text = text.replace("\\n", "\n");
    if path.extension().is_none_or(|ext| ext != "gz") {
        return fs::write(path, text).unwrap();
    }
    let mut encoder =
        flate2::write::GzEncoder::new(File::create(path).unwrap(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
}

/// The content, expanded where the bytes say that it is compressed.
fn read(path: &Path) -> String {
    let raw = fs::read(path).unwrap();
    let mut bytes = Vec::new();
    let expanded = match raw.as_slice() {
        [0x1f, 0x8b, ..] => {
            flate2::read::MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut bytes)
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::Decoder::new(raw.as_slice())
            .unwrap()
            .read_to_end(&mut bytes),
        [0xfd, b'7', b'z', b'X', ..] => {
            lzma_rust2::XzReader::new(raw.as_slice(), true).read_to_end(&mut bytes)
        }
        _ => return String::from_utf8_lossy(&raw).into_owned(),
    };
    expanded.unwrap();
    format!("compressed {}", String::from_utf8_lossy(&bytes))
}

/// One line for each difference; times within a moment are the same.
pub fn differences(left: &Seen, right: &Seen, moment: i64) -> Vec<String> {
    let mut found = Vec::new();
    let names = left.files.keys().chain(right.files.keys());
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        let (theirs, ours) = (left.files.get(name), right.files.get(name));
        if theirs != ours {
            found.push(format!("{name}: logrotate {theirs:?}, mhost {ours:?}"));
        }
    }
    let logs = left.state.keys().chain(right.state.keys());
    for log in logs.collect::<std::collections::BTreeSet<_>>() {
        let same = match (left.state.get(log), right.state.get(log)) {
            (Some(theirs), Some(ours)) => (*theirs - *ours).num_seconds().abs() <= moment,
            _ => false,
        };
        if !same {
            let (theirs, ours) = (left.state.get(log), right.state.get(log));
            found.push(format!(
                "state of {log}: logrotate {theirs:?}, mhost {ours:?}"
            ));
        }
    }
    found
}
