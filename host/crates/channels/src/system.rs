//! The machine's own log: a datagram to the socket of syslog or of the journal.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use mhost_model::channel::Syslog;
use mhost_model::notify::{Event, clipped};

use crate::bundle::{Bundle, loudness};
use crate::{Delivered, Failure};

/// The most of one line, bytes: what every implementation takes.
const LINE: usize = 2000;
/// The most of one field of the journal, bytes: a datagram has an end.
const FIELD: usize = 16 << 10;

/// RFC 5424's severities.
fn priority(event: &Event) -> u8 {
    match loudness(event) {
        0 => 5,
        1 => 4,
        _ => 3,
    }
}

pub fn syslog(syslog: &Syslog, bundle: &Bundle) -> Delivered {
    let socket = open(&syslog.socket)?;
    for item in &bundle.items {
        let line = line(syslog.facility.code(), &item.event);
        say(&socket, &syslog.socket, line.as_bytes())?;
    }
    Ok(())
}

/// `<priority>mhost: text`, RFC 3164 as it is spoken on the local socket, where the
/// receiver adds the time and the sender.
fn line(facility: u8, event: &Event) -> String {
    let mut text = event.title.clone();
    if !event.text.is_empty() {
        text.push_str(": ");
        text.push_str(&event.text);
    }
    let text = text.split(char::is_control).collect::<Vec<_>>().join(" ");
    let priority = facility * 8 + priority(event);
    clipped(format!("<{priority}>mhost: {text}"), LINE)
}

pub fn journald(path: &Path, bundle: &Bundle) -> Delivered {
    let socket = open(path)?;
    for item in &bundle.items {
        say(&socket, path, &entry(&item.event))?;
    }
    Ok(())
}

/// The journal's native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
fn entry(event: &Event) -> Vec<u8> {
    let mut message = event.title.clone();
    if !event.text.is_empty() {
        message.push('\n');
        message.push_str(&event.text);
    }
    let mut entry = Vec::new();
    let mut field = |name: &str, value: String| {
        let value = clipped(value, FIELD);
        entry.extend(name.as_bytes());
        if value.contains('\n') {
            entry.push(b'\n');
            entry.extend((value.len() as u64).to_le_bytes());
        } else {
            entry.push(b'=');
        }
        entry.extend(value.as_bytes());
        entry.push(b'\n');
    };
    field("MESSAGE", message);
    field("PRIORITY", priority(event).to_string());
    field("SYSLOG_IDENTIFIER", "mhost".into());
    field("MHOST_EVENT", event.kind.to_string());
    for (name, value) in [
        ("MHOST_TASK", event.task.as_ref().map(ToString::to_string)),
        ("MHOST_KEY", event.key.clone()),
        ("MHOST_RUN", event.run.map(|run| run.to_string())),
    ] {
        if let Some(value) = value {
            field(name, value);
        }
    }
    entry
}

fn open(path: &Path) -> Result<UnixDatagram, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let socket = UnixDatagram::unbound().map_err(failed)?;
    socket.connect(path).map_err(failed)?;
    // A log that is not read fills up; nobody waits for it.
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(socket)
}

fn say(socket: &UnixDatagram, path: &Path, bytes: &[u8]) -> Delivered {
    let sent = socket.send(bytes);
    sent.map(drop)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use mhost_model::channel::Facility;
    use mhost_model::notify::EventKind;

    use super::*;
    use crate::bundle::tests_support::{bundle, event};

    fn heard(say: impl Fn(&Path, &Bundle) -> Delivered) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let ear = UnixDatagram::bind(&path).unwrap();
        let mut event = event(EventKind::Failed, "site failed");
        event.text = "first\nsecond".into();
        say(&path, &bundle(vec![event])).unwrap();
        let mut buffer = [0; 4096];
        let read = ear.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    }

    #[test]
    fn syslog_hears_one_line() {
        let line = heard(|path, bundle| {
            let def = Syslog {
                socket: path.to_owned(),
                facility: Facility::Daemon,
            };
            syslog(&def, bundle)
        });
        assert_eq!(line, "<27>mhost: site failed: first second");
    }

    #[test]
    fn the_journal_hears_fields() {
        let entry = heard(journald);
        let length = "site failed\nfirst\nsecond".len() as u8;
        assert!(entry.starts_with("MESSAGE\n"));
        assert_eq!(entry.as_bytes()[8], length);
        assert!(
            entry.contains("\nPRIORITY=3\n") && entry.contains("\nMHOST_TASK=site\n"),
            "{entry}"
        );
    }

    #[test]
    fn a_socket_that_is_not_there_is_named() {
        let failure = journald(
            Path::new("/nowhere/socket"),
            &bundle(vec![event(EventKind::Test, "t")]),
        );
        assert!(failure.unwrap_err().why.starts_with("/nowhere/socket: "));
    }
}
