//! A file of 300 MB, beside ZODB's own tools: the same result, and what it took each of them. CPU time is what is
//! told, and each side is taken at its best of three, because other things run on a machine.

use std::fs;
use std::process::Command;

use libtest_mimic::Trial;
use mhost_test_support::trial;

use super::ZODB;
use super::place::{Place, text, told};

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
    place.judge(&[vec![
        "oracle_pack.py".to_owned(),
        file.clone(),
        text(&place.data("ours.fs")),
    ]]);
    // Times are told, not asserted: they are the machine's too. Memory is not.
    for cost in [ours, verify, recover] {
        assert!(cost.peak < 200 * 1024, "{cost:?}");
    }
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
