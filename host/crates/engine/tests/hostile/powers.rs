//! Databases, repositories, remotes, secrets: verb by verb, table by table.

use std::fs;

use mhost_model::grant::{
    Access, DatabaseGrant, DatabaseVerb, RemoteGrant, RepositoryGrant, RepositoryVerb,
};
use mhost_model::run::ErrorKind;
use mhost_model::{Denial, Fault};
use serde_json::{Value, json};

use crate::support::{Attack, Went};

fn database(config: Value, verbs: &[DatabaseVerb], tables: Option<&[&str]>) -> Attack {
    let grant = DatabaseGrant {
        verbs: verbs.iter().copied().collect(),
        tables: tables.map(|tables| tables.iter().map(|table| (*table).to_owned()).collect()),
    };
    Attack::new("database", config)
        .grants(|grants| drop(grants.databases.insert("site".parse().unwrap(), grant)))
}

/// The denial that a run failed of, which stands on its receipt.
pub fn denial(went: &Went) -> Denial {
    let error = went.error();
    assert_eq!(error.kind, ErrorKind::Denied, "{}", error.message);
    let Some(Fault::Denied(denial)) = &error.cause else {
        panic!("no denial: {:?}", error.cause);
    };
    assert!(went.finished.receipt.denied.contains(denial));
    denial.clone()
}

const VERBS: [(&str, DatabaseVerb); 7] = [
    ("info", DatabaseVerb::Read),
    ("put", DatabaseVerb::Write),
    ("snapshot", DatabaseVerb::Snapshot),
    ("pack", DatabaseVerb::Pack),
    ("verify", DatabaseVerb::Verify),
    ("restore", DatabaseVerb::Restore),
    ("recover", DatabaseVerb::Recover),
];

#[test]
fn each_verb_is_granted_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "copy").unwrap();
    for (word, verb) in VERBS {
        let path = match word {
            "snapshot" => "/data/new",
            "recover" => "/data/recovered",
            _ => "/data/file",
        };
        let config = json!({"name": "site", "verb": word, "table": "open", "path": path});
        let others: Vec<_> = VERBS
            .iter()
            .map(|(_, verb)| *verb)
            .filter(|v| *v != verb)
            .collect();
        let attack = |verbs: &[DatabaseVerb]| {
            database(config.clone(), verbs, None)
                .dir("data", folder.path(), Access::ReadWrite)
                .go()
        };
        let went = attack(&others);
        let denial = denial(&went);
        assert_eq!(
            (denial.capability.as_str(), denial.target.as_str()),
            ("database", "site")
        );
        assert!(
            denial.remedy.contains("databases.site"),
            "{}",
            denial.remedy
        );
        assert!(denial.remedy.contains(&denial.verb), "{}", denial.remedy);
        let went = attack(&[verb]);
        went.report();
        assert_eq!(
            went.finished.receipt.used["databases.site"].verbs.len(),
            1,
            "{word}"
        );
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("new")).unwrap(),
        "12345"
    );
}

#[test]
fn an_unknown_database_is_denied() {
    let went = Attack::new("database", json!({"name": "site", "verb": "info"})).go();
    assert_eq!(denial(&went).target, "site");
    assert!(went.fake.asked().is_empty());
}

#[test]
fn only_granted_tables_are_reached() {
    let both = [DatabaseVerb::Read, DatabaseVerb::Write];
    for verb in ["get", "put"] {
        let config = |table: &str| json!({"name": "site", "verb": verb, "table": table});
        database(config("open"), &both, Some(&["open"]))
            .go()
            .report();
        let went = database(config("closed"), &both, Some(&["open"])).go();
        let denial = denial(&went);
        assert_eq!(denial.target, "site/closed");
        assert!(
            denial
                .remedy
                .ends_with("databases.site.tables = [\"open\", \"closed\"]")
        );
        assert!(went.fake.committed.lock().unwrap().is_empty());
    }
    let config = json!({"name": "site", "verb": "tables"});
    assert_eq!(
        database(config, &both, Some(&["open"]))
            .go()
            .report()
            .summary,
        "open"
    );
}

#[test]
fn a_trap_half_way_leaves_nothing_of_the_transaction() {
    let config = |trap: bool| json!({"name": "site", "verb": "put", "table": "open", "trap": trap});
    let went = database(config(true), &[DatabaseVerb::Write], None).go();
    assert_eq!(went.error().kind, ErrorKind::Trap);
    assert_eq!(went.fake.asked(), ["open site", "begin-write"]);
    assert!(went.fake.committed.lock().unwrap().is_empty());
    let went = database(config(false), &[DatabaseVerb::Write], None).go();
    assert_eq!(went.fake.committed.lock().unwrap().len(), 1);
}

#[test]
fn a_transaction_is_what_it_began_as() {
    for (verb, words) in [
        ("put-in-read", "write transaction"),
        ("commit-twice", "committed already"),
    ] {
        let config = json!({"name": "site", "verb": verb, "table": "open"});
        let went = database(config, &[DatabaseVerb::Read, DatabaseVerb::Write], None).go();
        assert!(
            went.error().message.contains(words),
            "{}",
            went.error().message
        );
    }
}

#[test]
fn a_stale_run_writes_to_no_database() {
    let config = json!({"name": "site", "verb": "put", "table": "open"});
    let attack = database(config, &[DatabaseVerb::Write], None);
    attack
        .fake
        .stale
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let went = attack.go();
    assert!(
        went.error().message.contains("newer claim"),
        "{}",
        went.error().message
    );
    assert!(went.fake.committed.lock().unwrap().is_empty());
}

#[test]
fn a_restore_comes_from_a_granted_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("copy"), "content").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link")).unwrap();
    let restore = |path: &str| {
        let config = json!({"name": "site", "verb": "restore", "path": path});
        database(config, &[DatabaseVerb::Restore], None)
            .dir("data", folder.path(), Access::ReadOnly)
            .go()
    };
    let went = restore("/data/copy");
    went.report();
    assert_eq!(went.fake.asked(), ["open site", "restore content"]);
    for path in ["/data/link", "/data/../copy", "/etc/hostname", "copy"] {
        let went = restore(path);
        went.error();
        assert_eq!(went.fake.asked(), ["open site"], "{path}");
    }
}

#[test]
fn a_snapshot_needs_a_writable_grant() {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({"name": "site", "verb": "snapshot", "path": "/data/new"});
    let went = database(config, &[DatabaseVerb::Snapshot], None)
        .dir("data", folder.path(), Access::ReadOnly)
        .go();
    assert_eq!(denial(&went).capability, "directory");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

fn repository(verbs: &[RepositoryVerb], config: Value) -> Attack {
    let grant = RepositoryGrant {
        verbs: verbs.iter().copied().collect(),
        password: "password".parse().unwrap(),
    };
    Attack::new("services", config)
        .secret("password", "long enough password")
        .grants(|grants| drop(grants.repositories.insert("vault".parse().unwrap(), grant)))
}

#[test]
fn an_append_only_grant_loses_no_backup() {
    for verb in ["repository-forget", "repository-prune"] {
        let config = json!({"verb": verb, "name": "vault", "apply": true});
        let append = [
            RepositoryVerb::Append,
            RepositoryVerb::Read,
            RepositoryVerb::Check,
        ];
        let went = repository(&append, config).go();
        assert_eq!(denial(&went).capability, "repository");
        let asked = went.fake.asked();
        assert!(
            asked.iter().all(|what| what.starts_with("open")),
            "{asked:?}"
        );
    }
}

#[test]
fn a_backup_reads_granted_things_under_their_own_paths() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/file"), "content").unwrap();
    let backup = |config: Value| {
        repository(&[RepositoryVerb::Append], config)
            .dir("data", folder.path(), Access::ReadOnly)
            .grants(|grants| {
                let grant = DatabaseGrant {
                    verbs: [DatabaseVerb::Snapshot].into(),
                    tables: None,
                };
                grants.databases.insert("site".parse().unwrap(), grant);
            })
            .go()
    };
    let root = folder.path().display();
    for (path, expected) in [
        ("/data", format!("backup a folder as {root}")),
        (
            "/data/sub/file",
            format!("backup content as {root}/sub/file"),
        ),
    ] {
        let went = backup(json!({"verb": "repository-backup", "name": "vault", "path": path}));
        went.report();
        assert_eq!(went.fake.asked().last(), Some(&expected));
    }
    let went = backup(json!({"verb": "repository-backup", "name": "vault", "database": "site"}));
    went.report();
    assert_eq!(
        went.fake.asked().last().unwrap(),
        "backup 12345 as /databases/site"
    );
    for path in ["/etc", "/data/../..", "/data/none"] {
        let went = backup(json!({"verb": "repository-backup", "name": "vault", "path": path}));
        went.error();
        assert!(
            !went
                .fake
                .asked()
                .iter()
                .any(|what| what.starts_with("backup")),
            "{path}"
        );
    }
}

#[test]
fn a_repository_needs_its_password() {
    let config = json!({"verb": "repository-prune", "name": "vault"});
    let mut attack = repository(&[RepositoryVerb::Prune], config);
    attack.grants.secrets.clear();
    assert_eq!(denial(&attack.go()).target, "password");
}

#[test]
fn a_remote_is_read_only_unless_it_is_granted() {
    let remote = |verb: &str, path: &str, access: Access| {
        Attack::new(
            "services",
            json!({"verb": verb, "name": "far", "path": path}),
        )
        .grants(|grants| {
            grants
                .remotes
                .insert("far".parse().unwrap(), RemoteGrant { access });
        })
        .go()
    };
    for verb in ["remote-write", "remote-delete"] {
        let went = remote(verb, "a", Access::ReadOnly);
        assert_eq!(
            denial(&went).remedy,
            "[tasks.attack.grants] remotes.far = { access = \"read-write\" }"
        );
        assert_eq!(went.fake.asked(), ["open remote far"]);
        remote(verb, "a", Access::ReadWrite).report();
    }
    remote("remote-read", "a/b", Access::ReadOnly).report();
    remote("remote-read", "../a", Access::ReadOnly).error();
}

#[test]
fn only_granted_secrets_are_read() {
    let attack = |name: &str| {
        Attack::new("secret", json!({"name": name}))
            .secret("token", "value\n")
            .go()
    };
    assert_eq!(attack("token").report().metrics["bytes"], 5.0);
    let went = attack("other");
    assert_eq!(
        denial(&went).remedy,
        "[tasks.attack.grants] secrets.other = { file = \"/…\" }"
    );
}
