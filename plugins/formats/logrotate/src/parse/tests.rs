//! What configurations are read as, and what is refused where.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::options::{Format, Method, Owner, When};
use crate::source::{Found, Kind};

/// Files by path, with their modes; every folder above them is there.
#[derive(Default)]
struct Files(BTreeMap<String, (String, u32)>);

const USERS: [(&str, u32); 2] = [("root", 0), ("www", 33)];

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), ((*text).to_owned(), 0o644)));
        Self(files.collect())
    }
}

impl Source for Files {
    fn look(&self, path: &str) -> Result<Option<Found>, String> {
        if let Some((_, mode)) = self.0.get(path) {
            return Ok(Some(Found {
                kind: Kind::File,
                mode: *mode,
                uid: 0,
            }));
        }
        let below = format!("{}/", path.trim_end_matches('/'));
        let folder = self.0.keys().any(|file| file.starts_with(&below));
        Ok(folder.then_some(Found {
            kind: Kind::Directory,
            mode: 0o755,
            uid: 0,
        }))
    }

    fn read(&self, path: &str) -> Result<String, String> {
        self.0
            .get(path)
            .map(|(text, _)| text.clone())
            .ok_or_else(|| "not there".to_owned())
    }

    fn list(&self, path: &str) -> Result<Vec<String>, String> {
        let below = format!("{}/", path.trim_end_matches('/'));
        let names = self.0.keys().filter_map(|file| file.strip_prefix(&below));
        let names = names.map(|rest| rest.split('/').next().unwrap_or(rest).to_owned());
        Ok(names.collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn user(&self, name: &str) -> Option<u32> {
        let user = USERS.iter().find(|(user, _)| *user == name);
        user.map(|(_, id)| *id)
    }

    fn group(&self, name: &str) -> Option<u32> {
        [("root", 0), ("adm", 4)]
            .into_iter()
            .find(|(group, _)| *group == name)
            .map(|(_, id)| id)
    }
}

fn read(text: &str, files: &[(&str, &str)]) -> Configuration {
    parse(&[Input::Text { name: "c", text }], &Files::new(files))
}

fn user(uid: u32) -> Option<String> {
    let users = USERS.iter().find(|(_, id)| *id == uid);
    users.map(|(name, _)| (*name).to_owned())
}

fn options(directives: &str) -> Options {
    let read = |directives: &str| {
        let text = format!("/l/a {{\n{directives}\n}}\n");
        let mut read = read(&text, &[("/l/a", "")]);
        assert_eq!(read.problems, [], "{directives}");
        read.sections.remove(0).options
    };
    let options = read(directives);
    let text = options.directives(&user);
    let mut again = read(&text);
    // What compresses nothing needs no compressor.
    if !options.compress {
        again.compressor = options.compressor.clone();
    }
    // Scripts stand on other lines.
    for (event, script) in &mut again.scripts {
        script.line = options.scripts[event].line;
    }
    assert_eq!(again, options, "{text}");
    options
}

#[test]
fn every_directive_sets_its_option() {
    let check = |directives: &str, right: fn(&Options) -> bool| {
        let options = options(directives);
        assert!(right(&options), "{directives}: {options:?}");
    };
    check("rotate 5", |o| o.rotate == Some(5));
    check("rotate -1", |o| o.rotate.is_none());
    check("rotate=7", |o| o.rotate == Some(7));
    check("start 0", |o| o.start == 0);
    check("hourly", |o| o.when == When::Hourly);
    check("daily", |o| o.when == When::Daily);
    check("weekly", |o| o.when == When::Weekly(0));
    check("weekly 7", |o| o.when == When::Weekly(7));
    check("monthly", |o| o.when == When::Monthly);
    check("yearly", |o| o.when == When::Yearly);
    check("daily\nsize 10k", |o| o.when == When::Size(10 << 10));
    check("size 10k\ndaily", |o| o.when == When::Daily);
    check("minsize 1M", |o| o.minsize == Some(1 << 20));
    check("maxsize 1G", |o| o.maxsize == Some(1 << 30));
    check("minage 3", |o| o.minage == Some(3));
    check("maxage 4", |o| o.maxage == Some(4));
    check("copy", |o| o.method == Method::Copy);
    check("copy\nnocopy", |o| o.method == Method::Rename);
    check("copytruncate\ncopy", |o| o.method == Method::CopyTruncate);
    check("copytruncate\nnocopytruncate", |o| {
        o.method == Method::Rename
    });
    check("renamecopy", |o| o.method == Method::RenameCopy);
    check("renamecopy\nnorenamecopy", |o| o.method == Method::Rename);
    check("create", |o| o.create == Some(Owner::default()));
    check("create 0640 www adm", |o| {
        o.create
            == Some(Owner {
                mode: Some(0o640),
                uid: Some(33),
                gid: Some(4),
            })
    });
    check("create www", |o| {
        o.create
            == Some(Owner {
                uid: Some(33),
                ..Owner::default()
            })
    });
    check("create 640 1 2", |o| {
        o.create
            == Some(Owner {
                mode: Some(0o640),
                uid: Some(1),
                gid: Some(2),
            })
    });
    check("create\nnocreate", |o| o.create.is_none());
    check("olddir old", |o| o.olddir.as_deref() == Some("old"));
    check("olddir \"old dir\"", |o| {
        o.olddir.as_deref() == Some("old dir")
    });
    check("olddir old\nnoolddir", |o| o.olddir.is_none());
    check("createolddir 0750", |o| {
        o.createolddir
            .is_some_and(|owner| owner.mode == Some(0o750))
    });
    check("createolddir\nnocreateolddir", |o| o.createolddir.is_none());
    check("compress", |o| o.compress && o.suffix() == ".gz");
    check("compress\nnocompress", |o| {
        !o.compress && o.suffix().is_empty()
    });
    check("delaycompress", |o| o.delaycompress);
    check("delaycompress\nnodelaycompress", |o| !o.delaycompress);
    check("compresscmd /usr/bin/zstd", |o| {
        o.compressor.format == Ok(Format::Zstd) && o.compressor.ext == ".zst"
    });
    check("compresscmd xz", |o| {
        o.compressor.format == Ok(Format::Xz) && o.compressor.ext == ".xz"
    });
    check("compresscmd /bin/bzip2", |o| {
        o.compressor.format.is_err() && o.compressor.ext == ".bz2"
    });
    check("compressoptions -T0 -19", |o| {
        o.compressor.level == Some(19)
    });
    check("uncompresscmd /bin/zcat", |o| *o == Options::default());
    check("compressext .z", |o| o.compressor.ext == ".z");
    check("dateext", |o| o.dateext);
    check("dateext\nnodateext", |o| !o.dateext);
    check("dateformat .%s", |o| o.date_format() == ".%s");
    check("hourly", |o| o.date_format() == "-%Y%m%d%H");
    check("dateyesterday", |o| o.date == crate::DateOf::Yesterday);
    check("datehourago", |o| o.date == crate::DateOf::HourAgo);
    check("dateyesterday\ndatehourago", |o| {
        o.date == crate::DateOf::Yesterday
    });
    check("create www adm", |o| {
        o.create
            == Some(Owner {
                mode: None,
                uid: Some(33),
                gid: Some(4),
            })
    });
    check("createolddir www", |o| {
        o.createolddir.is_some_and(|owner| owner.uid == Some(33))
    });
    check("extension .log", |o| o.extension.as_deref() == Some(".log"));
    check("addextension .log", |o| {
        o.addextension.as_deref() == Some(".log")
    });
    check("sharedscripts", |o| o.sharedscripts);
    check("sharedscripts\nnosharedscripts", |o| !o.sharedscripts);
    check("missingok", |o| o.missingok);
    check("missingok\nnomissingok", |o| !o.missingok);
    check("notifempty", |o| !o.ifempty);
    check("notifempty\nifempty", |o| o.ifempty);
    check("ignoreduplicates", |o| o.ignoreduplicates);
    check("shred\nshredcycles 2", |o| {
        o.shred && o.shredcycles == Some(2)
    });
    check("shred\nnoshred", |o| !o.shred);
    check("allowhardlink", |o| o.allowhardlink);
    check("allowhardlink\nnoallowhardlink", |o| !o.allowhardlink);
    check("mail a@b", |o| o.mail.as_deref() == Some("a@b"));
    check("mail a@b\nnomail", |o| o.mail.is_none());
    check("mailfirst", |o| o.mailed == crate::Whose::First);
    check("mailfirst\nmaillast", |o| o.mailed == crate::Whose::Last);
    check("su www adm", |o| o.su == Some((33, 4)));
}

#[test]
fn scripts_are_kept_with_their_lines() {
    let options = options(
        "postrotate\n  echo endscript here\n  echo \"}\"\nendscript\nprerotate\n\tx\n\tendscript\n\
         firstaction\nendscript\nlastaction\ny\nendscript\npreremove\nz\nendscript",
    );
    let post = &options.scripts[&Event::Post];
    assert_eq!(post.text, "  echo endscript here\n  echo \"}\"\n");
    assert_eq!((post.file.as_str(), post.line), ("c", 2));
    assert_eq!(options.scripts[&Event::Pre].text, "\tx\n");
    assert_eq!(options.scripts.len(), 5);
}

#[test]
fn globals_hold_from_their_line_on() {
    let text = "rotate 1\n/l/a {\n}\nrotate 2\ncompress\n/l/b { nocompress\n} /l/c {\n}\n";
    let read = read(text, &[("/l/a", ""), ("/l/b", ""), ("/l/c", "")]);
    assert_eq!(read.problems, []);
    let seen: Vec<_> = read
        .sections
        .iter()
        .map(|s| (s.options.rotate, s.options.compress))
        .collect();
    assert_eq!(seen, [(Some(1), false), (Some(2), false), (Some(2), true)]);
    assert_eq!(read.sections[2].line, 7);
}

#[test]
fn names_may_be_quoted_and_patterns() {
    let files = [
        ("/l/a b.log", ""),
        ("/l/c.log", ""),
        ("/l/d.txt", ""),
        ("/l/.e.log", ""),
        ("/m/n/f.log", ""),
    ];
    for (names, expected) in [
        ("\"/l/a b.log\"", vec!["/l/a b.log"]),
        ("/l/a\\ b.log", vec!["/l/a b.log"]),
        ("'/l/a b.log' /l/c.log", vec!["/l/a b.log", "/l/c.log"]),
        ("/l/*.log", vec!["/l/a b.log", "/l/c.log"]),
        ("/l/{c.log,d.txt}", vec!["/l/c.log", "/l/d.txt"]),
        ("/*/n/?.log", vec!["/m/n/f.log"]),
        ("/l/none*", vec!["/l/none*"]),
        ("/l/c.log\n/l/d.txt", vec!["/l/c.log", "/l/d.txt"]),
    ] {
        let read = read(&format!("{names} {{\n}}\n"), &files);
        assert_eq!(read.problems, [], "{names}");
        assert_eq!(read.sections[0].logs, expected, "{names}");
        assert_eq!(read.sections[0].text, format!("{names} "));
    }
}

#[test]
fn one_bad_entry_spoils_no_other() {
    for (bad, line, about) in [
        ("/l/a {\nrotate x\n}", 2, "`rotate` takes a number, not `x`"),
        ("/l/a {\nrotate 1 # no comment\n}", 2, "`rotate`"),
        ("/l/a {\nsize 1.5k\n}", 2, "`1.5k` is no size"),
        ("/l/a {\ncreate 0999\n}", 2, "octal"),
        ("/l/a {\ncreate 0600 root root x\n}", 2, "nothing more"),
        ("/l/a {\ncreate nobodyatall\n}", 2, "user `nobodyatall`"),
        ("/l/a {\nsu www\n}", 2, "a user and a group"),
        ("/l/a {\nweekly 8\n}", 2, "from 0 (Sunday)"),
        ("/l/a {\nmail\n}", 2, "needs a value"),
        ("/l/a {\nstart 100000001\n}", 2, "up to 100000000"),
        ("/l/a {\nmail \u{fffd}\n}", 2, "no UTF-8"),
        ("/l/a {\nprerotate\n\u{fffd}\nendscript\n}", 2, "no UTF-8"),
        ("/l/\u{fffd} {\n}", 1, "no UTF-8"),
        ("/l/a {\nx.y\n}", 2, "`x.y` is no directive"),
        ("/l/a {\n/l/c {\n}\n}", 2, "within another"),
        ("/l/a {\npostrotate\nx\nendscrip\n}", 2, "no `endscript`"),
        ("/l/a /l/c", 1, "missing"),
        ("\"/l/a {\n}", 1, "missing"),
        ("}", 1, "closes nothing"),
        ("1 2", 1, "neither a directive nor a path"),
        ("rotate x", 1, "takes a number"),
        ("include /no/such", 1, "there is no `/no/such`"),
    ] {
        let text = format!("/l/z {{\n}}\n{bad}\n");
        let read = read(&text, &[("/l/a", ""), ("/l/z", "")]);
        let first = &read.problems[0];
        assert!(first.message.contains(about), "{bad}: {first}");
        assert_eq!(first.line, line + 2, "{bad}");
        assert_eq!(read.sections.len(), 1, "{bad}: {:?}", read.sections);
    }
    let read = read(
        "frobnicate 3\n/l/a {\nrotate 1\nnoidea\n}\n",
        &[("/l/a", "")],
    );
    assert_eq!(read.sections.len(), 1, "what is not known is passed over");
    assert!(
        read.problems
            .iter()
            .all(|problem| problem.severity == Severity::Warning)
    );
}

#[test]
fn lines_that_logrotate_goes_on_without() {
    for directive in ["size", "dateformat", "minsize", "maxsize"] {
        let text = format!("# Gr\u{fffd}n\n/l/a {{\nrotate 1\n{directive}\n}}\n");
        let read = read(&text, &[("/l/a", "")]);
        assert_eq!(read.sections.len(), 1, "{directive}");
        assert_eq!(read.problems[0].severity, Severity::Warning);
        assert_eq!(read.problems[0].line, 4);
    }
}

#[test]
fn what_another_than_root_owns_counts_where_nobody_minds() {
    /// One file, which is another user's.
    struct Foreign(bool);

    impl Source for Foreign {
        fn look(&self, _: &str) -> Result<Option<Found>, String> {
            Ok(Some(Found {
                kind: Kind::File,
                mode: 0o644,
                uid: 1,
            }))
        }

        fn read(&self, _: &str) -> Result<String, String> {
            Ok("/l/a {\n}\n".to_owned())
        }

        fn list(&self, _: &str) -> Result<Vec<String>, String> {
            Ok(Vec::new())
        }

        fn user(&self, _: &str) -> Option<u32> {
            None
        }

        fn group(&self, _: &str) -> Option<u32> {
            None
        }

        fn owner_must_be_root(&self) -> bool {
            self.0
        }
    }

    for (root, sections) in [(false, 1), (true, 0)] {
        let read = parse(&[Input::Path("/c")], &Foreign(root));
        assert_eq!(read.sections.len(), sections);
        let told: Vec<_> = read.problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.is_empty(), !root, "{told:?}");
        assert!(told.iter().all(|text| text.contains("its owner is wrong")));
    }
}

#[test]
fn a_log_belongs_to_its_first_entry() {
    let files = [("/l/a.log", ""), ("/l/b.log", "")];
    let text = "/l/a.log {\n}\n/l/*.log {\n}\n";
    let found = read(text, &files);
    assert_eq!(found.sections[1].logs, ["/l/b.log"]);
    assert_eq!(found.problems[0].severity, Severity::Error);
    let found = read(&format!("ignoreduplicates\n{text}"), &files);
    assert_eq!(found.problems[0].severity, Severity::Warning);
}

#[test]
fn folders_are_included_without_their_leftovers() {
    let one = |log: &str| format!("{log} {{\n}}\n");
    let mut files = Files::new(&[
        ("/d/a", &one("/l/a")),
        ("/d/b.swp", &one("/l/b")),
        ("/d/c~", &one("/l/c")),
        ("/d/.d", &one("/l/d")),
        ("/d/sub/e", &one("/l/e")),
        ("/d/f.mine", &one("/l/f")),
        ("/d/x1", &one("/l/x")),
    ]);
    files
        .0
        .insert("/d/open".to_owned(), (one("/l/open"), 0o666));
    let logs = |before: &str| {
        let text = format!("{before}\ninclude /d\n");
        let read = parse(
            &[Input::Text {
                name: "c",
                text: &text,
            }],
            &files,
        );
        read.sections
            .iter()
            .map(|s| s.logs[0].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(logs(""), ["/l/d", "/l/a", "/l/f", "/l/x"]);
    assert_eq!(logs("tabooext + .mine"), ["/l/d", "/l/a", "/l/x"]);
    assert_eq!(
        logs("tabooext .mine"),
        ["/l/d", "/l/a", "/l/b", "/l/c", "/l/x"]
    );
    assert_eq!(logs("taboopat + x*"), ["/l/d", "/l/a", "/l/f"]);
}

#[test]
fn includes_end() {
    let read = read("include /d/a\n", &[("/d/a", "include /d/a\n")]);
    assert!(
        read.problems[0].message.contains("16 files"),
        "{:?}",
        read.problems
    );
}

#[test]
fn an_entry_ends_with_its_file() {
    let found = read("/l/a {\nrotate 1", &[("/l/a", "")]);
    assert_eq!(found.sections.len(), 1);
    let found = read(
        "/l/a {\ninclude /d/a\n}\n",
        &[("/l/a", ""), ("/d/a", "rotate 3\n")],
    );
    assert_eq!(found.sections[0].options.rotate, Some(3));
}

/// The options without what is not written: the lines of scripts, and a compressor that
/// compresses nothing.
fn plain(section: &Section) -> Options {
    let mut options = section.options.clone();
    options
        .scripts
        .values_mut()
        .for_each(|script| script.line = 0);
    if !options.compress {
        options.compressor = Default::default();
    }
    options
}

/// Whole, right configurations to begin with.
const SEEDS: [&str; 3] = [
    "compress\n/l/*.log \"/l/a b\" {\n rotate 5\n weekly 3\n create 0640 root root\n postrotate\n  x\n endscript\n}\n",
    "tabooext + .x\ninclude /d\n/l/{a,b} { size=10k\n olddir 'o' }\n# c\n",
    "dateformat -%Y%m%d-%s\n/l/x\n/l/y\n{\n su root root\n compresscmd xz\n}\n",
];

proptest! {
    /// Bytes changed, cut, doubled and moved: an answer always, and a place in the text
    /// for each problem.
    #[test]
    fn mutations_are_read_to_their_end(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8, any::<char>()), 0..12),
    ) {
        let mut text: Vec<char> = SEEDS[seed].chars().collect();
        for (at, to, kind, c) in edits {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            let to = to.index(text.len());
            match kind {
                0 => text[at] = c,
                1 => { text.remove(at); }
                2 => text.insert(at, text[to]),
                _ => text.swap(at, to),
            }
        }
        let text: String = text.into_iter().collect();
        let lines = u32::try_from(text.lines().count() + 1).unwrap();
        let read = read(&text, &[("/l/a", ""), ("/d/x", "/l/q {\n}\n")]);
        for problem in read.problems.iter().filter(|problem| problem.file == "c") {
            prop_assert!((1..=lines).contains(&problem.line), "{problem}");
        }
        for section in &read.sections {
            let entry = section.entry(&user);
            let again = super::parse(&[Input::Text { name: &section.file, text: &entry }], &Files::default());
            prop_assert_eq!(again.sections.len(), 1, "{}: {:?}", entry, again.problems);
            prop_assert_eq!(plain(&again.sections[0]), plain(section), "{}", entry);
        }
    }

    #[test]
    fn any_text_is_read_to_its_end(text in any::<String>()) {
        read(&text, &[]);
        crate::State::read(&text);
    }
}
