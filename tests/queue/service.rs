//! Another mhost as the way.

use std::fs;

use mhost_test_support::noise;
use mhost_test_support::servers::{Relay, Then};

use super::crash::kill_when;
use super::ends::{Ends, THERE, figure, hidden};
use super::receiver::{
    ADMIN, Receiver, TOKEN, ask, digest, piece, put, transfer, transfer_command,
};

/// Of an item that takes several pieces.
const LARGE: usize = 11 << 20;

pub fn carries() {
    let ends = Ends::new();
    let west = Receiver::start(&ends, "");
    ends.write("large", &noise(LARGE, 1), 0);
    for n in 0..25 {
        ends.write(&format!("d/{n}"), format!("{n}").as_bytes(), n);
    }
    ends.export();
    let report = transfer(&ends, west.port, 0);
    assert_eq!(figure(&report, "items_sent"), 26);
    assert_eq!(ends.sent("PROCESSING").len(), 26, "it is not applied yet");
    assert_eq!(ends.there("TO_PROCESS").len(), 26);
    let report = west.import(&ends, 0);
    assert_eq!(figure(&report, "items_applied"), 26);
    let report = transfer(&ends, west.port, 0);
    assert_eq!(figure(&report, "items_acknowledged"), 26);
    ends.settled();
    // What cannot be applied is an error at both ends, with the same reason.
    fs::create_dir_all(ends.west("content/stands/in")).unwrap();
    fs::write(ends.west("content/stands/in/the-way"), "x").unwrap();
    ends.write("stands", b"file", 50);
    ends.export();
    transfer(&ends, west.port, 0);
    west.import(&ends, 1);
    transfer(&ends, west.port, 1);
    let errors = ends.sent("ERROR");
    assert_eq!(errors.len(), 2, "{errors:?}");
    let reason = fs::read_to_string(ends.path("east/queues/west/EXPORT/ERROR").join(&errors[1]));
    assert!(reason.unwrap().contains("stands in the way"));
    fs::remove_dir_all(ends.west("content/stands")).unwrap();
    ends.run(
        "retry",
        &["east"],
        &serde_json::json!({ "queues": "/east/queues" }),
    );
    transfer(&ends, west.port, 0);
    west.import(&ends, 0);
    transfer(&ends, west.port, 0);
    ends.settled();
}

pub fn tokens() {
    let ends = Ends::new();
    let west = Receiver::start(&ends, "");
    let port = west.port;
    let item = "/v1/receive/import/east/1-put-file-x.item";
    let bearer = |token: &str| format!("Bearer {token}");
    let range = ("content-range", "bytes 0-0/1");
    let digest = digest(b"x");
    for token in [
        ADMIN,
        "",
        "the-token-of-the-queue-eas",
        "the-token-of-the-queue-east2",
    ] {
        let headers = [
            ("authorization", &*bearer(token)),
            range,
            ("repr-digest", &digest),
        ];
        assert_eq!(ask(port, "PUT", item, &headers, b"x").0, 401, "{token}");
    }
    let own = bearer(TOKEN);
    let headers = [("authorization", &*own), range, ("repr-digest", &*digest)];
    // Neither another queue or task, nor anything else of the service.
    for path in [
        "/v1/receive/import/west/1-put-file-x.item",
        "/v1/receive/other/east/1-put-file-x.item",
    ] {
        assert_eq!(ask(port, "PUT", path, &headers, b"x").0, 401, "{path}");
    }
    for path in [
        "/v1/db/list",
        "/v1/exec",
        "/v1/apply",
        "/v1/export",
        "/v1/nothing",
    ] {
        assert_eq!(ask(port, "POST", path, &headers, b"{}").0, 401, "{path}");
    }
    // No name leads elsewhere.
    for name in [
        "..%2f..%2fx.item",
        ".new-x.item",
        "x",
        "a%2fb.item",
        "%00.item",
    ] {
        let (status, said) = piece(port, name, "bytes 0-0/1", &digest, b"x");
        assert_eq!(status, 400, "{name}: {said}");
    }
    let long = format!("{}.item", "x".repeat(200));
    assert_eq!(piece(port, &long, "bytes 0-0/1", &digest, b"x").0, 400);
    assert_eq!(ends.there("TO_PROCESS"), Vec::<String>::new());
    // Through a link out of the grant nothing is written.
    let queue = ends.west("queues/east");
    fs::rename(&queue, ends.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(ends.path("elsewhere"), &queue).unwrap();
    assert_eq!(put(port, "1-put-file-x.item", b"x").0, 503);
    fs::remove_file(&queue).unwrap();
    fs::rename(ends.path("elsewhere"), &queue).unwrap();
    assert_eq!(put(port, "1-put-file-x.item", b"x").0, 201);
    // A token that is changed holds at once.
    fs::write(ends.path("east.token"), "another-token-for-the-queue").unwrap();
    assert_eq!(put(port, "2-put-file-x.item", b"x").0, 401);
}

pub fn doubled() {
    let ends = Ends::new();
    let west = Receiver::start(&ends, "");
    for (n, text) in ["one", "two", "three"].iter().enumerate() {
        ends.write("a", text.as_bytes(), n as u64);
        ends.export();
    }
    let sent: Vec<(String, Vec<u8>)> = ends
        .sent("TO_PROCESS")
        .into_iter()
        .map(|name| {
            let path = ends.path("east/queues/west/EXPORT/TO_PROCESS").join(&name);
            (name, fs::read(path).unwrap())
        })
        .collect();
    assert_eq!(sent.len(), 3);
    for (round, order) in [[2, 0, 1], [0, 1, 2], [1, 2, 0]].iter().enumerate() {
        for n in order {
            let (name, content) = &sent[*n];
            let (status, said) = put(west.port, name, content);
            assert_eq!(status, if round == 0 { 201 } else { 200 }, "{said}");
            let known = if round == 0 { "waiting" } else { "done" };
            assert!(said.contains(known), "{said}");
            west.import(&ends, 0);
            assert_eq!(fs::read(ends.west("content/a")).unwrap(), b"three");
        }
    }
    transfer(&ends, west.port, 0);
    transfer(&ends, west.port, 0);
    ends.settled();
    // A sender that lost its numbers loses nothing.
    fs::remove_dir_all(ends.path("east/queues/west")).unwrap();
    ends.write("a", b"four", 9);
    ends.export();
    transfer(&ends, west.port, 0);
    west.import(&ends, 0);
    transfer(&ends, west.port, 0);
    ends.settled();
}

pub fn damaged() {
    let ends = Ends::new();
    let west = Receiver::start(&ends, "");
    let port = west.port;
    let (name, content) = ("1-put-file-x.item", noise(10_000, 3));
    let whole = digest(&content);
    // Another content than was announced.
    let mut other = content.clone();
    other[5000] ^= 1;
    let range = "bytes 0-9999/10000";
    let (status, said) = piece(port, name, range, &whole, &other);
    assert_eq!(status, 422, "{said}");
    // A piece that is shorter or longer than it says, and one without a place.
    for (range, length) in [
        ("bytes 0-9999/10000", 9_999),
        ("bytes 0-99/10000", 101),
        ("bytes 0-99", 100),
        ("", 100),
        ("bytes 5-4/10000", 0),
    ] {
        let (status, said) = piece(port, name, range, &whole, &content[..length]);
        assert_eq!(status, 400, "{range}: {said}");
    }
    assert_eq!(
        ask(port, "PUT", "/v1/receive/import/east/1.item", &[], b"x").0,
        401
    );
    let (status, said) = piece(port, name, "bytes 0-3999/10000", &whole, &content[..4000]);
    assert_eq!((status, said.contains("4000")), (202, true), "{said}");
    // One that does not follow is told where to go on, and pieces of two versions never mix.
    let (status, said) = piece(port, name, "bytes 0-3999/10000", &whole, &content[..4000]);
    assert_eq!((status, said.contains("4000")), (409, true), "{said}");
    let (status, said) = piece(port, name, "bytes */10000", &digest(&other), b"");
    assert_eq!((status, said.contains(":0")), (202, true), "{said}");
    assert_eq!(ends.there("TO_PROCESS"), Vec::<String>::new());
    let (status, said) = piece(
        port,
        name,
        "bytes 4000-9999/10000",
        &whole,
        &content[4000..],
    );
    assert_eq!(status, 201, "{said}");
    let there = fs::read(ends.west(THERE).join("TO_PROCESS").join(name)).unwrap();
    assert_eq!(there, content);
    // It is whole, and no item: who imports says so.
    west.import(&ends, 1);
    let reason = ends
        .west(THERE)
        .join("ERROR")
        .join(format!("{name}.reason"));
    assert!(
        fs::read_to_string(reason)
            .unwrap()
            .contains("no whole item")
    );
}

pub fn bounds() {
    let ends = Ends::new();
    let west = Receiver::start(&ends, "max_item = \"1 MiB\"\nmax_waiting = \"1500 KiB\"");
    ends.write("large", &noise(2 << 20, 1), 0);
    ends.export();
    let report = transfer(&ends, west.port, 1);
    assert_eq!(figure(&report, "items_failed"), 1);
    let errors = ends.sent("ERROR");
    let reason = fs::read_to_string(ends.path("east/queues/west/EXPORT/ERROR").join(&errors[1]));
    assert!(reason.unwrap().contains("`max_item`"));
    // What is too much waits, and goes on once some were imported.
    for n in 0..4 {
        ends.write(&format!("{n}"), &noise(700_000, n), n);
    }
    ends.export();
    // They go at the same time, so any two of them find room.
    let report = transfer(&ends, west.port, 5);
    let sent = figure(&report, "items_sent");
    assert_eq!(ends.there("TO_PROCESS").len(), 2);
    west.import(&ends, 0);
    let report = transfer(&ends, west.port, 0);
    assert_eq!(sent + figure(&report, "items_sent"), 4);
    west.import(&ends, 0);
    transfer(&ends, west.port, 0);
    assert_eq!(ends.sent("DONE").len(), 4);
    // One request is never large.
    let huge = vec![0; (8 << 20) + 1];
    let range = format!("bytes 0-{}/{}", huge.len() - 1, huge.len());
    let status = piece(west.port, "1-put-file-x.item", &range, &digest(b""), &huge).0;
    assert!(status == 413 || status == 0, "{status}");
}

pub fn cut() {
    let ends = Ends::new();
    let west = Receiver::start(&ends, "");
    ends.write("large", &noise(LARGE, 1), 0);
    ends.write("small", b"small", 0);
    ends.export();
    let relay = Relay::new(west.port, 6 << 20, Then::Cut(1));
    transfer(&ends, relay.port, 1);
    assert_eq!(relay.cuts(), 1);
    let folder = ends.west(THERE).join("TO_PROCESS");
    let half = hidden(&folder);
    assert_eq!(half.len(), 1, "{half:?}");
    let received = fs::metadata(folder.join(&half[0])).unwrap().len();
    assert_eq!(received, 4 << 20, "the pieces that came whole");
    // The next run needs no more than what is missing, and a little.
    let rest = Relay::new(west.port, LARGE as u64 - received + (1 << 20), Then::Hold);
    transfer(&ends, rest.port, 0);
    west.import(&ends, 0);
    transfer(&ends, west.port, 0);
    ends.settled();
}

pub fn down() {
    let ends = Ends::new();
    let mut west = Receiver::start(&ends, "");
    ends.write("large", &noise(LARGE, 1), 0);
    ends.export();
    // Killed when six of eleven mebibytes went to it.
    let relay = Relay::new(west.port, 6 << 20, Then::Hold);
    let mut sender = transfer_command(&ends, relay.port, TOKEN).spawn().unwrap();
    relay.wait();
    west.kill();
    let _ = sender.kill();
    let _ = sender.wait();
    for n in 0..3 {
        ends.write(&format!("meanwhile-{n}"), b"more", n);
        ends.export();
        let report = transfer(&ends, west.port, 1);
        assert_eq!(figure(&report, "items_sent"), 0);
    }
    assert_eq!(ends.there("TO_PROCESS"), Vec::<String>::new());
    assert_eq!(ends.sent("TO_PROCESS").len(), 4);
    west.again(&ends);
    let report = transfer(&ends, west.port, 0);
    assert_eq!(figure(&report, "items_sent"), 4);
    west.import(&ends, 0);
    transfer(&ends, west.port, 0);
    ends.settled();
}

pub fn sender_killed() {
    let ends = Ends::new();
    let west = Receiver::start(&ends, "");
    for n in 0..60 {
        ends.write(&format!("{n}"), &noise(20_000, n), n);
    }
    ends.write("x-large", &noise(LARGE, 1), 0);
    ends.export();
    let mut kills = 0;
    for most in [1, 9, 25, 50] {
        let reached = || ends.there("TO_PROCESS").len() >= most;
        let command = transfer_command(&ends, west.port, TOKEN);
        kills += usize::from(kill_when(command, reached));
    }
    assert!(kills >= 2, "only {kills} were killed in the middle");
    transfer(&ends, west.port, 0);
    let report = west.import(&ends, 0);
    assert_eq!(figure(&report, "items_applied"), 61);
    transfer(&ends, west.port, 0);
    ends.settled();
}
