//! `[channels.NAME]`, `[notify]` and `[tasks.NAME.notify]`.

use mhost_model::channel::{ChannelDef, ChannelError};
use serde_json::Value as Json;

use super::Presence::{Default, Optional, Required};
use super::Scalar::{Count, Duration, Text, Word};
use super::Shape::{Either, List, Named, Table};
use super::grants::SECRET;
use super::tables::{DAY, NAME, PATH, fixed, key, one};
use super::{Blame, Empty, Fixed, Least, Scalar, Shape};
use crate::config::mistake::Refusal;

const LINE: Shape = one(Text(1000, Empty::Refused));
/// A URL, or where it is read from.
const URL: Shape = Either(Scalar::Url, &SECRET);

/// The keys of all kinds; which of them a kind has is the model's to say.
pub(super) static CHANNEL: Fixed = Fixed {
    keys: &[
        key(
            "kind",
            one(Word(&[
                ("smtp", "a mail"),
                ("webhook", "an HTTP request"),
                ("syslog", "a line of the system's log"),
                ("journald", "an entry of the journal"),
                ("command", "a program that reads it"),
                ("dead-man", "signs of life, as healthchecks.io takes them"),
            ])),
            Required,
            "How it gets there.",
        ),
        key("host", LINE, Optional, "smtp: the mail server."),
        key(
            "port",
            one(Count(1, 65_535)),
            Optional,
            "smtp: its port; 587 for `starttls`, 465 for `implicit`, 25 for `none`.",
        ),
        key(
            "tls",
            one(Word(&[
                ("starttls", "taken up to TLS before anything is said"),
                ("implicit", "TLS from the first byte"),
                ("none", "in the clear, without a login"),
            ])),
            Default("\"starttls\""),
            "smtp: how the connection is protected.",
        ),
        key("user", LINE, Optional, "smtp: who logs in."),
        key(
            "password",
            Table(&SECRET),
            Optional,
            "smtp: with which password.",
        ),
        key("from", LINE, Optional, "smtp: the sender's address."),
        key(
            "to",
            List(&LINE, Empty::Refused),
            Optional,
            "smtp: the addresses of those who are told.",
        ),
        key(
            "url",
            URL,
            Optional,
            "webhook, dead-man: where it goes; `{ file = \"/…\" }` where the URL is a secret.",
        ),
        key(
            "preset",
            one(Word(&[
                ("json", "all that there is to say"),
                ("slack", "Slack, and what takes the same"),
                ("ntfy", "ntfy; the URL ends with the topic"),
                ("alertmanager", "Alertmanager's `/api/v2/alerts`"),
            ])),
            Default("\"json\""),
            "webhook: what is sent.",
        ),
        key(
            "template",
            one(Text(64 << 10, Empty::Refused)),
            Optional,
            "webhook: a body of your own, instead of a preset.",
        ),
        key(
            "content_type",
            LINE,
            Default("\"application/json\""),
            "webhook: what the template makes.",
        ),
        key(
            "token",
            Table(&SECRET),
            Optional,
            "webhook: sent as `Authorization: Bearer …`.",
        ),
        key(
            "headers",
            Named(&LINE),
            Optional,
            "webhook: further headers; names in lower case.",
        ),
        key(
            "ca",
            PATH,
            Optional,
            "smtp, webhook, dead-man: a PEM file with authorities to trust beside the machine's.",
        ),
        key(
            "socket",
            PATH,
            Optional,
            "syslog, journald: the socket; `/dev/log`, and `/run/systemd/journal/socket`.",
        ),
        key(
            "facility",
            one(Word(&[
                ("user", "user-level"),
                ("mail", "mail"),
                ("daemon", "daemons"),
                ("cron", "clocks"),
                ("local0", "local use"),
                ("local1", "local use"),
                ("local2", "local use"),
                ("local3", "local use"),
                ("local4", "local use"),
                ("local5", "local use"),
                ("local6", "local use"),
                ("local7", "local use"),
            ])),
            Default("\"daemon\""),
            "syslog: where the line is filed.",
        ),
        key(
            "command",
            List(&Shape::Scalar(Scalar::Argument), Empty::Refused),
            Optional,
            "command: an absolute path and its arguments; it reads JSON.",
        ),
        key(
            "group",
            one(Duration(Least::Zero, DAY)),
            Default("\"5s\""),
            "What happens within so long after something is told together with it.",
        ),
        key(
            "rate",
            one(Count(1, 100_000)),
            Default("60"),
            "Messages an hour at most; what is more waits, and is told together.",
        ),
    ],
    one_of: &[],
    judge: Some(channel),
};

fn channel(json: &Json) -> Result<(), Blame> {
    let judged = ChannelDef::read(json.clone()).and_then(|channel| mhost_channels::check(&channel));
    judged.map_err(|error: ChannelError| Blame {
        key: error.key,
        refusal: Refusal::new(error.message, error.remedy),
    })
}

pub(super) static NOTIFY: Fixed = fixed(&[
    key(
        "channels",
        List(&NAME, Empty::Allowed),
        Required,
        "Channels of `[channels]`; none where nobody is to be told.",
    ),
    key(
        "on",
        List(
            &Shape::Scalar(Word(&[
                ("failed", "a run failed or ran out of time"),
                ("lost", "a run's fate is not known"),
                ("late", "a run did not start in time"),
                ("too-long", "a run takes too long"),
                ("too-fast", "a run was suspiciously fast"),
                (
                    "overdue",
                    "no success for longer than the schedule explains",
                ),
                (
                    "degraded",
                    "a plugin says that something works, but not as it should",
                ),
                ("alert", "a plugin says that something does not work"),
                ("recovered", "what was told of is over"),
                ("started", "a run started"),
                ("succeeded", "a run succeeded"),
            ])),
            Empty::Refused,
        ),
        Optional,
        "What they are told; everything but `started` and `succeeded` where absent.",
    ),
    key(
        "repeat",
        one(Duration(Least::Second, 366 * DAY)),
        Optional,
        "What stands is told again after so long, until it is over or acknowledged.",
    ),
]);
