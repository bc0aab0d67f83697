//! With restic itself, in both directions.

#![allow(clippy::unwrap_used)] // A panic is how a trial fails.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use common::{Bench, PASSWORD, furnish, noon, same};
use libtest_mimic::Trial;
use mhost_model::Fault;
use mhost_model::ports::repository::{BackupOptions, Keep};
use mhost_test_support::{Tool, assert_same_tree, noise, tools, trial};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, waitpid};

/// Set for a process that this test starts to be stopped or killed in the middle
/// of a backup.
const CHILD: &str = "MHOST_TEST_CHILD";

fn main() {
    if let Ok(task) = std::env::var(CHILD) {
        return child(&task);
    }
    let all: [(&str, fn()); 8] = [
        ("restic_reads_what_we_write", restic_reads_what_we_write),
        ("we_read_what_restic_writes", we_read_what_restic_writes),
        (
            "each_goes_on_from_the_others_snapshot",
            each_goes_on_from_the_others_snapshot,
        ),
        ("both_exclude_the_same", both_exclude_the_same),
        (
            "each_prunes_what_the_other_forgot",
            each_prunes_what_the_other_forgot,
        ),
        ("restic_honours_our_lock", restic_honours_our_lock),
        ("we_honour_restics_lock", we_honour_restics_lock),
        (
            "a_killed_backup_harms_nothing",
            a_killed_backup_harms_nothing,
        ),
    ];
    let trials: Vec<Trial> = all
        .into_iter()
        .map(|(name, body)| trial(name, &[Tool::Restic], body))
        .collect();
    mhost_test_support::main(trials)
}

fn restic(bench: &Bench) -> Command {
    let mut command = Command::new(tools::restic().unwrap());
    command.env("RESTIC_PASSWORD", PASSWORD).env("LC_ALL", "C");
    command.arg("--no-cache").arg("-r").arg(bench.repo_path());
    command
}

/// Runs restic; what it said, and whether it ended well.
fn run(bench: &Bench, arguments: &[&str]) -> (bool, String) {
    let output = restic(bench).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[track_caller]
fn fine(bench: &Bench, arguments: &[&str]) -> String {
    let (well, said) = run(bench, arguments);
    assert!(well, "restic {arguments:?}: {said}");
    said
}

fn restic_backup(bench: &Bench) {
    fine(bench, &["backup", bench.source().to_str().unwrap()]);
}

fn restic_restore(bench: &Bench, target: &str) {
    fine(
        bench,
        &[
            "restore",
            "latest",
            "--target",
            bench.path(target).to_str().unwrap(),
        ],
    );
    let below = bench
        .path(target)
        .join(bench.source().strip_prefix("/").unwrap());
    assert_same_tree(&bench.source(), &below);
}

fn our_restore(bench: &Bench, target: &str) {
    let target = bench.path(target);
    bench
        .open()
        .restore(&bench.latest_source(), &target, &Default::default())
        .unwrap();
    assert_same_tree(&bench.source(), &target);
}

fn restic_reads_what_we_write() {
    let bench = Bench::with_repository();
    furnish(&bench.source());
    let options = BackupOptions {
        tags: vec!["ours".to_owned()],
        hostname: Some("box".to_owned()),
        ..BackupOptions::default()
    };
    let summary = bench
        .open()
        .backup(&[same(&bench.source())], &options, noon(0))
        .unwrap();
    let said = fine(&bench, &["snapshots", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&said).unwrap();
    let expected = serde_json::json!([summary.snapshot.id, "box", ["ours"], [bench.source()]]);
    let one = &listed[0];
    assert_eq!(
        serde_json::json!([one["id"], one["hostname"], one["tags"], one["paths"]]),
        expected
    );
    assert!(
        one["time"].as_str().unwrap().starts_with("2024-01-01T"),
        "{one}"
    );
    let said = fine(&bench, &["check", "--read-data"]);
    assert!(said.contains("no errors were found"), "{said}");
    restic_restore(&bench, "out");
}

fn we_read_what_restic_writes() {
    let bench = Bench::new();
    fine(&bench, &["init"]);
    furnish(&bench.source());
    fine(
        &bench,
        &[
            "backup",
            "--tag",
            "theirs",
            "--host",
            "box",
            bench.source().to_str().unwrap(),
        ],
    );
    let snapshots = bench.open().snapshots().unwrap();
    assert_eq!(snapshots.len(), 1);
    assert_eq!(
        (snapshots[0].hostname.as_str(), &snapshots[0].tags[..]),
        ("box", &["theirs".to_owned()][..])
    );
    let verdict = bench.open().check(100).unwrap();
    assert!(verdict.sound, "{:?}", verdict.findings);
    our_restore(&bench, "out");
}

/// Neither stores again what the other has stored: both see the same files.
fn each_goes_on_from_the_others_snapshot() {
    let bench = Bench::new();
    fine(&bench, &["init"]);
    furnish(&bench.source());
    restic_backup(&bench);
    let ours = bench.backup_at(noon(20_000)).unwrap();
    let files = tree_size(&bench);
    assert_eq!((ours.files_new, ours.files_changed), (0, 0), "{ours:?}");
    assert!(
        ours.files_unmodified >= files && ours.bytes_added < 20_000,
        "{ours:?}"
    );
    let said = fine(
        &bench,
        &["backup", "--json", bench.source().to_str().unwrap()],
    );
    let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(
        (last["files_new"].as_u64(), last["files_changed"].as_u64()),
        (Some(0), Some(0)),
        "{last}"
    );
    assert_eq!(last["data_blobs"].as_u64(), Some(0), "{last}");
}

fn tree_size(bench: &Bench) -> u64 {
    let listed = bench
        .open()
        .listing("latest", bench.source().to_str().unwrap(), 10_000)
        .unwrap();
    listed.iter().filter(|node| node.kind == "file").count() as u64
}

fn both_exclude_the_same() {
    let files = [
        "a.log",
        "b/a.log",
        "b/keep.log",
        "b/a.txt",
        "cache/x",
        "d/cache/y",
        "d/e/f/z",
        "d/z",
        "{a,b}",
        "star*",
        "stars",
        "x1",
        "x2",
        "xa",
        "deep/er/still/t.tmp",
        "spa ce",
        "Übung",
    ];
    let patterns: [&[&str]; 12] = [
        &["*.log"],
        &["*.log", "!keep.log"],
        &["cache"],
        &["cache/"],
        &["d/**/z"],
        &["b/*.log"],
        &["{a,b}"],
        &["star\\*"],
        &["x[0-9]"],
        &["x[^0-9]"],
        &["st?r*", "spa*"],
        &["**/*.tmp", "Ü*"],
    ];
    let bench = Bench::with_repository();
    for file in files {
        bench.write(file, file);
    }
    for exclude in patterns {
        let options = BackupOptions {
            exclude: exclude.iter().map(ToString::to_string).collect(),
            ..BackupOptions::default()
        };
        let ours = bench
            .open()
            .backup(&[same(&bench.source())], &options, noon(0))
            .unwrap();
        let mut arguments = vec!["backup"];
        arguments.extend(exclude.iter().flat_map(|pattern| ["--exclude", pattern]));
        let source = bench.source();
        arguments.push(source.to_str().unwrap());
        let said = fine(&bench, &arguments);
        // `snapshot 0123abcd saved`
        let theirs = said.lines().last().unwrap().split(' ').nth(1).unwrap();
        let listed = |id: &str| {
            let nodes = bench.open().listing(id, "/", 1000).unwrap();
            nodes.into_iter().map(|node| node.path).collect::<Vec<_>>()
        };
        assert_eq!(listed(&ours.snapshot.id), listed(theirs), "{exclude:?}");
    }
}

fn each_prunes_what_the_other_forgot() {
    let bench = Bench::with_repository();
    for day in 0..4 {
        bench.write("large", noise(2 << 20, day));
        bench.write("steady", "the same");
        bench.backup_at(noon(day.cast_signed())).unwrap();
    }
    let size = || -> u64 {
        bench
            .packs()
            .iter()
            .map(|pack| fs::metadata(pack).unwrap().len())
            .sum()
    };
    let all = size();
    fine(
        &bench,
        &["forget", "--keep-last", "3", "--group-by", "host"],
    );
    let pruned = bench.open().prune().unwrap();
    assert!(pruned.bytes_removed > 2 << 20, "{pruned:?}");
    assert!(all - size() > 2 << 20);
    fine(&bench, &["check", "--read-data"]);
    bench
        .open()
        .forget(
            &Keep {
                last: 1,
                ..Keep::default()
            },
            true,
            noon(9),
        )
        .unwrap();
    fine(&bench, &["prune"]);
    assert!(size() < 3 << 20);
    assert!(bench.open().check(100).unwrap().sound);
    restic_restore(&bench, "theirs");
    our_restore(&bench, "ours");
}

fn restic_honours_our_lock() {
    let bench = Bench::with_repository();
    bench.write("large", noise(64 << 20, 1));
    let child = Interrupted::start(&bench, "stop");
    // In the middle of a backup: its lock is there, its snapshot is not.
    let stopped = child.wait(WaitOptions::UNTRACED);
    assert!(stopped.stopped(), "the backup was too fast to be stopped");
    let (well, said) = run(&bench, &["prune"]);
    assert!(
        !well && said.contains("locked") && said.contains(&child.0.id().to_string()),
        "{said}"
    );
    let (well, said) = run(&bench, &["unlock"]);
    assert!(
        well && bench.locks() == 1,
        "a living lock was removed: {said}"
    );
    // Others may add meanwhile, restic and we.
    fine(&bench, &["backup", "/etc/hostname"]);
    bench
        .open()
        .backup(
            &[same(Path::new("/etc/hostname"))],
            &BackupOptions::default(),
            noon(0),
        )
        .unwrap();
    let refused = bench.open().prune();
    assert!(matches!(&refused, Err(Fault::Busy(_))), "{refused:?}");
    kill_process(child.pid(), Signal::CONT).unwrap();
    let ended = child.wait(WaitOptions::empty());
    assert_eq!(ended.exit_status(), Some(0), "{ended:?}");
    assert_eq!(bench.locks(), 0);
    fine(&bench, &["prune"]);
    fine(&bench, &["check", "--read-data"]);
    let snapshots = bench.open().snapshots().unwrap();
    assert_eq!(snapshots.len(), 3, "{snapshots:?}");
}

fn we_honour_restics_lock() {
    let bench = Bench::with_repository();
    bench.write("a", "a");
    bench.backup();
    // It holds its lock until its standard input ends.
    let mut child = restic(&bench)
        .args(["backup", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while bench.locks() == 0 && child.try_wait().unwrap().is_none() {
        thread::yield_now();
    }
    let keep = Keep {
        last: 1,
        ..Keep::default()
    };
    let refused = [
        bench.open().prune().map(|_| ()),
        bench.open().forget(&keep, true, noon(9)).map(|_| ()),
    ];
    for result in refused {
        let Err(Fault::Busy(text)) = result else {
            panic!("{result:?}")
        };
        for word in [child.id().to_string().as_str(), "mhost exec backup unlock"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
    bench.backup_at(noon(1)).unwrap();
    assert!(bench.open().check(100).unwrap().sound);
    child.stdin.take().unwrap().write_all(b"content").unwrap();
    assert!(child.wait().unwrap().success());
    bench.open().prune().unwrap();
    fine(&bench, &["check", "--read-data"]);
}

fn a_killed_backup_harms_nothing() {
    let bench = Bench::with_repository();
    bench.write("small", "small");
    bench.backup();
    bench.write("large", noise(96 << 20, 1));
    let child = Interrupted::start(&bench, "kill");
    let killed = child.wait(WaitOptions::empty());
    assert!(killed.signaled(), "the backup was too fast to be killed");
    assert_eq!(bench.open().snapshots().unwrap().len(), 1);
    assert_eq!(bench.locks(), 1, "what was killed cannot tidy up");
    // restic sees that the lock's process is gone.
    fine(&bench, &["unlock"]);
    assert_eq!(bench.locks(), 0);
    fine(&bench, &["check"]);
    // And so do we.
    let child = Interrupted::start(&bench, "kill");
    child.wait(WaitOptions::empty());
    assert_eq!(bench.locks(), 1);
    let next = bench.backup_at(noon(1)).unwrap();
    assert_eq!((next.files_new, next.files_unmodified), (1, 1));
    assert_eq!(bench.locks(), 0);
    bench.open().prune().unwrap();
    fine(&bench, &["check", "--read-data"]);
    our_restore(&bench, "out");
}

/// This program again, as a process that backs up the source and is interrupted.
/// It does not outlive the trial.
struct Interrupted(Child);

impl Interrupted {
    fn start(bench: &Bench, how: &str) -> Self {
        // Some systems hang up on a stopped process without a terminal; this one
        // does not mind.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' HUP; exec \"$0\""]);
        command.arg(std::env::current_exe().unwrap());
        command.env(CHILD, how).current_dir(bench.dir.path());
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed()).unwrap()
    }

    fn wait(&self, options: WaitOptions) -> WaitStatus {
        let (_, status) = waitpid(Some(self.pid()), options).unwrap().unwrap();
        status
    }
}

impl Drop for Interrupted {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Stops as soon as the lock is there, or dies as soon as a pack is.
fn child(how: &str) {
    let here = std::env::current_dir().unwrap();
    let repo = here.join("repo");
    let opened = common::repositories(repo.to_str().unwrap());
    let opened =
        mhost_model::ports::repository::Repositories::open(&opened, &common::name(), PASSWORD)
            .unwrap();
    let before = common::packs(&repo).len();
    let kill = how == "kill";
    thread::spawn(move || {
        let due = || match kill {
            true => common::packs(&repo).len() > before,
            false => common::locks(&repo) > 0,
        };
        while !due() {
            thread::yield_now();
        }
        let signal = if kill { Signal::KILL } else { Signal::STOP };
        kill_process(getpid(), signal).unwrap();
    });
    let source = [same(&here.join("source"))];
    opened
        .backup(&source, &BackupOptions::default(), noon(5))
        .unwrap();
}
