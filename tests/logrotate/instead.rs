//! `mhost logrotate` as whoever calls it sees it: what it says, and how it ends.

use std::fs;
use std::process::Output;

use crate::host::{Home, START};

fn home(directives: &str) -> Home {
    let home = Home::new("");
    home.write("logs/app.log", "a line\n");
    let logs = home.path("logs");
    let conf = format!("{}/app.log {{\n{directives}\n}}\n", logs.display());
    fs::write(
        home.path("conf"),
        conf.replace("LOGS", &logs.display().to_string()),
    )
    .unwrap();
    home
}

fn ended(home: &Home, arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["logrotate"], arguments].concat();
    let Output {
        status,
        stdout,
        stderr,
    } = home.command(START, &arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

pub fn it_says_what_it_stands_in_for() {
    let home = home("rotate 1");
    for (argument, word) in [
        ("--usage", "Usage:"),
        ("-?", "--skip-state-lock"),
        ("--version", "logrotate 3.21"),
    ] {
        let (code, out, err) = ended(&home, &[argument]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{argument}");
        assert!(out.contains(word), "{argument}: {out}");
    }
    let (code, out, err) = ended(&home, &[]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("Usage:"), "{err}");
    assert_eq!(home.names(), ["app.log"]);
}

/// Nothing of the sandbox shows, and each mistake has the words for what to do about it.
pub fn what_is_wrong_is_told_in_this_machines_words() {
    let home = home("rotate 1\ndateext\ndateformat -%Y/%m");
    let logs = home.path("logs").display().to_string();
    let status = ["-f", "-s", "logs/.status", "conf"];
    let (code, _, err) = ended(&home, &status);
    assert_eq!(code, Some(1));
    assert!(err.contains(&format!("{logs}/app.log-2026/03")), "{err}");
    assert!(!err.contains("/d0") && !err.contains("os error"), "{err}");

    for (state, word) in [
        ("/none/at/all/status", "no such folder"),
        ("logs", "a folder"),
        ("logs/link", "nothing where it leads"),
    ] {
        let _ = std::os::unix::fs::symlink("nowhere", home.path("logs/link"));
        let (code, _, err) = ended(&home, &["-f", "-s", state, "conf"]);
        assert_eq!(code, Some(3), "{err}");
        assert!(err.contains(word), "{err}");
    }
    fs::remove_file(home.path("logs/link")).unwrap();

    let script = "rotate 1\npostrotate\necho no >&2; exit 7\nendscript";
    fs::write(
        home.path("conf"),
        format!("{logs}/app.log {{\n{script}\n}}\n"),
    )
    .unwrap();
    let (code, _, err) = ended(&home, &status);
    assert_eq!(code, Some(1));
    let place = format!("{}:3", home.path("conf").display());
    assert!(
        err.contains(&place) && err.contains("ended with 7"),
        "{err}"
    );

    // What is not there is missing, and nobody's grant.
    fs::write(home.path("conf"), "/none/at/all.log {\nrotate 1\n}\n").unwrap();
    let (code, _, err) = ended(&home, &status);
    assert_eq!(code, Some(1));
    assert!(err.contains("does not exist"), "{err}");
    assert!(!err.contains("grant"), "{err}");
}

pub fn a_configuration_in_another_encoding_is_read() {
    let home = home("rotate 1");
    let mut conf = b"# Gr\xfc\xdfe\n".to_vec();
    conf.extend(fs::read(home.path("conf")).unwrap());
    conf.extend(b"/var/log/caf\xe9.log {\nrotate 1\n}\n");
    fs::write(home.path("conf"), conf).unwrap();
    let (code, _, err) = ended(&home, &["-f", "-s", "logs/.status", "conf"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("conf:5") && err.contains("no UTF-8"), "{err}");
    assert_eq!(home.names(), ["app.log.1"]);
}

/// What no log's line tells.
pub fn what_goes_unmentioned_fails_all_the_same() {
    // The new state can be written nowhere.
    let home = home("rotate 1");
    fs::create_dir(home.path("logs/.status.new")).unwrap();
    let (code, _, err) = ended(&home, &["-f", "-s", "logs/.status", "conf"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("cannot write the state"), "{err}");
    // A log file that cannot be made is told, and nothing more.
    fs::remove_dir(home.path("logs/.status.new")).unwrap();
    home.write("logs/app.log", "a line\n");
    let arguments = ["-f", "-l", "/none/log", "-s", "logs/.status", "conf"];
    let (code, _, err) = ended(&home, &arguments);
    assert_eq!(code, Some(0));
    assert!(err.contains("cannot create the log /none/log"), "{err}");
    assert_eq!(home.names(), ["app.log.1"]);
    // A damaged state: used as far as it goes, set aside, and an error as for logrotate.
    home.write("logs/app.log", "a line\n");
    home.write("logs/.status", "rubbish\n");
    let (code, _, err) = ended(&home, &["-f", "-s", "logs/.status", "conf"]);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("error: the state") && err.contains("damaged in line"),
        "{err}"
    );
    assert!(err.contains("set aside as"), "{err}");
}
