//! From a store to text and back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use mhost::config::{Current, Document, Plan, TaskEntry, export, parse, plan};
use mhost_model::channel::ChannelDef;
use mhost_model::grant::*;
use mhost_model::limits::Limits;
use mhost_model::notify::{EventKind, Notify};
use mhost_model::policy::*;
use mhost_model::receive::Receiver;
use mhost_model::resource::*;
use mhost_model::schedule::{AfterOn, Fields, Schedule};
use mhost_model::task::TaskSpec;
use mhost_model::{ByteSize, Name, Span};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;

use super::support::{FILE, plugins, read, stored};

fn exported(text: &str) -> String {
    let document = read(text).unwrap_or_else(|error| panic!("{error}"));
    let (definitions, tasks) = stored(&document);
    export(&definitions, &tasks)
}

#[test]
fn tidy_text_is_what_comes_out() {
    let tidy = r#"[databases.site]
engine = "sqlite"
path = "/srv/site/site.db"

[repositories.vault]
url = "/srv/vault"

[remotes.offsite]
url = "memory:offsite"

[pools.heavy]
size = 2

[channels.ops]
kind = "smtp"
host = "mail.example.org"
user = "mhost"
password = { file = "/etc/mhost/smtp" }
from = "mhost@example.org"
to = ["ops@example.org"]

[notify]
channels = ["ops"]
repeat = "4h"

[tasks.backup-site]
plugin = "any"
action = "run"
schedule = { cron = "30 2 * * MON-FRI", tz = "Europe/Kyiv" }
description = "Every night"
config = { keep = { daily = 7, weekly = 4 }, sources = ["/content", "site"] }
holds = ["site"]
notify = { channels = ["ops"], on = ["failed", "recovered"] }

[tasks.backup-site.grants]
dirs.content = { path = "/srv/content" }
databases.site = { verbs = ["read", "snapshot"] }
repositories.vault = { verbs = ["append", "read"] }
remotes.offsite = { access = "read-write" }
net = ["https://example.org"]
secrets.repo = { file = "/etc/mhost/password" }
processes.reopen = { pid_file = "/run/nginx.pid", signal = "USR1" }

[tasks.up]
plugin = "ping"
action = "check"
schedule = { every = "5m" }
enabled = false
policy = { overlap = { queue = 2 }, pool = "heavy", retry = { attempts = 3 } }
limits = { memory = "1 GiB", time = "30s" }

[tasks.up.config]
targets = [
    { expect = 200, url = "https://example.org/a/path/that/is/long/enough" },
    { url = "https://example.org/another/path/that/is/long/enough" },
]

[tasks.up.grants]
net = ["https://example.org"]
"#;
    assert_eq!(exported(tidy), tidy);
}

#[test]
fn what_holds_anyway_is_left_out() {
    let wordy = r#"
[tasks.a]
plugin = "any"
action = "run"
schedule = { after = "b", on = "succeeded" }
enabled = true
config = {}
[tasks.a.policy]
missed = "latest"
retry = { attempts = 1 }
[tasks.a.limits]
memory = 268435456
[tasks.a.grants]
dirs.logs = { path = "/logs", access = "read-only" }
[tasks.b]
plugin = "any"
action = "run"
schedule = "manual"
"#;
    let tidy = r#"[tasks.a]
plugin = "any"
action = "run"
schedule = { after = "b" }

[tasks.a.grants]
dirs.logs = { path = "/logs" }

[tasks.b]
plugin = "any"
action = "run"
schedule = "manual"
"#;
    assert_eq!(exported(wordy), tidy);
}

#[test]
fn what_toml_cannot_say_is_a_comment() {
    let document =
        read("[tasks.a]\nplugin = \"any\"\naction = \"run\"\nschedule = \"manual\"\n").unwrap();
    let (definitions, mut tasks) = stored(&document);
    let config = serde_json::json!({ "fine": 1, "none": null, "deep": { "list": [1, null] }, "huge": u64::MAX });
    tasks[0].task.spec.config = config.as_object().unwrap().clone();
    let text = export(&definitions, &tasks);
    assert!(
        text.contains("[tasks.a.config]\n# deep cannot be said in TOML\nfine = 1\n# huge cannot"),
        "{text}"
    );
    assert_eq!(read(&text).unwrap().tasks.len(), 1);
}

fn name() -> impl Strategy<Value = Name> {
    "[a-z0-9][a-z0-9_.-]{0,5}".prop_map(|text| text.parse().unwrap())
}

/// Text with everything in it that has to be quoted, but for zero bytes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "\\PC{1,12}",
        "[\"'\\\\\n\t#={}\\[\\]. \u{7f}\u{1}]{1,8}"
    ]
}

fn path() -> impl Strategy<Value = std::path::PathBuf> {
    vec("[a-zA-Z0-9 \"'ü_][a-zA-Z0-9 \"'ü._-]{0,7}", 1..4)
        .prop_map(|parts| format!("/{}", parts.join("/")).into())
}

fn span(most: u64) -> impl Strategy<Value = Span> {
    (1..most * 1000).prop_map(|millis| Span(Duration::from_millis(millis)))
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![Just(Access::ReadOnly), Just(Access::ReadWrite)]
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Into::into),
        text().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            btree_map(text(), inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let tz = || {
        of(prop_oneof![
            Just("UTC".to_owned()),
            Just("Europe/Kyiv".to_owned())
        ])
    };
    let at = || {
        (0..4_000_000_000_000i64)
            .prop_map(|millis| chrono::DateTime::from_timestamp_millis(millis).unwrap())
    };
    let cron = prop_oneof![
        Just("0 3 * * *"),
        Just("@daily"),
        Just("*/5 0-4 1,15 * MON")
    ];
    prop_oneof![
        Just(Schedule::Manual),
        (cron, tz()).prop_map(|(cron, tz)| Schedule::Cron {
            cron: cron.to_owned(),
            tz
        }),
        (1u64..1_000_000, of(at())).prop_map(|(secs, from)| Schedule::Every {
            every: Span::seconds(secs),
            from
        }),
        (of(1u32..=12), of(1u32..=28), of(0u32..=23), 0u32..=59, tz()).prop_map(
            |(month, day, hour, minute, tz)| {
                Schedule::Fields(Fields {
                    month,
                    day,
                    hour,
                    minute: Some(minute),
                    tz,
                })
            }
        ),
        at().prop_map(|at| Schedule::Once { at }),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let missed = prop_oneof![
        Just(Missed::Latest),
        Just(Missed::Skip),
        (1u32..100).prop_map(Missed::All)
    ];
    let overlap = prop_oneof![
        Just(Overlap::Skip),
        Just(Overlap::QueueOne),
        (1u32..100).prop_map(Overlap::Queue),
        Just(Overlap::CancelPrevious),
        Just(Overlap::Allow)
    ];
    let delivery = prop_oneof![Just(Delivery::AtLeastOnce), Just(Delivery::AtMostOnce)];
    let retry = (1u32..100, span(1000), span(100_000), any::<bool>()).prop_map(
        |(attempts, backoff, max_backoff, past_next_fire)| Retry {
            attempts,
            backoff,
            max_backoff,
            past_next_fire,
        },
    );
    let expect = (of(span(1000)), of(span(1000)), of(span(1000))).prop_map(
        |(start_within, finish_within, at_least)| Expect {
            start_within,
            finish_within,
            at_least,
        },
    );
    let retry = prop_oneof![Just(Retry::default()), retry];
    let window = prop_oneof![Just(Policy::default().catch_up_window), span(1_000_000)];
    (
        missed,
        window,
        overlap,
        delivery,
        retry,
        of(span(1000)),
        of(expect),
    )
        .prop_map(
            |(missed, catch_up_window, overlap, delivery, retry, jitter, expect)| Policy {
                missed,
                catch_up_window,
                overlap,
                delivery,
                retry,
                jitter,
                expect,
                ..Policy::default()
            },
        )
}

fn limits() -> impl Strategy<Value = Limits> {
    let size = || (1u64 << 16..1 << 33).prop_map(ByteSize);
    let some = (size(), span(100_000), 1u64..1 << 60, 1u32..1000, of(size())).prop_map(
        |(memory, time, host_calls, handles, write)| Limits {
            memory,
            time,
            host_calls,
            handles,
            write,
            ..Limits::default()
        },
    );
    prop_oneof![Just(Limits::default()), some]
}

/// Grants but for those that name definitions.
fn grants() -> impl Strategy<Value = Grants> {
    let dir = (path(), access()).prop_map(|(path, access)| DirGrant { path, access });
    let origin = prop_oneof![
        Just("https://example.org"),
        Just("http://[::1]:8080"),
        Just("tcp://db.example.org:5432")
    ];
    let secret = prop_oneof![
        path().prop_map(SecretSource::File),
        text().prop_map(SecretSource::Env),
        text().prop_map(SecretSource::Credential)
    ];
    let signal = (
        path(),
        prop_oneof![
            Just(Signal::Hup),
            Just(Signal::Usr1),
            Just(Signal::Usr2),
            Just(Signal::Winch)
        ],
    );
    let process = prop_oneof![
        signal
            .prop_map(|(pid_file, signal)| ProcessGrant::Signal(SignalGrant { pid_file, signal })),
        vec(text(), 0..3).prop_map(|args| {
            let command = std::iter::once("/bin/true".to_owned())
                .chain(args)
                .collect();
            ProcessGrant::Command(CommandGrant { command })
        }),
    ];
    (
        btree_map(name(), dir, 0..3),
        btree_set(origin, 0..3),
        btree_map(name(), secret, 0..3),
        btree_map(name(), process, 0..3),
    )
        .prop_map(|(dirs, net, secrets, processes)| Grants {
            dirs,
            net: net
                .into_iter()
                .map(|origin| origin.parse().unwrap())
                .collect(),
            secrets,
            processes,
            ..Grants::default()
        })
}

fn task() -> impl Strategy<Value = TaskEntry> {
    let plugin = prop_oneof![Just("any"), Just("any@1.0.0")];
    let settings = btree_map(text(), json(), 0..4).prop_map(|map| map.into_iter().collect());
    (
        plugin,
        schedule(),
        of(text()),
        settings,
        btree_set(text(), 0..3),
        grants(),
        policy(),
        limits(),
        any::<(bool, bool)>(),
    )
        .prop_map(
            |(plugin, schedule, description, config, holds, mut grants, policy, limits, flags)| {
                TaskEntry {
                    spec: TaskSpec {
                        plugin: plugin.parse().unwrap(),
                        action: "run".into(),
                        schedule,
                        description,
                        renamed_from: None,
                        config,
                        notify: None,
                        holds: holds.into_iter().filter(|held| !held.is_empty()).collect(),
                        receive: match flags.1 {
                            true => receive(&mut grants),
                            false => BTreeMap::new(),
                        },
                        grants,
                        policy,
                        limits,
                    },
                    enabled: flags.0,
                }
            },
        )
}

/// Two receivers, and the grant that they need.
fn receive(grants: &mut Grants) -> BTreeMap<Name, Receiver> {
    let dir = DirGrant {
        path: "/srv/received".into(),
        access: Access::ReadWrite,
    };
    grants.dirs.insert("received".parse().unwrap(), dir);
    let all = serde_json::json!({
        "east": { "queues": "/received", "token": { "file": "/etc/east" } },
        "north": { "queues": "/received/more", "token": { "env": "NORTH" }, "max_item": "3 MiB", "max_waiting": 77 },
    });
    serde_json::from_value(all).unwrap()
}

/// Channels of every kind.
fn channel() -> impl Strategy<Value = ChannelDef> {
    let template = "{\"text\": {{ title }},\n \"events\": {{ events | length }}}";
    let all = vec![
        serde_json::json!({ "kind": "smtp", "host": "mail", "from": "a@b.example", "to": ["c@d.example"],
            "user": "u", "password": { "file": "/etc/p" }, "tls": "implicit", "rate": 3 }),
        serde_json::json!({ "kind": "webhook", "url": "https://example.org/x", "template": template,
            "headers": { "x-a": "b \"c\"" } }),
        serde_json::json!({ "kind": "webhook", "url": { "env": "HOOK" }, "preset": "slack" }),
        serde_json::json!({ "kind": "syslog", "facility": "local7" }),
        serde_json::json!({ "kind": "journald", "group": "1m" }),
        serde_json::json!({ "kind": "command", "command": ["/bin/page", ""] }),
    ];
    prop::sample::select(all).prop_map(|json| ChannelDef::read(json).unwrap())
}

/// With every key that is a text.
fn endpoint(url: String) -> Endpoint {
    Endpoint {
        user: Some("me".into()),
        secret: Some(SecretSource::Env("SECRET".into())),
        region: Some("there".into()),
        ca: Some("/etc/ca.pem".into()),
        ..Endpoint::at(url)
    }
}

/// Random documents that hold.
pub fn documents() -> impl Strategy<Value = Document> {
    let database = (
        prop_oneof![Just(Engine::Redb), Just(Engine::Sqlite)],
        path(),
    )
        .prop_map(|(engine, path)| DatabaseDef { engine, path });
    let repository = prop_oneof![
        // Apart from every directory that is granted: none of them has a `~`.
        path().prop_map(|path| format!("/~{}", path.display())),
        Just("rest:https://example.org/".to_owned())
    ]
    .prop_map(|url| RepositoryDef::from(endpoint(url)));
    let remote = "[a-z0-9]{1,5}".prop_map(|url| {
        RemoteDef::from(Endpoint {
            ssh: Some(vec!["/usr/bin/ssh".into(), url.clone()]),
            ..endpoint(format!("memory:{url}"))
        })
    });
    let pool = (1u32..9).prop_map(|size| PoolDef { size });
    let channels = btree_map(name(), channel(), 0..4);
    let definitions = (
        btree_map(name(), database, 0..3),
        btree_map(name(), repository, 0..3),
        btree_map(name(), remote, 0..3),
        btree_map(name(), pool, 0..3),
        channels,
    );
    (definitions, btree_map(name(), task(), 0..4), any::<u8>()).prop_map(
        |((databases, repositories, remotes, pools, channels), tasks, dice)| {
            let mut document = Document {
                databases,
                repositories,
                remotes,
                pools,
                channels,
                notify: None,
                tasks,
                warnings: Vec::new(),
            };
            connect(&mut document, dice);
            document
        },
    )
}

/// Lets tasks name each other and what is defined.
fn connect(document: &mut Document, dice: u8) {
    let names: Vec<Name> = document.tasks.keys().cloned().collect();
    let (databases, repositories) = (document.databases.clone(), document.repositories.clone());
    let channels: BTreeSet<Name> = document.channels.keys().cloned().collect();
    document.notify = (dice & 16 == 0).then(|| Notify {
        channels: channels.clone(),
        on: mhost_model::notify::news(),
        repeat: None,
    });
    for (at, task) in document.tasks.values_mut().enumerate() {
        let spec = &mut task.spec;
        spec.grants.channels = channels.iter().take(2).cloned().collect();
        spec.notify = (dice & 4 == 0).then(|| Notify {
            channels: channels.clone(),
            on: [EventKind::Lost, EventKind::Started].into(),
            repeat: (dice & 8 == 0).then(|| Span::seconds(90)),
        });
        if at > 0 && dice & 1 == 0 {
            let on = [AfterOn::Succeeded, AfterOn::Failed, AfterOn::Any][usize::from(dice) % 3];
            spec.schedule = Schedule::After {
                after: names[at - 1].clone(),
                on,
            };
        } else if let Some(dir) = spec.grants.dirs.keys().next().filter(|_| dice & 2 == 0) {
            spec.schedule = Schedule::OnChange {
                on_change: dir.clone(),
                settle: Span::seconds(dice.into()),
            };
        }
        let tables = [
            None,
            Some(Default::default()),
            Some(["a \"b\"".to_owned()].into()),
        ][usize::from(dice) % 3]
            .clone();
        let verbs = [DatabaseVerb::Read, DatabaseVerb::Restore];
        let grant = DatabaseGrant {
            verbs: verbs.into(),
            tables,
        };
        spec.grants.databases = databases
            .keys()
            .map(|name| (name.clone(), grant.clone()))
            .collect();
        if let Some(password) = spec.grants.secrets.keys().next().cloned() {
            let grant = RepositoryGrant {
                verbs: [RepositoryVerb::Append].into(),
                password,
            };
            spec.grants.repositories = repositories
                .keys()
                .map(|name| (name.clone(), grant.clone()))
                .collect();
        }
        let access = [Access::ReadOnly, Access::ReadWrite][usize::from(dice) % 2];
        spec.grants.remotes = document
            .remotes
            .keys()
            .map(|name| (name.clone(), RemoteGrant { access }))
            .collect();
        if let Some(pool) = document.pools.keys().next() {
            spec.policy.pool = pool.clone();
        }
    }
}

fn written(document: &Document) -> String {
    let (definitions, tasks) = stored(document);
    export(&definitions, &tasks)
}

fn reread(text: &str) -> Document {
    let draft = parse(text, Path::new(FILE)).unwrap_or_else(|error| panic!("{error}\n{text}"));
    draft
        .finish(&Default::default())
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_exported_says_the_same(document in documents()) {
        let text = written(&document);
        // What looks wrong in it is no part of what it says.
        let back = Document {
            warnings: Vec::new(),
            ..reread(&text)
        };
        prop_assert_eq!(&back, &document, "{}", text);
        // As tidy as it gets.
        prop_assert_eq!(written(&back), text);
    }

    #[test]
    fn applying_it_changes_nothing(document in documents()) {
        let (definitions, tasks) = stored(&document);
        let current = Current { definitions, tasks };
        let back = reread(&written(&document));
        prop_assert_eq!(plan(&back, &current, &plugins()).unwrap(), Plan::default());
    }

    /// From any store to any document, and then there is nothing left to do.
    #[test]
    fn a_plan_leads_to_the_document(new in documents(), old in documents()) {
        let (definitions, tasks) = stored(&old);
        let current = Current { definitions, tasks };
        let planned = plan(&new, &current, &plugins()).unwrap();
        let then = super::support::apply(current, &planned.edits);
        prop_assert_eq!(plan(&new, &then, &plugins()).unwrap(), Plan::default());
        // Each change is shown once, each edit with a change.
        let named: BTreeMap<_, usize> = planned.changes.iter().fold(BTreeMap::new(), |mut all, change| {
            *all.entry((change.kind as u8, change.name.clone())).or_default() += 1;
            all
        });
        prop_assert!(named.values().all(|count| *count == 1));
        prop_assert_eq!(planned.changes.len(), planned.edits.len());
    }
}
