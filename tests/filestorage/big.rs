//! A file of 300 MB, beside ZODB's own tools: the same result, and what it took each of them. CPU time is what is
//! told, and each side is taken at its best of three, because other things run on a machine.

use std::fs;
use std::process::Command;

use libtest_mimic::Trial;
use mhost_test_support::trial;

use super::ZODB;
use super::place::{Place, text, told};
use super::small::{copy_folder, instant};

pub fn trials() -> Vec<Trial> {
    vec![trial("300_mb_beside_zodb", &[ZODB], big).with_ignored_flag(true)]
}

fn big() {
    let place = Place::new("big");
    let made = place
        .script("gen_big.py")
        .arg(place.data(""))
        .args(["--mb", "300"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", told(&made));
    let file = text(&place.data("big.fs"));
    let target = "target.filestorage=/data/big.fs";
    let pack = || {
        place.mhost(
            "pack",
            "rw",
            &[target, "before=now", "output=/data/ours.fs"],
        )
    };
    let zodb = || {
        let mut command = place.script("ref_pack.py");
        command.args([&file, &text(&place.data("theirs.fs"))]);
        command
    };
    let (ours, theirs) = (best(&place, pack), best(&place, zodb));
    let read = |name: &str| fs::read(place.data(name)).unwrap();
    assert!(
        read("ours.fs") == read("theirs.fs"),
        "the packed files differ"
    );
    let copied = || {
        let mut command = Command::new("cp");
        command.arg(&file).arg(place.data("copy.fs"));
        command
    };
    let copy = best(&place, copied);
    say("pack to now", &ours, "ZODB's pack with a copy", &theirs);
    say("pack to now", &ours, "cp", &copy);
    let verify = best(&place, || place.mhost("verify", "ro", &[target]));
    let fstest = best(&place, || {
        let mut command = Command::new(super::ZODB.path().unwrap());
        command.args(["-m", "ZODB.scripts.fstest", &file]);
        command
    });
    say("verify", &verify, "fstest", &fstest);
    let pointers = best(&place, || {
        place.mhost("verify", "ro", &[target, "level=pointers"])
    });
    say("verify as deep as fstest", &pointers, "fstest", &fstest);
    let recover = best(&place, || {
        // Recovering replaces nothing.
        let _ = fs::remove_file(place.data("good.fs"));
        place.mhost(
            "recover",
            "rw",
            &["source=/data/big.fs", "output=/data/good.fs"],
        )
    });
    let fsrecover = cost(
        &place,
        place
            .script("ref_recover.py")
            .args([&file, &text(&place.data("fsrecover.fs"))]),
    );
    say("recover", &recover, "fsrecover", &fsrecover);
    judge(&place, &file);
    // Times are told, not asserted: they are the machine's too. Memory is not.
    // Beside 35 MiB of the process's own, and an index of some MiB.
    for cost in [ours, verify, recover] {
        assert!(cost.peak < 100 * 1024, "{cost:?}");
    }
}

/// Now and half way, with collection and without, and in place with the blobs.
fn judge(place: &Place, file: &str) {
    let target = "target.filestorage=/data/big.fs";
    let command = |packed: &str| {
        vec![
            "oracle_pack.py".to_owned(),
            file.to_owned(),
            text(&place.data(packed)),
        ]
    };
    let mut commands = vec![command("ours.fs")];
    let half = half_way(place);
    place.run(
        0,
        "pack",
        "rw",
        &[
            target,
            &format!("before={}", instant(half)),
            "output=/data/half.fs",
        ],
    );
    let mut with_time = command("half.fs");
    with_time.extend(["--pack-time".to_owned(), half.to_string()]);
    commands.push(with_time);
    place.run(
        0,
        "pack",
        "rw",
        &[target, "gc=false", "output=/data/all.fs"],
    );
    let mut without = command("all.fs");
    without.push("--no-gc".to_owned());
    commands.push(without);
    fs::copy(file, place.data("here.fs")).unwrap();
    copy_folder(&place.data("big_blobs"), &place.data("blobs"));
    place.run(
        0,
        "pack",
        "rw",
        &[
            "target.filestorage=/data/here.fs",
            "blobs=/data/blobs",
            "keep_old=false",
        ],
    );
    let mut blobs = command("here.fs");
    blobs.extend([
        "--orig-blobs".to_owned(),
        text(&place.data("big_blobs")),
        "--packed-blobs".to_owned(),
        text(&place.data("blobs")),
    ]);
    commands.push(blobs);
    place.judge(&commands);
}

/// Epoch seconds between the first and the last transaction.
fn half_way(place: &Place) -> f64 {
    let said = place
        .mhost("inspect", "ro", &["target.filestorage=/data/big.fs"])
        .args(["--format", "json"])
        .output()
        .unwrap();
    let run: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let held = run.pointer("/report/details/held").cloned();
    let held = held.unwrap_or_else(|| panic!("{run}"));
    let middle = "import sys\n\
                  from persistent.TimeStamp import TimeStamp\n\
                  times = [TimeStamp(bytes.fromhex(tid)).timeTime() for tid in sys.argv[1:]]\n\
                  print(sum(times) // 2)";
    let said = Command::new(super::ZODB.path().unwrap())
        .args(["-c", middle])
        .args(["first", "last"].map(|key| held[key].as_str().unwrap()))
        .output()
        .unwrap();
    let time = String::from_utf8_lossy(&said.stdout);
    let time = time.trim().parse();
    time.unwrap_or_else(|_| panic!("{}", told(&said)))
}

/// What a process took: seconds, and KiB at most.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
struct Cost {
    cpu: f64,
    wall: f64,
    peak: u64,
}

fn best(place: &Place, command: impl Fn() -> Command) -> Cost {
    let costs = (0..3).map(|_| cost(place, &command()));
    costs.min_by(|a, b| a.cpu.total_cmp(&b.cpu)).unwrap()
}

fn cost(place: &Place, command: &Command) -> Cost {
    let mut measured = place.script("cost.py");
    measured.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => measured.env(name, value),
            None => measured.env_remove(name),
        };
    }
    let output = measured.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn say(what: &str, ours: &Cost, peer: &str, theirs: &Cost) {
    let ratio = ours.cpu / theirs.cpu;
    let shown = |cost: &Cost| {
        format!(
            "{:.2} s CPU, {:.2} s wall, {} MiB",
            cost.cpu,
            cost.wall,
            cost.peak / 1024
        )
    };
    eprintln!(
        "{what}: {}; {peer}: {}; ratio {ratio:.2}",
        shown(ours),
        shown(theirs)
    );
}
