//! Trees of all sorts, with the usual options.

use super::grove::{Grove, T, mixed, older};
use super::run::{Case, bare};

const DELETE: (&[&str], &[&str]) = (&["--delete"], &["delete=true"]);
const PLAIN: (&[&str], &[&str]) = (&[], &[]);

type Options = (&'static [&'static str], &'static [&'static str]);

fn case(
    name: &'static str,
    source: fn(&Grove),
    target: fn(&Grove),
    (rsync, settings): Options,
) -> Case {
    Case {
        name,
        source,
        target,
        rsync,
        settings,
    }
}

pub fn all() -> Vec<Case> {
    let mut all = contents();
    all.extend(kinds());
    all.extend(names());
    all.extend(metadata());
    all.extend(links());
    all
}

fn contents() -> Vec<Case> {
    vec![
        case("empty_to_empty", bare, bare, PLAIN),
        case("first_copy", mixed, bare, PLAIN),
        case("same_already", mixed, mixed, DELETE),
        case("older_target", mixed, older, PLAIN),
        case("older_target_deleted", mixed, older, DELETE),
        case(
            "same_size_other_time",
            |g| {
                g.file("x", "one", T);
            },
            |g| {
                g.file("x", "two", T - 9);
            },
            PLAIN,
        ),
        case(
            "same_size_and_time_hides_a_change",
            |g| {
                g.file("x", "one", T);
            },
            |g| {
                g.file("x", "two", T);
            },
            PLAIN,
        ),
        case(
            "newer_in_the_target",
            |g| {
                g.file("x", "source", T);
            },
            |g| {
                g.file("x", "target", T + 100);
            },
            PLAIN,
        ),
        case(
            "longer_and_shorter",
            |g| {
                g.file("x", "1", T).file("y", "12345", T);
            },
            |g| {
                g.file("x", "12345", T - 1).file("y", "1", T - 1);
            },
            PLAIN,
        ),
        case(
            "large",
            |g| {
                g.file("x", vec![5; 3 << 20], T);
            },
            bare,
            PLAIN,
        ),
        case(
            "many_small",
            |g| {
                for n in 0..300 {
                    g.file(format!("{}/{n}", n % 7), n.to_string(), T + n);
                }
            },
            |g| {
                for n in 0..300 {
                    g.file(format!("{}/{n}", n % 5), n.to_string(), T + n);
                }
            },
            (&["--delete"], &["delete=true", "max_delete_percent=100"]),
        ),
        case(
            "deep",
            |g| {
                g.file(["d"; 60].join("/"), "bottom", T);
            },
            bare,
            PLAIN,
        ),
    ]
}

/// Things of one kind where the other side has another.
fn kinds() -> Vec<Case> {
    vec![
        case(
            "file_over_link",
            |g| {
                g.file("x", "1", T);
            },
            |g| {
                g.link("x", "y", T);
            },
            PLAIN,
        ),
        case(
            "link_over_file",
            |g| {
                g.link("x", "y", T);
            },
            |g| {
                g.file("x", "1", T);
            },
            PLAIN,
        ),
        case(
            "link_over_link",
            |g| {
                g.link("x", "y", T);
            },
            |g| {
                g.link("x", "z", T);
            },
            PLAIN,
        ),
        case(
            "folder_over_file",
            |g| {
                g.file("x/y", "1", T);
            },
            |g| {
                g.file("x", "1", T);
            },
            PLAIN,
        ),
        case(
            "folder_over_link_to_a_folder",
            |g| {
                g.file("x/y", "1", T);
            },
            |g| {
                g.file("real/keep", "1", T).link("x", "real", T);
            },
            PLAIN,
        ),
        case(
            "file_over_empty_folder",
            |g| {
                g.file("x", "1", T);
            },
            |g| {
                g.folder("x");
            },
            PLAIN,
        ),
        case(
            "file_over_full_folder",
            |g| {
                g.file("x", "1", T).file("z", "2", T);
            },
            |g| {
                g.file("x/y/z", "1", T);
            },
            PLAIN,
        ),
        case(
            "file_over_full_folder_deleted",
            |g| {
                g.file("x", "1", T).file("z", "2", T);
            },
            |g| {
                g.file("x/y/z", "1", T);
            },
            DELETE,
        ),
        case(
            "link_over_full_folder_deleted",
            |g| {
                g.link("x", "y", T);
            },
            |g| {
                g.file("x/y/z", "1", T);
            },
            DELETE,
        ),
        case(
            "fifo",
            |g| {
                g.fifo("pipe", 0o640);
            },
            bare,
            PLAIN,
        ),
        case(
            "fifo_over_file",
            |g| {
                g.fifo("x", 0o600);
            },
            |g| {
                g.file("x", "1", T);
            },
            PLAIN,
        ),
        case(
            "fifo_that_is_there",
            |g| {
                g.fifo("x", 0o600);
            },
            |g| {
                g.fifo("x", 0o644);
            },
            PLAIN,
        ),
    ]
}

fn names() -> Vec<Case> {
    vec![
        case(
            "newlines",
            |g| {
                g.file("a\nb", "1", T)
                    .file("\n", "2", T)
                    .file("d\n/\nx", "3", T);
            },
            bare,
            PLAIN,
        ),
        case(
            "invalid_utf8",
            |g| {
                g.file(b"a\xff", "1", T)
                    .file(b"\xfe\xfd/\x80x", "2", T)
                    .link(b"l\xc3", b"a\xff", T);
            },
            |g| {
                g.file(b"gone\xff", "1", T);
            },
            DELETE,
        ),
        case(
            "odd_characters",
            |g| {
                for name in [
                    " ",
                    "  x ",
                    "-rf",
                    "a\\b",
                    "a\"b'",
                    "*",
                    "?",
                    "[x]",
                    "~",
                    "$HOME",
                    "`id`",
                    "é",
                    "日本語",
                    "a\tb",
                    ".hidden",
                    "..x",
                    "...",
                    "#x#",
                    "%41",
                    "&",
                    ";",
                    "a:b",
                ] {
                    g.file(name, name, T);
                }
            },
            bare,
            PLAIN,
        ),
        case(
            "order_of_names",
            |g| {
                for name in ["a", "a.d/x", "a-d/x", "a d/x", "aa/x", "ab"] {
                    g.file(name, name, T);
                }
            },
            |g| {
                for name in ["a.d/y", "a-d/x", "a d/z", "b/y"] {
                    g.file(name, name, T - 1);
                }
            },
            DELETE,
        ),
        case(
            "long_names",
            |g| {
                g.file("n".repeat(255), "1", T);
                let path = vec!["d".repeat(200); 15].join("/");
                g.file(path, "2", T);
            },
            bare,
            PLAIN,
        ),
        case(
            "left_over_from_other_programs",
            |g| {
                g.file(".x.AbCdEf", "1", T)
                    .file(".mhost-1-2.partial", "2", T);
            },
            bare,
            PLAIN,
        ),
    ]
}

fn metadata() -> Vec<Case> {
    vec![
        case(
            "unusual_times",
            |g| {
                g.file("before", "1", 0).time("before", -1, 999_999_999);
                g.file("epoch", "1", 0);
                g.file("far", "1", 0).time("far", 4_294_967_297, 1);
                g.file("1901", "1", 0).time("1901", -2_147_483_648, 0);
                g.file("nano", "1", 0).time("nano", T, 123_456_789);
                g.link("link", "x", 0).time("link", -77, 5);
                g.folder("folder");
            },
            bare,
            PLAIN,
        ),
        case(
            "modes",
            |g| {
                for (n, mode) in [0, 0o400, 0o111, 0o777, 0o4711, 0o2755, 0o1644, 0o7777]
                    .into_iter()
                    .enumerate()
                {
                    g.file(format!("f{n}"), "x", T).mode(format!("f{n}"), mode);
                    g.folder(format!("d{n}")).mode(format!("d{n}"), mode);
                }
            },
            bare,
            PLAIN,
        ),
        case(
            "only_the_mode_differs",
            |g| {
                g.file("x", "1", T)
                    .mode("x", 0o600)
                    .folder("d")
                    .mode("d", 0o750);
            },
            |g| {
                g.file("x", "1", T)
                    .mode("x", 0o644)
                    .folder("d")
                    .mode("d", 0o755);
            },
            PLAIN,
        ),
        case(
            "owners",
            |g| {
                g.file("x", "1", T).owner("x", 1234, 4321);
                g.folder("d").owner("d", 7, 8);
                g.link("l", "x", T).owner("l", 9, 10).time("l", T, 0);
                g.file("s", "1", T).owner("s", 5, 6).mode("s", 0o6755);
            },
            |g| {
                g.file("x", "1", T).owner("x", 1, 1);
            },
            PLAIN,
        ),
        case(
            "owner_of_a_setuid_file_changes",
            |g| {
                g.file("x", "1", T).owner("x", 3, 3).mode("x", 0o6755);
            },
            |g| {
                g.file("x", "1", T).owner("x", 4, 4).mode("x", 0o6755);
            },
            PLAIN,
        ),
        case(
            "read_only_folder_changes",
            |g| {
                g.file("d/x", "1", T).file("d/y", "2", T).mode("d", 0o555);
            },
            |g| {
                g.file("d/x", "0", T - 1).mode("d", 0o555);
            },
            PLAIN,
        ),
        case(
            "attributes",
            |g| {
                g.file("x", "1", T)
                    .attribute("x", "user.one", b"1")
                    .attribute("x", "user.two", b"");
                g.folder("d").attribute("d", "user.d", &[0, 255, 10]);
                g.file("same", "1", T).attribute("same", "user.k", b"new");
                g.file("none", "1", T);
                g.file("large", "1", T)
                    .attribute("large", "user.big", &[1; 2000]);
            },
            |g| {
                g.file("same", "1", T).attribute("same", "user.k", b"old");
                g.file("none", "1", T).attribute("none", "user.gone", b"x");
            },
            PLAIN,
        ),
        case(
            "folder_times_only",
            |g| {
                g.folder("d");
            },
            |g| {
                g.folder("d").folder("e");
            },
            DELETE,
        ),
    ]
}

fn links() -> Vec<Case> {
    fn linked(g: &Grove) {
        g.file("a", "1", T)
            .hard_link("a", "b")
            .hard_link("a", "d/c")
            .file("other", "2", T);
    }
    vec![
        case("hard_links", linked, bare, PLAIN),
        case("hard_links_that_are_there", linked, linked, PLAIN),
        case(
            "hard_links_where_copies_are",
            linked,
            |g| {
                g.file("a", "1", T).file("b", "1", T).file("d/c", "1", T);
            },
            PLAIN,
        ),
        case(
            "hard_links_where_others_are",
            linked,
            |g| {
                g.file("x", "1", T)
                    .hard_link("x", "b")
                    .hard_link("x", "d/c");
            },
            DELETE,
        ),
        case(
            "hard_links_of_changed_content",
            linked,
            |g| {
                g.file("a", "0", T - 1)
                    .hard_link("a", "b")
                    .hard_link("a", "d/c");
            },
            PLAIN,
        ),
        case(
            "not_kept_without_the_option",
            linked,
            bare,
            (&["--no-hard-links"], &["hard_links=false"]),
        ),
        case(
            "links_of_all_sorts",
            |g| {
                g.link("absolute", "/etc/passwd", T)
                    .link("out", "../../x", T)
                    .link("self", "self", T)
                    .link("folder", "d", T)
                    .link("long", "x/".repeat(1000), T)
                    .file("d/x", "1", T);
            },
            bare,
            PLAIN,
        ),
        case(
            "safe_links",
            |g| {
                g.link("absolute", "/etc/passwd", T)
                    .link("out", "../x", T)
                    .link("d/in", "../x", T)
                    .file("x", "1", T);
            },
            bare,
            (&["--safe-links"], &["links=safe"]),
        ),
        case("no_links", mixed, bare, (&["--no-links"], &["links=skip"])),
        case(
            "sparse",
            |g| {
                g.sparse("x", 5 << 20, &[(0, 4096), (2 << 20, 100_000)])
                    .sparse("y", 1 << 20, &[]);
            },
            bare,
            (&["--sparse"], &[]),
        ),
    ]
}
