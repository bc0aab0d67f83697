//! The file's own tables and those of a task, in the order of the reference page.

use super::grants::{GRANTS, SECRET};
use super::notify::{CHANNEL, NOTIFY};
use super::policy::{LIMITS, POLICY};
use super::{Empty, Fixed, Key, Least, Presence, Scalar, Shape};
use crate::config::scalar;
use Presence::{Default, Optional, Required};
use Scalar::{Count, Duration, Text, Word};
use Shape::{Either, Json, List, Named, Table};

pub(super) const DAY: u64 = 24 * 60 * 60;
/// Ten years: longer than any plan for a machine.
pub(super) const LONG: u64 = 3_660 * DAY;

pub(super) const fn key(
    name: &'static str,
    shape: Shape,
    presence: Presence,
    meaning: &'static str,
) -> Key {
    Key {
        name,
        shape,
        presence,
        meaning,
    }
}

pub(super) const fn fixed(keys: &'static [Key]) -> Fixed {
    Fixed {
        keys,
        one_of: &[],
        judge: None,
    }
}

pub(super) const NAME: Shape = Shape::Scalar(Scalar::Name);
pub(super) const PATH: Shape = Shape::Scalar(Scalar::Path);
const MOMENT: Shape = Shape::Scalar(Scalar::Moment);
const ZONE: Shape = Shape::Scalar(Scalar::Zone);
pub(super) const BOOL: Shape = Shape::Scalar(Scalar::Bool);

pub(super) const fn one(scalar: Scalar) -> Shape {
    Shape::Scalar(scalar)
}

/// The whole file.
pub(in crate::config) static ROOT: Fixed = fixed(&[
    key(
        "databases",
        Named(&Table(&DATABASE)),
        Optional,
        "Databases that tasks can be granted by name.",
    ),
    key(
        "repositories",
        Named(&Table(&REPOSITORY)),
        Optional,
        "Backup repositories that tasks can be granted by name.",
    ),
    key(
        "remotes",
        Named(&Table(&REMOTE)),
        Optional,
        "Remote storage that tasks can be granted by name.",
    ),
    key(
        "pools",
        Named(&Table(&POOL)),
        Optional,
        "Groups of tasks that share slots: so many of them run at one time.",
    ),
    key(
        "channels",
        Named(&Table(&CHANNEL)),
        Optional,
        "Ways to tell people. Which keys there are depends on `kind`; see [notifications](notifications.md).",
    ),
    key(
        "notify",
        Table(&NOTIFY),
        Optional,
        "Who is told what of tasks that do not say it themselves.",
    ),
    key(
        "tasks",
        Named(&Table(&TASK)),
        Optional,
        "What is to be done, and when.",
    ),
]);

static DATABASE: Fixed = fixed(&[
    key(
        "engine",
        one(Word(&[
            ("redb", "a redb file"),
            ("sqlite", "an SQLite file"),
        ])),
        Required,
        "The kind of database.",
    ),
    key("path", PATH, Required, "Its file."),
]);

static REPOSITORY: Fixed = fixed(&[
    key(
        "url",
        one(Scalar::Repository),
        Required,
        "Where it is kept: a directory, or a URL as restic writes it: `sftp:USER@HOST:/path`, `s3:https://HOST/BUCKET/folder`, `rest:https://HOST:8000/path/`; and `webdav:https://HOST/path`.",
    ),
    USER,
    USERS_SECRET,
    REGION,
    AUTHORITIES,
    SSH,
]);

static REMOTE: Fixed = fixed(&[
    key(
        "url",
        one(Scalar::Remote),
        Required,
        "Where it is: a directory, which begins with `/`, `./` or `../`, or a URL: `file:///srv/files`, `sftp:USER@HOST:/path`, `s3:https://HOST/BUCKET/folder`, `webdav:https://HOST/path`, or `memory:NAME`.",
    ),
    USER,
    USERS_SECRET,
    REGION,
    AUTHORITIES,
    SSH,
]);

const USER: Key = key(
    "user",
    one(Text(256, Empty::Refused)),
    Optional,
    "s3: the access key's id; what AWS's own tools use where absent. webdav, rest: who logs in.",
);
const USERS_SECRET: Key = key(
    "secret",
    Table(&SECRET),
    Optional,
    "s3: the secret access key. webdav, rest: the user's password.",
);
const REGION: Key = key(
    "region",
    one(Text(64, Empty::Refused)),
    Optional,
    "s3: the region; `us-east-1` where absent, which servers other than AWS do not mind.",
);
const AUTHORITIES: Key = key(
    "ca",
    PATH,
    Optional,
    "s3, webdav, rest: a PEM file with authorities to trust beside the machine's.",
);
const SSH: Key = key(
    "ssh",
    List(&Shape::Scalar(Scalar::Argument), Empty::Refused),
    Optional,
    "sftp: the program that connects, and arguments such as `[\"/usr/bin/ssh\", \"-F\", \"/etc/mhost/ssh_config\"]`; `ssh` where absent, with the keys and the configuration of the user that mhost runs as.",
);

static POOL: Fixed = fixed(&[key(
    "size",
    one(Count(1, 10_000)),
    Required,
    "Runs at one time. The pool `default` has size 1 where it is not configured.",
)]);

/// `[tasks.NAME]`
static TASK: Fixed = fixed(&[
    key(
        "plugin",
        one(Scalar::Plugin),
        Required,
        "What does the work: the name of a built-in or installed plugin, or `NAME@VERSION` for exactly that version.",
    ),
    key(
        "action",
        one(Text(64, Empty::Refused)),
        Required,
        "Which of the plugin's actions.",
    ),
    key(
        "schedule",
        Either(Scalar::ScheduleWord, &SCHEDULE),
        Required,
        "When it is due.",
    ),
    key(
        "enabled",
        BOOL,
        Default("true"),
        "Whether it becomes due at all.",
    ),
    key(
        "description",
        one(Text(4096, Empty::Allowed)),
        Optional,
        "For people.",
    ),
    key(
        "renamed_from",
        NAME,
        Optional,
        "The task's former name: it keeps its history and state under the new one.",
    ),
    key(
        "config",
        Json,
        Default("{}"),
        "The action's own settings; the plugin's schema says which there are (`mhost plugin inspect NAME`).",
    ),
    key(
        "holds",
        List(&Shape::Scalar(Text(1000, Empty::Refused)), Empty::Allowed),
        Default("[]"),
        "What its runs are at work on, by the names that others know it by: a check's target, or a task. While a run is on, alerts about them are silent.",
    ),
    key(
        "grants",
        Table(&GRANTS),
        Default("{}"),
        "What the task may reach. Nothing else is reachable.",
    ),
    key(
        "receive",
        Named(&Table(&RECEIVER)),
        Optional,
        "Queues that another mhost may put items into over HTTP (`mhost serve --listen`), by their names. Needs no run; the token is good for that queue alone.",
    ),
    key(
        "notify",
        Table(&NOTIFY),
        Optional,
        "Who is told what of this task; as `[notify]` says where absent.",
    ),
    key(
        "policy",
        Table(&POLICY),
        Default("{}"),
        "What happens when things do not go as planned.",
    ),
    key(
        "limits",
        Table(&LIMITS),
        Default("{}"),
        "What one run may use at most.",
    ),
]);

/// `[tasks.NAME.receive.QUEUE]`
static RECEIVER: Fixed = fixed(&[
    key(
        "queues",
        one(Text(4096, Empty::Refused)),
        Required,
        "The directory that the queue lies in, as the task sees it: `/queues` for the grant `dirs.queues`, which must be read-write.",
    ),
    key(
        "token",
        Table(&SECRET),
        Required,
        "The token that the sender must show; of at least 16 characters.",
    ),
    key(
        "max_item",
        one(Scalar::Size(1, 1 << 40)),
        Default("\"1 GiB\""),
        "No item may be larger.",
    ),
    key(
        "max_waiting",
        one(Scalar::Size(1, 1 << 50)),
        Default("\"10 GiB\""),
        "What waits to be imported may never be more in all; the sender waits meanwhile.",
    ),
]);

/// A schedule's table; the model decides which keys go together.
static SCHEDULE: Fixed = Fixed {
    keys: &[
        key(
            "cron",
            one(Scalar::Cron),
            Optional,
            "A cron expression with 5 or 6 fields, or a nickname such as `@daily`.",
        ),
        key(
            "every",
            one(Duration(Least::Second, 10 * LONG)),
            Optional,
            "An interval of elapsed time.",
        ),
        key(
            "from",
            MOMENT,
            Optional,
            "Beside `every`: what the intervals are counted from; the task's creation where absent.",
        ),
        key(
            "month",
            one(Count(1, 12)),
            Optional,
            "Fields form: the month; every month where absent.",
        ),
        key(
            "day",
            one(Count(1, 31)),
            Optional,
            "Fields form: the day of the month. A month that lacks it is passed over.",
        ),
        key(
            "hour",
            one(Count(0, 23)),
            Optional,
            "Fields form: the hour. A field left out is \"every\" where all coarser ones are left out too, and its lowest value elsewhere.",
        ),
        key(
            "minute",
            one(Count(0, 59)),
            Optional,
            "Fields form: the minute.",
        ),
        key("at", MOMENT, Optional, "Once, at this time."),
        key("after", NAME, Optional, "When this other task has ended."),
        key(
            "on",
            one(Word(&[
                ("succeeded", "when it succeeded"),
                ("failed", "when it failed, ran out of time or was lost"),
                (
                    "any",
                    "when it ended, cancelled or not; not when a fire did not run",
                ),
            ])),
            Default("\"succeeded\""),
            "Beside `after`: which end sets this task off.",
        ),
        key(
            "on_change",
            NAME,
            Optional,
            "When files below this granted directory change.",
        ),
        key(
            "settle",
            one(Duration(Least::Zero, DAY)),
            Default("\"2s\""),
            "Beside `on_change`: how long it must have been quiet.",
        ),
        key(
            "tz",
            ZONE,
            Optional,
            "Beside `cron` or the fields: an IANA time zone; UTC where absent, never the machine's.",
        ),
    ],
    one_of: &[],
    judge: Some(scalar::schedule),
};
