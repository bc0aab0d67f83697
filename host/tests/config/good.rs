//! Files that hold, and what they say.

use std::path::{Path, PathBuf};

use mhost::config::{Checks, Document, parse};
use mhost_model::grant::{Access, SecretSource};
use mhost_model::policy::{Missed, Overlap};
use mhost_model::schedule::{AfterOn, Schedule};
use mhost_model::{ByteSize, Span};

use super::support::{name, read};

fn good(text: &str) -> Document {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A task with one more line.
fn with(line: &str) -> Document {
    good(&format!(
        "[tasks.a]\nplugin = \"any\"\naction = \"run\"\nschedule = \"manual\"\n{line}\n"
    ))
}

#[test]
fn an_empty_file_is_an_empty_document() {
    assert_eq!(good(""), Document::default());
    assert_eq!(
        good("\u{feff}# nothing but a comment\r\n"),
        Document::default()
    );
}

#[test]
fn every_schedule_form() {
    let check = |text: &str, expected: Schedule| {
        let document = good(&format!(
            "[tasks.a]\nplugin = \"any\"\naction = \"run\"\nschedule = {text}\n\
             grants.dirs.content = {{ path = \"/srv/content\" }}\n\
             [tasks.b]\nplugin = \"any\"\naction = \"run\"\nschedule = \"manual\"\n"
        ));
        assert_eq!(document.tasks[&name("a")].spec.schedule, expected, "{text}");
    };
    let at = "2026-12-01T03:00:00Z".parse().unwrap();
    check("\"manual\"", Schedule::Manual);
    check(
        "\"@daily\"",
        Schedule::Cron {
            cron: "@daily".into(),
            tz: None,
        },
    );
    check(
        "{ cron = \"30 2 * * MON-FRI\", tz = \"Europe/Kyiv\" }",
        Schedule::Cron {
            cron: "30 2 * * MON-FRI".into(),
            tz: Some("Europe/Kyiv".into()),
        },
    );
    check(
        "{ every = \"6h\" }",
        Schedule::Every {
            every: Span::seconds(6 * 3600),
            from: None,
        },
    );
    check("{ at = \"2026-12-01T03:00:00Z\" }", Schedule::Once { at });
    check("{ at = 2026-12-01T05:00:00+02:00 }", Schedule::Once { at });
    check(
        "{ at = 2026-12-01 03:00:00.000999Z }",
        Schedule::Once { at },
    );
    check(
        "{ after = \"b\" }",
        Schedule::After {
            after: name("b"),
            on: AfterOn::Succeeded,
        },
    );
    check(
        "{ on_change = \"content\", settle = \"5s\" }",
        Schedule::OnChange {
            on_change: name("content"),
            settle: Span::seconds(5),
        },
    );
    let fields = mhost_model::schedule::Fields {
        month: Some(8),
        day: Some(31),
        minute: Some(11),
        ..Default::default()
    };
    check(
        "{ month = 8, day = 31, minute = 11 }",
        Schedule::Fields(fields),
    );
}

#[test]
fn policies_limits_and_grants() {
    let document = with(
        r#"enabled = false
policy = { missed = { all = 3 }, overlap = "queue-one", catch_up_window = "0s" }
limits = { memory = 1048576, time = "1h 30m", write = "10 GB", log = 0 }

[tasks.a.grants]
dirs.logs = { path = "/var/log//web/." }
net = ["HTTPS://Example.org:443/", "http://[::1]:8080"]
secrets.one = { file = "secret" }
secrets.two = { env = "TOKEN" }
processes.web = { pid_file = "/run/web.pid", signal = "USR1" }
processes.reopen = { command = ["/usr/sbin/nginx", "-s", "reopen"] }
"#
        .replace("HTTPS", "https")
        .as_str(),
    );
    let task = &document.tasks[&name("a")];
    assert!(!task.enabled);
    let spec = &task.spec;
    assert_eq!(spec.policy.missed, Missed::All(3));
    assert_eq!(spec.policy.overlap, Overlap::QueueOne);
    assert_eq!(spec.limits.memory, ByteSize::mib(1));
    assert_eq!(spec.limits.time, Span::seconds(5400));
    assert_eq!(spec.limits.write, Some(ByteSize(10_000_000_000)));
    let logs = &spec.grants.dirs[&name("logs")];
    assert_eq!(
        (logs.path.as_path(), logs.access),
        (Path::new("/var/log/web"), Access::ReadOnly)
    );
    let net: Vec<String> = spec.grants.net.iter().map(ToString::to_string).collect();
    assert_eq!(net, ["http://[::1]:8080", "https://example.org"]);
    let secret = &spec.grants.secrets[&name("one")];
    assert_eq!(
        *secret,
        SecretSource::File(PathBuf::from("/etc/mhost/secret"))
    );
    assert_eq!(spec.grants.processes.len(), 2);
}

#[test]
fn relative_paths_are_taken_from_the_files_folder() {
    let text = r#"
[databases.site]
engine = "sqlite"
path = "data/site.db"
[repositories.here]
url = "../vault"
[repositories.there]
url = "rest:https://vault.example.org/"
[repositories.local]
url = "local:vault"
[repositories.file]
url = "file:///srv/vault"
[remotes.memory]
url = "memory:offsite"
[remotes.below]
url = "./files"
"#;
    let read = |file: &str| {
        let draft = parse(text, Path::new(file)).unwrap();
        draft.finish(&Default::default()).unwrap()
    };
    let document = read("/srv/demo/mhost.toml");
    assert_eq!(
        document.databases[&name("site")].path,
        Path::new("/srv/demo/data/site.db")
    );
    assert_eq!(
        document.repositories[&name("here")].endpoint.url,
        "/srv/demo/../vault"
    );
    assert_eq!(
        document.repositories[&name("there")].endpoint.url,
        "rest:https://vault.example.org/"
    );
    assert_eq!(
        document.repositories[&name("local")].endpoint.url,
        "/srv/demo/vault"
    );
    assert_eq!(
        document.repositories[&name("file")].endpoint.url,
        "/srv/vault"
    );
    assert_eq!(
        document.remotes[&name("below")].endpoint.url,
        "/srv/demo/files"
    );
    assert_eq!(
        document.remotes[&name("memory")].endpoint.url,
        "memory:offsite"
    );
    // A file that is itself named relatively.
    let here = std::env::current_dir().unwrap().join("data/site.db");
    assert_eq!(read("mhost.toml").databases[&name("site")].path, here);
}

#[test]
fn a_plugins_settings_are_taken_as_they_stand() {
    let document = with(
        r#"config = { text = "a", list = [1, 2.5, true, { deep = 0x1F }], "odd key" = "\u0041" }"#,
    );
    let expected = serde_json::json!({
        "text": "a", "list": [1, 2.5, true, { "deep": 31 }], "odd key": "A"
    });
    assert_eq!(
        serde_json::Value::Object(document.tasks[&name("a")].spec.config.clone()),
        expected
    );
}

#[test]
fn what_only_looks_wrong_is_a_warning() {
    let document = good(
        r#"
[tasks.web]
plugin = "logrotate"
action = "rotate"
schedule = "manual"
config = { logs = ["/logs/*.log"] }
grants.dirs.logs = { path = "/var/log/web" }
grants.net = ["https://example.org"]
"#,
    );
    let texts: Vec<String> = document.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].starts_with("warning: the action `rotate` changes what it is granted here"),
        "{}",
        texts[0]
    );
    assert!(
        texts[0].contains("mhost.toml:7:8") && texts[0].contains("tasks.web.grants.dirs"),
        "{}",
        texts[0]
    );
    assert!(
        texts[1].starts_with("warning: the action `rotate` asks for no network peer"),
        "{}",
        texts[1]
    );
}

#[test]
fn a_policy_against_itself_is_a_warning() {
    let policy = "policy.retry = { attempts = 3, backoff = \"2h\" }\n\
                  policy.expect = { at_least = \"10m\", finish_within = \"5m\" }";
    let warnings = with(policy).warnings;
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let texts = texts.join("\n");
    for expected in [
        "no attempt waits longer than `max_backoff`, 1h",
        "every run is too fast or too long: `finish_within` is 5m",
    ] {
        assert!(texts.contains(expected), "{texts}");
    }
    let sound =
        "policy.retry = { attempts = 3, backoff = \"1h\" }\npolicy.expect = { at_least = \"1s\" }";
    assert!(with(sound).warnings.is_empty());
}

#[test]
fn plugins_are_named_once() {
    let text = "[tasks.a]\nplugin = \"x@1\"\naction = \"r\"\nschedule = \"manual\"\n".to_owned()
        + "[tasks.b]\nplugin = \"x@1\"\naction = \"r\"\nschedule = \"manual\"\nunknown = 1\n";
    let draft = parse(&text, Path::new("/f")).unwrap();
    let plugins: Vec<String> = draft.plugins().iter().map(ToString::to_string).collect();
    assert_eq!(plugins, ["x@1"]);
}

#[test]
fn refused_grants_are_told_at_their_line() {
    use mhost_model::Fault;
    let text = "[tasks.a]\nplugin = \"any\"\naction = \"run\"\nschedule = \"manual\"\n[tasks.a.grants]\n\
                dirs.fine = { path = \"/srv/fine\" }\ndirs.state = { path = \"/srv/state\" }\n";
    let refused = |grants: &mhost_model::grant::Grants| -> Vec<Fault> {
        let bad = grants
            .dirs
            .iter()
            .filter(|(_, grant)| grant.path.ends_with("state"));
        bad.map(|(name, _)| {
            Fault::Invalid(format!("dirs.{name}: it is mhost's own; grant another"))
        })
        .collect()
    };
    let draft = parse(text, Path::new("/f/mhost.toml")).unwrap();
    let error = draft
        .finish(&Checks {
            plugins: Some(&super::support::plugins()),
            refused: Some(&refused),
            ..Checks::default()
        })
        .unwrap_err();
    assert_eq!(error.count(), 1);
    let mistake = &error.mistakes[0];
    assert_eq!(mistake.line, Some(7));
    assert_eq!(
        mistake.key.as_deref(),
        Some("tasks.a.grants.dirs.state.path")
    );
    assert_eq!(mistake.message, "it is mhost's own");
    assert_eq!(mistake.help.as_deref(), Some("grant another"));
}
