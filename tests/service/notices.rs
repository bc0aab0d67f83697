//! People are told: through a webhook and a mail server that are there, after a kill -9
//! between the outcome and the sending, and without a secret in anything that is said.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use super::home::{Home, mirror};

const EVE: Option<&str> = Some("2026-12-01T02:00:00Z");
const DUE: Option<&str> = Some("2026-12-01T03:00:05Z");
const LATER: Option<&str> = Some("2026-12-01T03:10:05Z");
const SECRET: &str = "not-for-anybody-else";

/// A receiver of requests, one at a time.
struct Hook(TcpListener);

impl Hook {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}/{SECRET}", self.0.local_addr().unwrap())
    }

    /// One whole request, and its connection, on which nothing was answered yet.
    fn take(&self) -> (String, Value, TcpStream) {
        let (stream, _) = self.0.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(text) = lower.strip_prefix("content-length: ") {
                length = text.trim().parse().unwrap();
            }
            head += &line;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        (head, serde_json::from_slice(&body).unwrap(), stream)
    }

    /// Answers one request after the other.
    fn serve(&self, status: &str) -> (String, Value) {
        let (head, body, mut stream) = self.take();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        (head, body)
    }
}

/// A task that fails, because what it mirrors is not there; everybody is told.
fn failing(hook: &Hook) -> Home {
    let config = format!(
        "[channels.hook]\nkind = \"webhook\"\nurl = {{ env = \"HOOK\" }}\ntoken = {{ file = \"token\" }}\n\n\
         [notify]\nchannels = [\"hook\"]\n\n{}",
        mirror("site", "{ cron = \"0 3 * * *\" }")
    );
    let home = Home::new(&config);
    home.write("token", &format!("{SECRET}-token\n"));
    home.write("url", &hook.url());
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    std::fs::remove_dir_all(home.path("a")).unwrap();
    home
}

/// A command that knows the hook's URL.
fn tick(home: &Home, now: Option<&str>) -> std::process::Command {
    let mut command = home.command(now, &["tick", "-v", "--format", "json"]);
    command.env("HOOK", std::fs::read_to_string(home.path("url")).unwrap());
    command
}

fn letters(home: &Home, now: Option<&str>) -> Value {
    home.json(now, 0, &["notify", "list"])
}

fn without_secrets(output: &std::process::Output) {
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn a_failed_run_is_told_by_the_tick_that_ran_it() {
    let hook = Hook::new();
    let home = failing(&hook);
    let child = tick(&home, DUE).spawn().unwrap();
    let (head, said) = hook.serve("204 No Content");
    let output = child.wait_with_output().unwrap();
    without_secrets(&output);
    let token = format!("authorization: Bearer {SECRET}-token");
    assert!(head.contains(&token), "{head}");
    assert_eq!(said["events"][0]["kind"], "failed", "{said}");
    assert_eq!(said["title"], "site failed");
    let letters = letters(&home, DUE);
    assert_eq!(letters[0]["state"], "delivered", "{letters}");
    assert!(!letters.to_string().contains(SECRET));
    let alerts = home.json(DUE, 0, &["notify", "alerts"]);
    assert_eq!(
        (alerts[0]["key"].as_str(), alerts[0]["told"].as_u64()),
        (Some("failed"), Some(1))
    );
    let known = home.json(DUE, 0, &["notify", "ack", "site"]);
    assert_eq!(known.as_array().unwrap().len(), 1);
    assert_eq!(
        home.run(DUE, &["notify", "ack", "site"]).status.code(),
        Some(3)
    );
}

/// The outcome is written down, the message is on its way, and the process dies.
#[test]
fn a_kill_between_the_outcome_and_the_sending_loses_nothing() {
    let hook = Hook::new();
    let home = failing(&hook);
    let mut child = tick(&home, DUE).spawn().unwrap();
    let (_, first, stream) = hook.take();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stream);
    let rows = home.json(DUE, 0, &["runs", "list"]);
    assert_eq!(rows[0]["outcome"], "failed", "{rows}");
    let waiting = home.json(DUE, 0, &["notify", "list", "--waiting"]);
    assert_eq!(waiting.as_array().unwrap().len(), 1, "{waiting}");
    let child = tick(&home, DUE).spawn().unwrap();
    let (_, second) = hook.serve("200 OK");
    without_secrets(&child.wait_with_output().unwrap());
    assert_eq!(
        second["id"], first["id"],
        "the receiver can tell that it is the same"
    );
    assert_eq!(letters(&home, DUE)[0]["state"], "delivered");
    assert_eq!(
        home.json(DUE, 0, &["notify", "list", "--waiting"]),
        json!([])
    );
}

#[test]
fn a_delivery_that_fails_shows_and_is_tried_again() {
    let hook = Hook::new();
    let home = failing(&hook);
    let child = tick(&home, DUE).spawn().unwrap();
    hook.serve("500 Internal Server Error");
    without_secrets(&child.wait_with_output().unwrap());
    let letter = letters(&home, DUE)[0].clone();
    assert_eq!(
        (&letter["state"], &letter["attempts"]),
        (&json!("waiting"), &json!(1))
    );
    assert!(
        letter["error"].as_str().unwrap().contains("500"),
        "{letter}"
    );
    assert!(
        letter["retry_at"].as_str().unwrap() > "2026-12-01T03:00:3",
        "{letter}"
    );
    let doctor = home.run(DUE, &["doctor"]);
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        told.contains("channel hook") && told.contains("cannot be delivered"),
        "{told}"
    );
    without_secrets(&doctor);
    // Before its time nothing is tried; the clock stands still.
    let early = tick(&home, DUE).output().unwrap();
    assert_eq!(early.status.code(), Some(0));
    let child = tick(&home, LATER).spawn().unwrap();
    hook.serve("200 OK");
    child.wait_with_output().unwrap();
    assert_eq!(letters(&home, LATER)[0]["state"], "delivered");
}

#[test]
fn a_mail_server_gets_the_test() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let home = Home::new(&format!(
        "[channels.mail]\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
         from = \"mhost@example.org\"\nto = [\"ops@example.org\"]\n"
    ));
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    let sink = std::thread::spawn(move || mail(&listener));
    let tested = home.json(EVE, 0, &["notify", "test", "mail"]);
    assert_eq!(tested["kind"], "smtp");
    let mail = sink.join().unwrap();
    assert!(mail.contains("RCPT TO:<ops@example.org>"), "{mail}");
    assert!(mail.contains("test of the channel mail"), "{mail}");
    let none = home.run(EVE, &["notify", "test", "mial"]);
    assert_eq!(none.status.code(), Some(3));
    let refused = home.run(EVE, &["notify", "test", "mail"]);
    assert_eq!(
        refused.status.code(),
        Some(1),
        "nobody listens there any more"
    );
}

/// One conversation of RFC 5321; what was said.
fn mail(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    stream.write_all(b"220 sink\r\n").unwrap();
    let (mut said, mut data) = (String::new(), false);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            return said;
        }
        said += &line;
        if data && line != ".\r\n" {
            continue;
        }
        data = line == "DATA\r\n";
        let answer: &[u8] = match line.as_str() {
            "DATA\r\n" => b"354 go on\r\n",
            "QUIT\r\n" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer).unwrap();
        if line == "QUIT\r\n" {
            return said;
        }
    }
}
