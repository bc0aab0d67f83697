//! `[tasks.NAME.grants]`.

use super::Presence::{Default, Optional, Required};
use super::Scalar::{Text, Word};
use super::Shape::{List, Named, Table};
use super::tables::{NAME, PATH, fixed, key, one};
use super::{Empty, Fixed, Scalar, Shape};

const ACCESS: Scalar = Word(&[
    ("read-only", "nothing changes"),
    ("read-write", "everything below may change"),
]);

pub(super) static GRANTS: Fixed = fixed(&[
    key(
        "dirs",
        Named(&Table(&DIR_GRANT)),
        Optional,
        "Directories; `dirs.logs` is `/logs` for the plugin.",
    ),
    key(
        "databases",
        Named(&Table(&DATABASE_GRANT)),
        Optional,
        "Databases of `[databases]`, by name.",
    ),
    key(
        "repositories",
        Named(&Table(&REPOSITORY_GRANT)),
        Optional,
        "Backup repositories of `[repositories]`, by name.",
    ),
    key(
        "remotes",
        Named(&Table(&REMOTE_GRANT)),
        Optional,
        "Remotes of `[remotes]`, by name.",
    ),
    key(
        "net",
        List(&Shape::Scalar(Scalar::Origin), Empty::Allowed),
        Optional,
        "Network peers, one by one. A peer written as an address, or `localhost`, may be private; one written as a name is never reached at a private address.",
    ),
    key(
        "secrets",
        Named(&Table(&SECRET)),
        Optional,
        "Secrets, under the names that the plugin asks for.",
    ),
    key(
        "processes",
        Named(&Table(&PROCESS_GRANT)),
        Optional,
        "Signals to processes and commands, under the names that the plugin asks for.",
    ),
    key(
        "tasks",
        List(&NAME, Empty::Allowed),
        Optional,
        "Other tasks whose state the plugin may look at: their last success, and whether they are late.",
    ),
    key(
        "channels",
        List(&NAME, Empty::Allowed),
        Optional,
        "Channels of `[channels]` that the plugin may send messages through. Alerts need no grant: they go where `notify` says.",
    ),
]);

static DIR_GRANT: Fixed = fixed(&[
    key("path", PATH, Required, "The directory."),
    key(
        "access",
        Shape::Scalar(ACCESS),
        Default("\"read-only\""),
        "Whether it may change.",
    ),
]);

static DATABASE_GRANT: Fixed = fixed(&[
    key(
        "verbs",
        List(
            &Shape::Scalar(Word(&[
                ("read", "information, tables, rows"),
                ("write", "write transactions"),
                ("snapshot", "a consistent copy"),
                ("pack", "give unused space back"),
                ("verify", "check the structure"),
                ("restore", "replace it by a verified copy"),
                ("recover", "write what is sound in it to a new file"),
            ])),
            Empty::Refused,
        ),
        Required,
        "What may be done with it.",
    ),
    key(
        "tables",
        List(&Shape::Scalar(Text(1024, Empty::Refused)), Empty::Allowed),
        Optional,
        "The tables whose rows may be read and written; all where absent.",
    ),
]);

static REPOSITORY_GRANT: Fixed = fixed(&[
    key(
        "verbs",
        List(
            &Shape::Scalar(Word(&[
                ("append", "create the repository, add snapshots"),
                ("read", "list and restore"),
                ("forget", "remove snapshots"),
                ("prune", "remove data that nothing refers to"),
                ("check", "check structure and data"),
                ("keys", "list, add and remove the keys of passwords"),
            ])),
            Empty::Refused,
        ),
        Required,
        "What may be done with it.",
    ),
    key(
        "password",
        NAME,
        Default("\"repo\""),
        "The task's secret that holds the repository's password.",
    ),
]);

static REMOTE_GRANT: Fixed = fixed(&[key(
    "access",
    Shape::Scalar(ACCESS),
    Default("\"read-only\""),
    "Whether it may change.",
)]);

pub(super) static SECRET: Fixed = Fixed {
    keys: &[
        key(
            "file",
            PATH,
            Optional,
            "A file that holds it; a line end after it is left out.",
        ),
        key(
            "env",
            one(Text(256, Empty::Refused)),
            Optional,
            "A variable of mhost's own environment.",
        ),
        key(
            "credential",
            one(Text(256, Empty::Refused)),
            Optional,
            "A credential of the service manager, in `$CREDENTIALS_DIRECTORY`.",
        ),
    ],
    one_of: &[&["file"], &["env"], &["credential"]],
    judge: None,
};

pub(in crate::config) const SIGNAL: Scalar = Word(&[
    ("HUP", "SIGHUP"),
    ("USR1", "SIGUSR1"),
    ("USR2", "SIGUSR2"),
    ("WINCH", "SIGWINCH"),
    (
        "NONE",
        "no signal; whether the process lives is all that may be asked",
    ),
]);

static PROCESS_GRANT: Fixed = Fixed {
    keys: &[
        key(
            "pid_file",
            PATH,
            Optional,
            "The file that holds the process id in its first line.",
        ),
        key(
            "signal",
            one(SIGNAL),
            Optional,
            "Beside `pid_file`: the signal.",
        ),
        key(
            "command",
            List(&Shape::Scalar(Scalar::Argument), Empty::Refused),
            Optional,
            "A program's absolute path and its arguments; there is no shell. A word `{1}` or `{2}` is the place of a granted file's path, where the plugin hands one on.",
        ),
    ],
    one_of: &[&["pid_file", "signal"], &["command"]],
    judge: None,
};
