//! The small fixtures: every pack time, with and without collection, with blobs; every damaged file.

use std::fs;

use libtest_mimic::Trial;
use mhost_test_support::{Tool, trial};

use super::ZODB;
use super::place::{Place, text};

/// A record of this one is in a protocol that ZODB refuses, and so does the oracle.
const PROTOCOL_4: &str = "proto4.fs";

pub fn trials() -> Vec<Trial> {
    let needs: &[Tool] = &[ZODB];
    vec![
        trial("every_pack_time_of_every_fixture", needs, every_pack_time),
        trial(
            "a_pack_to_now_is_byte_for_byte_what_zodb_makes",
            needs,
            as_zodb,
        ),
        trial("blobs", needs, blobs),
        trial("protocol_4_is_read", needs, protocol_4),
        trial("every_damaged_file_is_recovered", needs, recovered),
        trial("verify_agrees_on_every_fixture", needs, verified),
        trial("a_server_at_work", needs, beside_a_server),
        trial("mistakes_and_grants_have_their_exit_codes", needs, refused),
        trial("a_file_of_another_user_stays_his", needs, of_another_user),
    ]
}

/// Fixtures with their pack times; `None` is now.
fn cases(place: &Place) -> Vec<(String, Option<f64>)> {
    let manifest = place.manifest();
    let mut cases = Vec::new();
    for (name, about) in manifest.as_object().unwrap() {
        if name.starts_with("damaged/") || name == PROTOCOL_4 {
            continue;
        }
        let times = about["pack_times"].as_object().unwrap().values();
        let times = times.map(|time| Some(time.as_f64().unwrap()));
        cases.extend(
            std::iter::once(None)
                .chain(times)
                .map(|time| (name.clone(), time)),
        );
    }
    assert!(cases.len() > 20);
    cases
}

/// Epoch seconds as an instant.
pub fn instant(seconds: f64) -> String {
    let millis = (seconds * 1000.0).round() as i64;
    let instant = chrono::DateTime::from_timestamp_millis(millis).unwrap();
    instant.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn every_pack_time() {
    let place = Place::with_fixtures("pack");
    let mut commands = Vec::new();
    for (n, (name, time)) in cases(&place).into_iter().enumerate() {
        for gc in [true, false] {
            let output = format!("packed-{n}-{gc}.fs");
            let target = format!("target.filestorage=/data/{name}");
            let (to, gc_set) = (format!("output=/data/{output}"), format!("gc={gc}"));
            let before = format!("before={}", time.map_or("now".to_owned(), instant));
            place.run(0, "pack", "rw", &[&target, &to, &gc_set, &before]);
            let mut command = vec![
                "oracle_pack.py".to_owned(),
                text(&place.data(&name)),
                text(&place.data(&output)),
                "--check-undo".to_owned(),
            ];
            if let Some(time) = time {
                command.extend(["--pack-time".to_owned(), time.to_string()]);
            }
            if !gc {
                command.push("--no-gc".to_owned());
            }
            commands.push(command);
        }
    }
    place.judge(&commands);
}

fn as_zodb() {
    let place = Place::with_fixtures("same");
    let mut commands = Vec::new();
    let mut compared = Vec::new();
    for (name, _) in cases(&place).into_iter().filter(|(_, time)| time.is_none()) {
        // ZODB's own packer refuses Python 2's texts.
        if name == "py2high.fs" {
            continue;
        }
        let (ours, theirs) = (format!("ours-{name}"), format!("theirs-{name}"));
        let target = format!("target.filestorage=/data/{name}");
        place.run(
            0,
            "pack",
            "rw",
            &[&target, &format!("output=/data/{ours}"), "before=now"],
        );
        commands.push(vec![
            "ref_pack.py".to_owned(),
            text(&place.data(&name)),
            text(&place.data(&theirs)),
        ]);
        compared.push((ours, theirs));
    }
    place.judge(&commands);
    for (ours, theirs) in compared {
        let read = |name: &str| fs::read(place.data(name)).unwrap();
        assert!(read(&ours) == read(&theirs), "{ours}");
        let index = |name: &str| fs::read(place.data(&format!("{name}.index"))).ok();
        if let Some(index_of_ours) = index(&ours) {
            assert!(
                index(&theirs).is_none_or(|theirs| theirs == index_of_ours),
                "{ours}.index"
            );
        }
    }
}

fn blobs() {
    let place = Place::with_fixtures("blobs");
    let mid = place.manifest()["blobs.fs"]["pack_times"]["mid"]
        .as_f64()
        .unwrap();
    let mut commands = Vec::new();
    for (n, (time, gc)) in [
        (None, true),
        (None, false),
        (Some(mid), true),
        (Some(mid), false),
    ]
    .iter()
    .enumerate()
    {
        let (file, folder) = (format!("copy-{n}.fs"), format!("copy-{n}-blobs"));
        fs::copy(place.data("blobs.fs"), place.data(&file)).unwrap();
        copy_folder(&place.data("blobs_dir"), &place.data(&folder));
        let before = format!("before={}", time.map_or("now".to_owned(), instant));
        let settings = [
            format!("target.filestorage=/data/{file}"),
            format!("blobs=/data/{folder}"),
            format!("gc={gc}"),
            before,
        ];
        place.run(0, "pack", "rw", &settings.each_ref().map(String::as_str));
        let mut command = vec![
            "oracle_pack.py".to_owned(),
            text(&place.data("blobs.fs")),
            text(&place.data(&file)),
            "--orig-blobs".to_owned(),
            text(&place.data("blobs_dir")),
            "--packed-blobs".to_owned(),
            text(&place.data(&folder)),
        ];
        if let Some(time) = time {
            command.extend(["--pack-time".to_owned(), time.to_string()]);
        }
        if !gc {
            command.push("--no-gc".to_owned());
        }
        commands.push(command);
    }
    place.judge(&commands);
}

/// All that lies in a folder.
pub fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

/// The object that only a record of protocol 4 refers to stays.
fn protocol_4() {
    let place = Place::with_fixtures("proto4");
    place.run(
        0,
        "pack",
        "rw",
        &[
            &format!("target.filestorage=/data/{PROTOCOL_4}"),
            "output=/data/o.fs",
        ],
    );
    let packed = fs::read(place.data("o.fs")).unwrap();
    let needle = b"reached only from protocol 4";
    assert!(packed.windows(needle.len()).any(|window| window == needle));
}

fn recovered() {
    let place = Place::with_fixtures("recover");
    let mut commands = Vec::new();
    for entry in fs::read_dir(place.data("damaged")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        for partial in [false, true] {
            let output = format!("{partial}-{name}");
            let settings = [
                format!("source=/data/damaged/{name}"),
                format!("output=/data/{output}"),
                format!("partial={partial}"),
            ];
            place.run(0, "recover", "rw", &settings.each_ref().map(String::as_str));
            let mut command = vec![
                "oracle_recover.py".to_owned(),
                text(&place.data(&format!("damaged/{name}"))),
                text(&place.data(&output)),
                "--original".to_owned(),
                text(&place.data("basic.fs")),
            ];
            if partial {
                command.push("--partial".to_owned());
            }
            commands.push(command);
        }
    }
    assert_eq!(commands.len(), 2 * 26);
    place.judge(&commands);
}

fn verified() {
    let place = Place::with_fixtures("verify");
    let data = text(&place.data(""));
    let data = data.trim_end_matches('/');
    let program = format!(
        "MHOST_HOME={data}/../state {} exec pack verify --dir data={data}:ro \
         --set target.filestorage=/data/$(echo {{f}} | cut -c{}-)",
        env!("CARGO_BIN_EXE_mhost"),
        data.len() + 2
    );
    let judged = place
        .script("oracle_verify.py")
        .args([data, "--cmd", &program])
        .output()
        .unwrap();
    assert!(judged.status.success(), "{}", super::place::told(&judged));
}

/// A server holds the file: busy in place, and a sound pack of all that is finished with an output.
fn beside_a_server() {
    let place = Place::with_fixtures("server");
    let server = "import sys, ZODB.FileStorage\n\
                  storage = ZODB.FileStorage.FileStorage(sys.argv[1])\n\
                  print('open', flush=True)\n\
                  sys.stdin.read()";
    let python = super::ZODB.path().unwrap();
    let mut child = std::process::Command::new(python)
        .args(["-c", server])
        .arg(place.data("basic.fs"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let said = place.run(5, "pack", "rw", &["target.filestorage=/data/basic.fs"]);
    assert!(said.contains("zeopack"), "{said}");
    place.run(
        0,
        "pack",
        "rw",
        &["target.filestorage=/data/basic.fs", "output=/data/o.fs"],
    );
    drop(child.stdin.take());
    child.wait().unwrap();
    place.judge(&[vec![
        "oracle_pack.py".to_owned(),
        text(&place.data("basic.fs")),
        text(&place.data("o.fs")),
    ]]);
}

/// A mistake in the configuration is 2, a grant that is too small 4, also in a dry run; nothing is changed.
fn refused() {
    let place = Place::with_fixtures("refused");
    let before = fs::read(place.data("basic.fs")).unwrap();
    let file = "target.filestorage=/data/basic.fs";
    for settings in [
        ["target={}", "gc=true"],
        [file, "target.database=site"],
        [file, "before=7 moons"],
        [file, "before=2024-13-01"],
        [file, "timeout=1h"],
        [file, "output=/data/basic.fs.lock"],
    ] {
        place.run(2, "pack", "rw", &settings);
    }
    let said = place.run(2, "verify", "ro", &[file, "level=deep"]);
    assert!(said.contains("`records`"), "{said}");
    place.run(2, "recover", "rw", &["source={}", "output=/data/x.fs"]);
    // The ids of transactions after the year 4000 begin with a letter.
    place.run(
        0,
        "pack",
        "rw",
        &[file, "before=f3f58e0186666666", "output=/data/o.fs"],
    );
    for settings in [vec![file], vec![file, "output=/data/p.fs"]] {
        let mut dry = place.mhost("pack", "ro", &settings);
        let dry = dry.arg("--dry-run").output().unwrap();
        let run = place.mhost("pack", "ro", &settings).output().unwrap();
        for output in [dry, run] {
            let said = super::place::told(&output);
            assert_eq!(output.status.code(), Some(4), "{said}");
            assert!(
                said.contains("--dir data=") && said.contains(":rw"),
                "{said}"
            );
            assert!(!said.contains("os error"), "{said}");
        }
    }
    // What a dry run would do stands on its receipt.
    let mut dry = place.mhost("pack", "rw", &[file]);
    let dry = dry.arg("--dry-run").output().unwrap();
    let said = super::place::told(&dry);
    assert_eq!(dry.status.code(), Some(0), "{said}");
    assert!(said.contains("would pack"), "{said}");
    assert!(fs::read(place.data("basic.fs")).unwrap() == before);
    for made in ["basic.fs.lock", "basic.fs.old", "p.fs", "x.fs"] {
        assert!(!place.data(made).exists(), "{made}");
    }
}

/// What the pack makes beside a file has its owner and its mode: a server of that user must be able to start.
fn of_another_user() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    let place = Place::with_fixtures("owner");
    let file = place.data("basic.fs");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o660)).unwrap();
    // Only root may; for others the mode is what is shown.
    let _ = chown(&file, Some(12_345), Some(12_346));
    place.run(0, "pack", "rw", &["target.filestorage=/data/basic.fs"]);
    let about = |name: &str| {
        let found = fs::metadata(place.data(name)).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o777)
    };
    for made in ["basic.fs.lock", "basic.fs.old", "basic.fs.index"] {
        assert_eq!(about(made), about("basic.fs"), "{made}");
    }
    assert_eq!(about("basic.fs").2, 0o660);
}
