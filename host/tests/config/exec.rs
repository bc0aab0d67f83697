//! What `exec` is given on the command line.

use std::path::{Path, PathBuf};

use mhost::config::{ExecArgs, ExecGrants, check_exec, check_places, exec_config, exec_grants};
use mhost_engine::Protected;
use mhost_model::Fault;
use mhost_model::grant::{Access, DatabaseVerb, RepositoryVerb, SecretSource};
use mhost_model::resource::{Endpoint, Engine};
use serde_json::json;

use super::support::{name, plugins};

/// Options and their values, as they are typed.
fn args(options: &[(&str, &str)]) -> ExecArgs {
    let of = |option: &str| {
        let values = options.iter().filter(|(found, _)| *found == option);
        values.map(|(_, value)| (*value).to_owned()).collect()
    };
    ExecArgs {
        dirs: of("--dir"),
        databases: of("--db"),
        repositories: of("--repo"),
        remotes: of("--remote"),
        logins: of("--login"),
        net: of("--net"),
        secrets: of("--secret"),
        processes: of("--process"),
        commands: of("--command"),
        tasks: of("--task"),
        channels: of("--channel"),
    }
}

fn granted(options: &[(&str, &str)]) -> ExecGrants {
    exec_grants(&args(options), Path::new("/here")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_option() {
    let all = granted(&[
        ("--dir", "logs=/var/log/web:rw"),
        ("--dir", "colon=a:b/c:d:ro"),
        ("--db", "site=sqlite:data/site:1.db:read,pack"),
        (
            "--repo",
            "vault=rest:https://u@vault.example.org:8000/:append,read",
        ),
        ("--repo", "local=vault:check"),
        ("--remote", "offsite=file:///srv/off:site:rw"),
        ("--login", "vault=me:env:VAULT"),
        ("--net", "https://example.org"),
        ("--secret", "repo=file:password"),
        ("--secret", "token=env:TOKEN"),
        ("--secret", "key=credential:a:b"),
        ("--process", "web=run/nginx.pid:NONE"),
        ("--process", "mail=/run/a:b.pid:USR1"),
        ("--command", "reload=/usr/sbin/nginx  -s reopen"),
        ("--command", "blank=[\"/bin/a b\", \"c d\", \"\"]"),
        ("--task", "backup"),
        ("--channel", "mail"),
    ]);
    let grants = &all.grants;
    assert!(grants.tasks.contains(&name("backup")) && grants.channels.contains(&name("mail")));
    let dir = |wanted: &str| {
        (
            grants.dirs[&name(wanted)].path.clone(),
            grants.dirs[&name(wanted)].access,
        )
    };
    assert_eq!(
        dir("logs"),
        (PathBuf::from("/var/log/web"), Access::ReadWrite)
    );
    assert_eq!(
        dir("colon"),
        (PathBuf::from("/here/a:b/c:d"), Access::ReadOnly)
    );
    let site = &all.databases[&name("site")];
    assert_eq!(
        (site.engine, site.path.as_path()),
        (Engine::Sqlite, Path::new("/here/data/site:1.db"))
    );
    assert_eq!(
        grants.databases[&name("site")].verbs,
        [DatabaseVerb::Read, DatabaseVerb::Pack].into()
    );
    assert_eq!(
        all.repositories[&name("vault")].endpoint.url,
        "rest:https://u@vault.example.org:8000/"
    );
    let login = &all.repositories[&name("vault")].endpoint;
    assert_eq!(login.user.as_deref(), Some("me"));
    assert_eq!(login.secret, Some(SecretSource::Env("VAULT".into())));
    assert_eq!(all.repositories[&name("local")].endpoint.secret, None);
    assert_eq!(all.repositories[&name("local")].endpoint.url, "/here/vault");
    assert_eq!(
        grants.repositories[&name("local")].verbs,
        [RepositoryVerb::Check].into()
    );
    assert_eq!(
        all.remotes[&name("offsite")].endpoint.url,
        "file:///srv/off:site"
    );
    assert_eq!(grants.remotes[&name("offsite")].access, Access::ReadWrite);
    assert_eq!(grants.net.len(), 1);
    assert_eq!(
        grants.secrets[&name("repo")],
        SecretSource::File("/here/password".into())
    );
    assert_eq!(
        grants.secrets[&name("token")],
        SecretSource::Env("TOKEN".into())
    );
    assert_eq!(
        grants.secrets[&name("key")],
        SecretSource::Credential("a:b".into())
    );
    for (process, expected) in [
        (
            "web",
            json!({ "pid_file": "/here/run/nginx.pid", "signal": "NONE" }),
        ),
        (
            "mail",
            json!({ "pid_file": "/run/a:b.pid", "signal": "USR1" }),
        ),
        (
            "reload",
            json!({ "command": ["/usr/sbin/nginx", "-s", "reopen"] }),
        ),
        ("blank", json!({ "command": ["/bin/a b", "c d", ""] })),
    ] {
        let grant = &grants.processes[&name(process)];
        assert_eq!(serde_json::to_value(grant).unwrap(), expected);
    }
    assert_eq!(granted(&[]), ExecGrants::default());
}

#[test]
fn mistakes_name_the_option_and_its_form() {
    let check = |option: &str, value: &str, message: &str, help: &str| {
        let error = exec_grants(&args(&[(option, value)]), Path::new("/here")).unwrap_err();
        assert_eq!(error.count(), 1);
        let mistake = &error.mistakes[0];
        assert_eq!(mistake.message, message, "{value}");
        let said = mistake.help.clone().unwrap();
        assert!(said.contains(help), "{value}: {said}");
        let text = error.to_string();
        assert!(text.contains(&format!("the form is `{option} ")), "{text}");
        assert!(text.contains(value), "{text}");
    };
    check(
        "--dir",
        "/var/log:ro",
        "there is no `=`",
        "begin with a name",
    );
    check(
        "--dir",
        "logs=/var/log",
        "`ro` or `rw` is missing",
        "--dir NAME=PATH:ro|rw",
    );
    check(
        "--dir",
        "logs=/var/log:rx",
        "`rx` is not an access",
        "write `ro` or `rw`",
    );
    check(
        "--dir",
        "logs=~/log:ro",
        "`~/log` begins with `~`, which only a shell expands",
        "whole path",
    );
    check("--dir", "logs=:ro", "the path is empty", "write a path");
    check(
        "--dir",
        "Logs=/var/log:ro",
        "`Logs` is not a valid name",
        "lower-case",
    );
    check(
        "--db",
        "site=/srv/site.db:read",
        "the engine, the path or the verbs are missing",
        "write all three",
    );
    check(
        "--db",
        "site=mysql:/srv/site:read",
        "`mysql` is not known here",
        "`redb` or `sqlite`",
    );
    check(
        "--db",
        "site=redb:/srv/site:reed",
        "`reed` is not a verb here",
        "did you mean `read`?",
    );
    check(
        "--db",
        "site=redb:/srv/site:",
        "`` is not a verb here",
        "the verbs are",
    );
    check(
        "--db",
        "site",
        "there is no `=`",
        "--db NAME=ENGINE:PATH:VERB,VERB",
    );
    check(
        "--repo",
        "vault=/srv/vault:append,drop",
        "`drop` is not a verb here",
        "the verbs are",
    );
    check(
        "--login",
        "nowhere=me:env:X",
        "there is no `--repo` and no `--remote` named `nowhere`",
        "the name of what it is for",
    );
    check(
        "--login",
        "nowhere=:env:X",
        "the user or the secret's source is missing",
        "write both",
    );
    check(
        "--login",
        "nowhere=me:hunter2",
        "this is not a secret's source",
        "never given on the command line",
    );
    check(
        "--remote",
        "r=srv:ro",
        "`srv` is not a URL",
        "file:///srv/files",
    );
    check(
        "--remote",
        "r=memory:x",
        "`x` is not an access",
        "write `ro` or `rw`",
    );
    check(
        "--net",
        "example.org",
        "`example.org` is not an origin (no `://`)",
        "write scheme",
    );
    check(
        "--secret",
        "s=hunter2",
        "this is not a secret's source",
        "never given on the command line",
    );
    check("--secret", "s=env:", "this is empty", "write text");
    check(
        "--process",
        "web=/run/nginx.pid",
        "the signal is missing",
        "end with `:`",
    );
    check(
        "--process",
        "web=/run/nginx.pid:KILL",
        "`KILL` is not known here",
        "`NONE`",
    );
    check(
        "--command",
        "reload=nginx -s reopen",
        "`nginx` is not an absolute path",
        "whole path",
    );
    check(
        "--command",
        "reload=",
        "`` is not an absolute path",
        "whole",
    );
    check(
        "--command",
        "reload=[\"/bin/a\"",
        "this is no list of words in JSON: EOF while parsing a list at line 1 column 9",
        "reopen",
    );
    check(
        "--secret",
        "s=value:x",
        "this is not a secret's source",
        "`env:`",
    );
}

#[test]
fn a_mistake_is_shown_as_typed() {
    let error = exec_grants(
        &args(&[("--db", "site=redb:/srv/site:read,reed")]),
        Path::new("/here"),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "\
error: `reed` is not a verb here
--> --db:1:26
 |
 | site=redb:/srv/site:read,reed
 |                          ^^^^
 |
 = help: did you mean `read`?; the form is `--db NAME=ENGINE:PATH:VERB,VERB`"
    );
}

#[test]
fn names_are_given_once_and_all_mistakes_are_told() {
    let twice = [
        ("--dir", "a=/x:ro"),
        ("--dir", "a=/y:ro"),
        ("--secret", "b=env:B"),
        ("--secret", "b=env:C"),
        ("--net", "x"),
    ];
    let error = exec_grants(&args(&twice), Path::new("/here")).unwrap_err();
    assert_eq!(error.count(), 3, "{error}");
    assert!(error.mistakes[0].message.contains("`a` is given twice"));
}

#[test]
fn a_repository_needs_its_password() {
    let error = exec_grants(
        &args(&[("--repo", "vault=/srv/vault:append")]),
        Path::new("/here"),
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("--secret repo=file:PATH"),
        "{error}"
    );
}

#[test]
fn settings() {
    let check = |set: &[&str], expected: serde_json::Value| {
        let set: Vec<String> = set.iter().map(|one| (*one).to_owned()).collect();
        let found = exec_config(&set, None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(serde_json::Value::Object(found), expected, "{set:?}");
    };
    check(&[], json!({}));
    check(
        &[
            "a=1", "b=true", "c=null", "d=text", "e=", "f=\"5\"", "g=1.5",
        ],
        json!({
            "a": 1, "b": true, "c": null, "d": "text", "e": "", "f": "5", "g": 1.5
        }),
    );
    check(
        &["a.b=1", "a.c.d=x=y"],
        json!({ "a": { "b": 1, "c": { "d": "x=y" } } }),
    );
    check(
        &["targets=[{\"url\": \"https://example.org\"}]"],
        json!({ "targets": [{ "url": "https://example.org" }] }),
    );
    check(
        &["a={\"b\": 1}", "a.c=2"],
        json!({ "a": { "b": 1, "c": 2 } }),
    );
    check(
        &["logs=/logs/*.log", "list=[1"],
        json!({ "logs": "/logs/*.log", "list": "[1" }),
    );
}

#[test]
fn settings_that_contradict_each_other() {
    let check = |set: &[&str], expected: &str| {
        let set: Vec<String> = set.iter().map(|one| (*one).to_owned()).collect();
        let error = exec_config(&set, None).unwrap_err().to_string();
        assert!(
            error.contains(expected) && error.contains("the form is `--set KEY=VALUE`"),
            "{error}"
        );
    };
    check(&["a=1", "a=2"], "`a` is set already");
    check(&["a=1", "a.b=2"], "`a` is set already");
    check(&["a.b=1", "a=2"], "`a` is set already");
    check(&["a.b=1", "a.b.c=2"], "`b` is set already");
    check(&["a"], "there is no `=`");
    check(&["=1"], "a part of the key is empty");
    check(&["a..b=1"], "a part of the key is empty");
    check(
        &[&format!("{}=1", vec!["a"; 100].join("."))],
        "too many parts",
    );
}

#[test]
fn settings_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write("{ \"a\": [1] }");
    assert_eq!(
        serde_json::Value::Object(exec_config(&[], Some(&path)).unwrap()),
        json!({ "a": [1] })
    );
    let refused = |expected: &str| {
        let error = exec_config(&[], Some(&path)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    write("[1]");
    refused("not a JSON object");
    write("{\n  \"a\": 1,\n}");
    refused("config.json:3:1");
    write(&"[".repeat(10_000));
    refused("recursion limit");
    std::fs::remove_file(&path).unwrap();
    refused("there is no such file");
    let both = exec_config(&["a=1".into()], Some(&path))
        .unwrap_err()
        .to_string();
    assert!(
        both.contains("`--set` and `--config` are both given"),
        "{both}"
    );
}

#[test]
fn what_is_executed_fits_its_plugin() {
    let plugins = plugins();
    let manifest = &plugins.0[0];
    let spec = |action: &str, config: serde_json::Value, dir: bool| {
        let grants = match dir {
            true => json!({ "dirs": { "logs": { "path": "/logs", "access": "read-write" } } }),
            false => json!({}),
        };
        let spec = json!({ "plugin": "logrotate", "action": action, "schedule": "manual", "config": config, "grants": grants });
        serde_json::from_value(spec).unwrap()
    };
    assert_eq!(
        check_exec(&spec("rotate", json!({ "logs": [] }), true), manifest),
        Ok(())
    );
    let refused = |action: &str, config, dir, expected: &str| {
        let error = check_exec(&spec(action, config, dir), manifest)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(expected) && error.contains("help:"),
            "{error}"
        );
    };
    refused("rotat", json!({}), true, "has no action `rotat`");
    refused("rotate", json!({}), true, "the plugin needs `logs` here");
    refused(
        "rotate",
        json!({ "logs": [7] }),
        true,
        "key: config.logs[0]",
    );
    refused("rotate", json!({ "logs": [] }), false, "needs a directory");
}

#[test]
fn what_is_executed_keeps_off_the_state() {
    let all = granted(&[
        ("--db", "d=redb:data/d:restore"),
        ("--remote", "r=./files:ro"),
        ("--secret", "s=file:secret"),
        ("--command", "c=/bin/true"),
    ]);
    assert_eq!(misplaced(&all), Vec::<String>::new());
    let all = granted(&[
        ("--db", "d=redb:state/d:restore"),
        ("--remote", "r=file:///here:ro"),
        ("--dir", "a=.:ro"),
        ("--secret", "s=file:state/mhost.toml"),
        ("--process", "p=state/pid:HUP"),
        ("--command", "c=/here/state/x"),
    ]);
    assert_eq!(
        misplaced(&all),
        [
            "grants.dirs.a.path",
            "grants.secrets.s",
            "grants.processes.c",
            "grants.processes.p",
            "databases.d.path",
            "remotes.r.url"
        ]
    );
}

/// The keys of what is wrong with the places that were given.
fn misplaced(all: &ExecGrants) -> Vec<String> {
    let protected = Protected::new(&[PathBuf::from("/here/state")]);
    let endpoint = |_, one: &Endpoint| match one.url.starts_with("gopher:") {
        true => Err(Fault::Unsupported("there is no such remote".into())),
        false => Ok(()),
    };
    let found = check_places(all, &protected, &endpoint).err();
    let mistakes = found.into_iter().flat_map(|error| error.mistakes);
    mistakes.filter_map(|mistake| mistake.key).collect()
}

#[test]
fn what_is_executed_is_there_and_of_a_kind_that_there_is() {
    let all = granted(&[
        ("--db", "d=redb:data/d:read,pack"),
        ("--remote", "r=gopher://host/:ro"),
    ]);
    assert_eq!(misplaced(&all), ["remotes.r.url", "databases.d.path"]);
}

#[test]
fn what_an_option_lacks_is_told_as_an_option() {
    let plugins = plugins();
    let spec = json!({ "plugin": "logrotate", "action": "rotate", "schedule": "manual", "config": { "logs": [] } });
    let spec = serde_json::from_value(spec).unwrap();
    let error = check_exec(&spec, &plugins.0[0]).unwrap_err();
    let help = error.mistakes[0].help.as_deref().unwrap();
    assert!(help.starts_with("add `--dir NAME=PATH:ro|rw`; "), "{help}");
}
