//! Rotation while a writer writes, and rotation that is killed: no line is lost.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mhost_test_support::{Mount, scratch};
use tempfile::TempDir;

/// Logs of the run that is killed.
const LOGS: usize = 60;

struct Ground {
    folder: TempDir,
    home: TempDir,
    logs: PathBuf,
}

impl Ground {
    fn new(body: &str) -> Self {
        let folder = scratch("logrotate-hardship");
        let logs = folder.path().join("logs");
        fs::create_dir(&logs).unwrap();
        Self::around(folder, logs, body)
    }

    /// With logs that lie elsewhere.
    fn at(logs: PathBuf, body: &str) -> Self {
        Self::around(scratch("logrotate-hardship"), logs, body)
    }

    fn around(folder: TempDir, logs: PathBuf, body: &str) -> Self {
        let ground = Self {
            folder,
            home: scratch("logrotate-hardship-home"),
            logs,
        };
        let logs = ground.logs();
        let text = format!("{}/*.log {{\n{body}\n}}\n", logs.display());
        let text = text.replace(
            "/PID",
            &ground.folder.path().join("pid").display().to_string(),
        );
        fs::write(ground.conf(), text).unwrap();
        ground
    }

    fn logs(&self) -> PathBuf {
        self.logs.clone()
    }

    fn conf(&self) -> PathBuf {
        self.folder.path().join("conf")
    }

    fn rotate(&self, force: bool) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .arg("--home")
            .arg(self.home.path())
            .args(["logrotate", "-s"]);
        command
            .arg(self.folder.path().join("status"))
            .args(force.then_some("-f"))
            .arg(self.conf());
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    /// Every line of all logs and archives, and how often it is there.
    fn lines(&self) -> BTreeMap<String, u32> {
        let mut lines = BTreeMap::new();
        for entry in fs::read_dir(self.logs()).unwrap() {
            for line in text(&entry.unwrap().path()).lines() {
                *lines.entry(line.to_owned()).or_default() += 1;
            }
        }
        lines
    }

    /// A shell that writes numbered lines until it is told to stop, and opens its log
    /// again on USR1.
    fn writer(&self) -> Child {
        let script = "exec 3>>\"$1\"; trap 'exec 3>>\"$1\"' USR1; echo $$ > \"$2\"; i=0; \
                      while [ ! -e \"$3\" ]; do i=$((i+1)); echo \"line $i\" >&3; done; echo $i > \"$3\"";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "writer"]);
        command
            .arg(self.logs().join("app.log"))
            .arg(self.folder.path().join("pid"))
            .arg(self.stop());
        let child = command.spawn().unwrap();
        while fs::read(self.folder.path().join("pid")).map_or(0, |pid| pid.len()) == 0 {
            std::thread::yield_now();
        }
        child
    }

    fn stop(&self) -> PathBuf {
        self.folder.path().join("stop")
    }

    /// Ends the writer; the lines that it wrote.
    fn finish(&self, mut writer: Child) -> u32 {
        fs::write(self.stop(), "").unwrap();
        writer.wait().unwrap();
        fs::read_to_string(self.stop())
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }
}

fn text(path: &Path) -> String {
    let raw = fs::read(path).unwrap();
    let mut text = String::new();
    match raw.starts_with(&[0x1f, 0x8b]) {
        true => drop(
            flate2::read::GzDecoder::new(raw.as_slice())
                .read_to_string(&mut text)
                .unwrap(),
        ),
        false => text.push_str(&String::from_utf8_lossy(&raw)),
    }
    text
}

/// With `create` and a signal, every line is there once.
pub fn a_writer_that_is_signalled_loses_no_line() {
    let ground = Ground::new(
        "rotate 50\ncreate\ncompress\ndelaycompress\npostrotate\nkill -USR1 $(cat /PID)\nendscript",
    );
    let writer = ground.writer();
    for _ in 0..4 {
        assert!(ground.rotate(true).wait().unwrap().success());
    }
    let written = ground.finish(writer);
    let lines = ground.lines();
    assert_eq!(lines.len(), written as usize);
    assert!(lines.values().all(|count| *count == 1));
}

/// With `copytruncate`, what is lost is the moment that the report tells.
pub fn a_writer_that_is_not_told_loses_a_moment_at_most() {
    let ground = Ground::new("rotate 50\ncopytruncate");
    let writer = ground.writer();
    for _ in 0..4 {
        assert!(ground.rotate(true).wait().unwrap().success());
    }
    let written = ground.finish(writer);
    let lines = ground.lines();
    assert!(
        lines.values().all(|count| *count == 1),
        "no line is there twice"
    );
    let lost = written as usize - lines.len();
    assert!(
        lost < written as usize / 20,
        "{lost} of {written} lines are lost"
    );
}

/// Killed at several moments, and then run to its end: every line is there once.
pub fn a_killed_rotation_is_finished_by_the_next() {
    for after in [1, 20, LOGS] {
        let ground = Ground::new("daily\nrotate 9\ncreate\ncompress\ndelaycompress");
        let state: String = (0..LOGS)
            .map(|number| {
                let log = ground.logs().join(format!("app{number}.log"));
                fs::write(&log, format!("now {number}\n")).unwrap();
                fs::write(
                    ground.logs().join(format!("app{number}.log.1")),
                    format!("old {number}\n"),
                )
                .unwrap();
                format!("\"{}\" 2026-1-1-0:0:0\n", log.display())
            })
            .collect();
        fs::write(
            ground.folder.path().join("status"),
            format!("logrotate state -- version 2\n{state}"),
        )
        .unwrap();
        let mut run = ground.rotate(false);
        while run.try_wait().unwrap().is_none() {
            let names = fs::read_dir(ground.logs())
                .unwrap()
                .map(|entry| entry.unwrap().file_name());
            let done = names
                .filter(|name| name.to_string_lossy().ends_with(".gz"))
                .count();
            if done >= after {
                run.kill().unwrap();
                run.wait().unwrap();
                break;
            }
        }
        assert!(ground.rotate(false).wait().unwrap().success());
        let lines = ground.lines();
        let expected =
            (0..LOGS).flat_map(|number| [format!("now {number}"), format!("old {number}")]);
        let missing: Vec<_> = expected
            .filter(|line| lines.get(line) != Some(&1))
            .collect();
        assert!(missing.is_empty(), "killed after {after}: {missing:?}");
        let names = fs::read_dir(ground.logs())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: Vec<_> = names.collect();
        let left: Vec<_> = names
            .iter()
            .filter(|name| name.contains(".mhost"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        let logs = (0..LOGS)
            .filter(|number| names.contains(&format!("app{number}.log")))
            .count();
        assert_eq!(logs, LOGS, "every log is there again");
    }
}

/// Whatever does not fit onto the disk any more, no log is lost, nothing half done is left,
/// and once there is room the next run goes on.
pub fn a_full_disk_takes_no_log(disk: &Mount) {
    let lines: String = (0_u32..40_000)
        .map(|n| format!("{:08x}\n", n.wrapping_mul(2_654_435_761)))
        .collect();
    for (number, body) in [
        "copytruncate\nrotate 3",
        "compress\nrotate 3\ncreate",
        "copy\nrotate 3",
        "renamecopy\nrotate 3",
    ]
    .into_iter()
    .enumerate()
    {
        let logs = disk.path().join(number.to_string());
        fs::create_dir(&logs).unwrap();
        fs::write(logs.join("app.log"), &lines).unwrap();
        let ground = Ground::at(logs, body);
        disk.fill();
        let full = ground.rotate(true).wait().unwrap();
        assert!(!full.success(), "{body}");
        let whole = |ground: &Ground| {
            let lines = ground.lines();
            lines.len() == 40_000 && lines.keys().all(|line| line.len() == 8)
        };
        assert!(whole(&ground), "{body}");
        let names = || {
            fs::read_dir(ground.logs())
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
        };
        let partial = names().find(|name| name.to_string_lossy().contains(".partial"));
        assert_eq!(partial, None, "{body}");
        disk.empty();
        assert!(ground.rotate(true).wait().unwrap().success(), "{body}");
        assert!(whole(&ground), "{body}");
        fs::remove_dir_all(ground.logs()).unwrap();
    }
}
