//! Options one by one.

use super::grove::{Grove, T, mixed, older};
use super::run::{Case, bare};

/// Files on both sides that differ in each way.
fn news(g: &Grove) {
    g.file("newer", "source", T + 50)
        .file("older", "source", T - 50)
        .file("same", "same", T)
        .file("hidden", "ONE", T)
        .file("new", "new", T)
        .file("d/new", "new", T);
}

fn olds(g: &Grove) {
    g.file("newer", "target", T)
        .file("older", "target", T)
        .file("same", "same", T)
        .file("hidden", "TWO", T);
}

pub fn all() -> Vec<Case> {
    let case = |name, source, target, rsync, settings| Case {
        name,
        source,
        target,
        rsync,
        settings,
    };
    vec![
        case("checksum", news, olds, &["--checksum"], &["checksum=true"]),
        case(
            "size_only",
            news,
            olds,
            &["--size-only"],
            &["size_only=true"],
        ),
        case(
            "ignore_times",
            news,
            olds,
            &["--ignore-times"],
            &["ignore_times=true"],
        ),
        case("update", news, olds, &["--update"], &["update=true"]),
        case("existing", news, olds, &["--existing"], &["existing=true"]),
        case(
            "ignore_existing",
            news,
            olds,
            &["--ignore-existing"],
            &["ignore_existing=true"],
        ),
        case(
            "modify_window",
            |g| {
                g.file("x", "one", T).file("y", "one", T);
            },
            |g| {
                g.file("x", "two", T + 2).file("y", "two", T + 3);
            },
            &["--modify-window=2"],
            &["modify_window=2"],
        ),
        case(
            "max_size",
            |g| {
                g.file("s", "12", T).file("l", "12345", T);
            },
            bare,
            &["--max-size=4"],
            &["max_size=4"],
        ),
        case(
            "min_size",
            |g| {
                g.file("s", "12", T).file("l", "12345", T);
            },
            bare,
            &["--min-size=4"],
            &["min_size=4"],
        ),
        case(
            "no_owners",
            owned,
            bare,
            &["--no-owner", "--no-group"],
            &["owners=false"],
        ),
        case(
            "no_specials",
            |g| {
                g.fifo("pipe", 0o600).file("x", "1", T);
            },
            bare,
            &["--no-specials", "--no-devices"],
            &["specials=false"],
        ),
        case(
            "delete_before",
            mixed,
            older,
            &["--delete-before"],
            &["delete=true", "delete_when=before"],
        ),
        case(
            "delete_during",
            mixed,
            older,
            &["--delete-during"],
            &["delete=true", "delete_when=during"],
        ),
        case(
            "delete_after",
            mixed,
            older,
            &["--delete-after"],
            &["delete=true", "delete_when=after"],
        ),
        case(
            "in_place",
            |g| {
                g.file("x", vec![3; 300_000], T).file("y", "new", T);
            },
            |g| {
                g.file("x", vec![4; 500_000], T - 1);
            },
            &["--inplace"],
            &["delta=in-place"],
        ),
        case(
            "delta_by_clone",
            |g| {
                g.file("x", vec![3; 300_000], T);
            },
            |g| {
                g.file("x", vec![4; 200_000], T - 1);
            },
            &[],
            &["delta=clone"],
        ),
        case(
            "verified",
            mixed,
            older,
            &["--delete"],
            &["delete=true", "verify=all"],
        ),
        case(
            "renamed",
            moved,
            stayed,
            &["--delete"],
            &["delete=true", "renames=true"],
        ),
        case(
            "durable",
            mixed,
            older,
            &["--delete"],
            &["delete=true", "durable=true"],
        ),
        case("bandwidth", mixed, older, &[], &["bandwidth=1000000"]),
        case(
            "holes_made",
            |g| {
                g.file("x", vec![0; 1 << 20], T);
            },
            bare,
            &["--sparse"],
            &["sparse=true"],
        ),
    ]
}

fn owned(g: &Grove) {
    g.file("x", "1", T).owner("x", 12, 13);
}

fn moved(g: &Grove) {
    g.file("there/x", "content", T)
        .file("there/y", "other", T)
        .file("stays", "1", T);
}

fn stayed(g: &Grove) {
    g.file("here/x", "content", T)
        .file("here/y", "OTHER", T)
        .file("stays", "1", T);
}
