//! The service, and commands beside it.

use rustix::process::Signal;

use super::home::{Home, Silent, exists, hang, mirror, names};

#[test]
fn commands_are_answered_by_the_service() {
    let home = Home::new(&mirror("copy", "\"manual\""));
    let service = home.serve();
    assert_eq!(names(&home.json(None, 0, &["task", "list"])), ["copy"]);
    let run = home.json(None, 0, &["run", "copy"]);
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert!(exists(&home.path("b/file")));
    let exec = home.json(
        None,
        0,
        &[
            "exec", "sync", "mirror", "--dir", "a=a:ro", "--dir", "c=b:rw", "--set", "from=/a",
            "--set", "to=/c",
        ],
    );
    assert_eq!(exec["report"]["metrics"]["files_unchanged"], 1.0, "{exec}");
    assert_eq!(
        home.json(None, 0, &["runs", "list"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let unknown = home.run(None, &["task", "show", "cpoy"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean `copy`?"));
    service.signal(Signal::TERM);
    assert_eq!(service.end(), Some(0));
    assert!(!exists(&home.path("state/mhost.sock")));
}

#[test]
fn secrets_of_exec_come_from_the_caller_not_from_the_service() {
    let home = Home::new("");
    let service = home.serve();
    let mut backup = home.command(
        None,
        &[
            "exec",
            "backup",
            "backup",
            "--dir",
            "a=a:ro",
            "--repo",
            "main=b:append,read",
            "--secret",
            "repo=env:ONLY_HERE",
            "--set",
            "sources=[\"/a\"]",
        ],
    );
    let output = backup.env("ONLY_HERE", "a password").output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    drop(service);
}

#[test]
fn hup_applies_the_configuration_anew_and_a_mistake_changes_nothing() {
    let home = Home::new(&mirror("copy", "\"manual\""));
    let mut service = home.serve();
    home.write(
        "mhost.toml",
        &(mirror("copy", "\"manual\"") + &mirror("other", "\"manual\"")),
    );
    service.signal(Signal::HUP);
    service.wait_for("task other");
    assert_eq!(
        names(&home.json(None, 0, &["task", "list"])),
        ["copy", "other"]
    );
    home.write("mhost.toml", "[tasks.copy]\nplugin = \"nonesuch\"\n");
    service.signal(Signal::HUP);
    service.wait_for("stays as it was");
    assert_eq!(
        names(&home.json(None, 0, &["task", "list"])),
        ["copy", "other"]
    );
}

/// A service that is told of no file goes on with the one that was applied last, and never
/// takes away what it says.
#[test]
fn the_service_goes_on_with_the_file_that_was_applied_last() {
    let home = Home::new(&mirror("copy", "\"manual\""));
    home.json(None, 0, &["init"]);
    home.json(None, 0, &["apply", "mhost.toml"]);
    let mut service = home.start(&["serve"]);
    service.wait_for("mhost serves");
    assert_eq!(names(&home.json(None, 0, &["task", "list"])), ["copy"]);
    home.write("mhost.toml", &mirror("other", "\"manual\""));
    service.signal(Signal::HUP);
    service.wait_for("task other");
    service.signal(Signal::TERM);
    assert_eq!(service.end(), Some(0));
    std::fs::remove_file(home.path("mhost.toml")).unwrap();
    let mut service = home.start(&["serve"]);
    service.wait_for("the file that was applied last is gone");
    service.wait_for("mhost serves");
    assert_eq!(names(&home.json(None, 0, &["task", "list"])), ["other"]);
}

#[test]
fn term_drains_and_a_second_one_forces() {
    let silent = Silent::new();
    let home = Home::new(&hang("wait", "\"manual\"", &silent.origin(), "{}"));
    let mut service = home.serve();
    let waiting = home
        .command(None, &["run", "wait", "--format", "json"])
        .spawn()
        .unwrap();
    let _caller = silent.accept();
    service.signal(Signal::TERM);
    service.wait_for("draining");
    service.signal(Signal::TERM);
    let output = waiting.wait_with_output().unwrap();
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["outcome"], "cancelled", "{run}");
    let reason = "the service was told to end a second time";
    assert_eq!(run["reason"], reason, "{run}");
    assert_eq!(service.end(), Some(0));
}

#[test]
fn a_run_is_cancelled_by_hand() {
    let silent = Silent::new();
    let home = Home::new(&hang("wait", "\"manual\"", &silent.origin(), "{}"));
    let service = home.serve();
    let waiting = home
        .command(None, &["run", "wait", "--format", "json"])
        .spawn()
        .unwrap();
    let _caller = silent.accept();
    let rows = home.json(None, 0, &["runs", "list"]);
    let id = rows[0]["run"].to_string();
    home.json(None, 0, &["runs", "cancel", &id]);
    let output = waiting.wait_with_output().unwrap();
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (run["outcome"].as_str(), output.status.code()),
        (Some("cancelled"), Some(1)),
        "{run}"
    );
    drop(service);
}

#[test]
fn tcp_asks_for_a_token() {
    use std::io::{Read as _, Write as _};
    let home = Home::new("");
    home.write("token", "0123456789abcdef0123\n");
    let args = ["serve", "--listen", "127.0.0.1:0", "--token-file", "token"];
    let mut child = home.command(None, &args).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let line = lines
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.contains("listening"))
        .unwrap();
    let plain: String = line.chars().filter(|c| !c.is_control()).collect();
    let address = plain.split("address=").nth(1).unwrap().trim().to_owned();
    let ask = |token: &str| {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let head = format!(
            "POST /v1/task/list HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
        );
        let body = "{\"after\":null,\"limit\":10}";
        write!(
            stream,
            "{head}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("0123456789abcdef0123").starts_with("HTTP/1.1 200"));
    assert!(ask("wrong").starts_with("HTTP/1.1 401"));
    child.kill().unwrap();
    child.wait().unwrap();
}
