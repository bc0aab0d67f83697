//! `[tasks.NAME.policy]` and `[tasks.NAME.limits]`.

use super::Presence::{Default, Optional, Required};
use super::Scalar::{Count, Duration, Size, Word};
use super::Shape::{Either, Table};
use super::tables::{BOOL, DAY, LONG, NAME, fixed, key, one};
use super::{Fixed, Least};

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

pub(super) static POLICY: Fixed = fixed(&[
    key(
        "missed",
        Either(
            Word(&[("latest", "the newest runs once"), ("skip", "none runs")]),
            &MISSED,
        ),
        Default("\"latest\""),
        "Fires that came due while nobody looked.",
    ),
    key(
        "catch_up_window",
        one(Duration(Least::Zero, LONG)),
        Default("\"1day\""),
        "A missed fire that is older never runs.",
    ),
    key(
        "overlap",
        Either(
            Word(&[
                ("skip", "it is skipped"),
                ("queue-one", "one waits"),
                ("cancel-previous", "the living run is cancelled"),
                ("allow", "both run"),
            ]),
            &OVERLAP,
        ),
        Default("\"skip\""),
        "A fire that comes due while a run of the task is alive.",
    ),
    key(
        "pool",
        NAME,
        Default("\"default\""),
        "The pool of `[pools]` whose slots its runs take.",
    ),
    key(
        "delivery",
        one(Word(&[
            (
                "at-least-once",
                "a fire that a crash cut off is tried again",
            ),
            ("at-most-once", "it is `lost`"),
        ])),
        Default("\"at-least-once\""),
        "What a crash in the middle of a run leads to.",
    ),
    key(
        "retry",
        Table(&RETRY),
        Default("{}"),
        "Retries of one fire.",
    ),
    key(
        "jitter",
        one(Duration(Least::Zero, 31 * DAY)),
        Optional,
        "The fire starts up to this much later, always by the same offset.",
    ),
    key(
        "expect",
        Table(&EXPECT),
        Optional,
        "What a run is expected to be like; each disappointment is an alert.",
    ),
]);

static MISSED: Fixed = fixed(&[key(
    "all",
    one(Count(1, 100_000)),
    Required,
    "The newest so many run.",
)]);

static OVERLAP: Fixed = fixed(&[key(
    "queue",
    one(Count(1, 10_000)),
    Required,
    "So many wait.",
)]);

static RETRY: Fixed = fixed(&[
    key(
        "attempts",
        one(Count(1, 1_000)),
        Default("1"),
        "Tries in all; 1 is no retry.",
    ),
    key(
        "backoff",
        one(Duration(Least::Zero, 31 * DAY)),
        Default("\"30s\""),
        "Wait before the second try; doubles with each further one.",
    ),
    key(
        "max_backoff",
        one(Duration(Least::Zero, 31 * DAY)),
        Default("\"1h\""),
        "The wait never grows beyond this.",
    ),
    key(
        "past_next_fire",
        BOOL,
        Default("false"),
        "Whether a retry may come after the next fire is due.",
    ),
]);

static EXPECT: Fixed = fixed(&[
    key(
        "start_within",
        one(Duration(Least::Millisecond, LONG)),
        Optional,
        "From the due time to the start.",
    ),
    key(
        "finish_within",
        one(Duration(Least::Millisecond, LONG)),
        Optional,
        "From the start to the end.",
    ),
    key(
        "at_least",
        one(Duration(Least::Millisecond, LONG)),
        Optional,
        "A run that ends sooner has probably done nothing.",
    ),
]);

pub(super) static LIMITS: Fixed = fixed(&[
    key(
        "memory",
        one(Size(64 * KIB, 64 * GIB)),
        Default("\"256 MiB\""),
        "All memories and tables of the plugin together.",
    ),
    key(
        "time",
        one(Duration(Least::Millisecond, 366 * DAY)),
        Default("\"1h\""),
        "Wall-clock time of one attempt.",
    ),
    key(
        "host_calls",
        one(Count(1, i64::MAX)),
        Default("100000000"),
        "Calls from the plugin into the host.",
    ),
    key(
        "handles",
        one(Count(1, 1_000_000)),
        Default("1024"),
        "Open files, transactions, requests and other handles at one time.",
    ),
    key(
        "log",
        one(Size(0, GIB)),
        Default("\"1 MiB\""),
        "Bytes of log and output that are kept; the rest is counted and cut.",
    ),
    key(
        "write",
        one(Size(0, 1 << 60)),
        Optional,
        "Bytes that all writes may add up to; unlimited where absent.",
    ),
    key(
        "free_space",
        one(Size(0, 1 << 60)),
        Default("\"64 MiB\""),
        "A write is refused when the file system would be left with less.",
    ),
]);
