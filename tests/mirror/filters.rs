//! rsync's filters.

use super::grove::{Grove, T};
use super::run::Case;

fn source(g: &Grove) {
    for name in [
        "a.c",
        "a.o",
        "b.tmp",
        "cache/x",
        "cache/y.c",
        "src/a.c",
        "src/a.o",
        "src/cache/z",
        "src/deep/er/b.c",
        "src/deep/er/b.o",
        "foo/bar",
        "x/foo/bar",
        "xfoo/bar",
        "foo/barx",
        "Makefile",
        "[odd]",
        "a\\b",
        "star*",
    ] {
        g.file(name, name, T);
    }
}

fn target(g: &Grove) {
    for name in [
        "old.o",
        "old.c",
        "cache/old",
        "src/old.o",
        "dead/x.o",
        "dead/x.c",
        "state/keep",
    ] {
        g.file(name, name, T);
    }
}

pub fn all() -> Vec<Case> {
    let case = |name, rsync, settings| Case {
        name,
        source,
        target,
        rsync,
        settings,
    };
    vec![
        case(
            "exclude_name",
            &["--delete", "--exclude=*.o"],
            &["delete=true", "exclude=[\"*.o\"]"],
        ),
        case(
            "exclude_folder",
            &["--delete", "--exclude=cache/"],
            &["delete=true", "exclude=[\"cache/\"]"],
        ),
        case(
            "exclude_anchored",
            &["--exclude=/cache"],
            &["exclude=[\"/cache\"]"],
        ),
        case(
            "exclude_path",
            &["--exclude=foo/bar"],
            &["exclude=[\"foo/bar\"]"],
        ),
        case(
            "exclude_path_wild",
            &["--exclude=src/*.c"],
            &["exclude=[\"src/*.c\"]"],
        ),
        case(
            "exclude_deep",
            &["--exclude=src/**.o"],
            &["exclude=[\"src/**.o\"]"],
        ),
        case(
            "exclude_three_stars",
            &["--exclude=cache/***"],
            &["exclude=[\"cache/***\"]"],
        ),
        case(
            "exclude_class",
            &["--exclude=[ab].[oc]"],
            &["exclude=[\"[ab].[oc]\"]"],
        ),
        case(
            "exclude_escaped",
            &["--exclude=star\\*", "--exclude=a\\b"],
            &["exclude=[\"star\\\\*\",\"a\\\\b\"]"],
        ),
        case(
            "exclude_question",
            &["--exclude=?.c"],
            &["exclude=[\"?.c\"]"],
        ),
        case(
            "include_then_exclude",
            &["--include=*/", "--include=*.c", "--exclude=*"],
            &["include=[\"*/\",\"*.c\"]", "exclude=[\"*\"]"],
        ),
        case(
            "filter_rules",
            &[
                "--delete",
                "--filter=+ /src/***",
                "--filter=- *.o",
                "--filter=P state/",
            ],
            &[
                "delete=true",
                "filter=[\"+ /src/***\",\"- *.o\",\"P state/\"]",
            ],
        ),
        case(
            "filter_hide_and_risk",
            &[
                "--delete",
                "--filter=H *.o",
                "--filter=R *.c",
                "--filter=P dead/",
            ],
            &["delete=true", "filter=[\"H *.o\",\"R *.c\",\"P dead/\"]"],
        ),
        case(
            "filter_inverted",
            &["--filter=+ */", "--filter=-! *.c"],
            &["filter=[\"+ */\",\"-! *.c\"]"],
        ),
        case(
            "delete_excluded",
            &["--delete", "--delete-excluded", "--exclude=*.o"],
            &["delete=true", "delete_excluded=true", "exclude=[\"*.o\"]"],
        ),
        case(
            "protected_in_a_folder_that_goes",
            &["--delete", "--filter=P *.c"],
            &["delete=true", "filter=[\"P *.c\"]"],
        ),
    ]
}
