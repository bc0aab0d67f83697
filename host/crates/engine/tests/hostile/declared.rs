//! What an action's manifest does not declare is out of its reach, whatever is granted.

use std::fs;
use std::path::Path;

use mhost_model::grant::{
    Access, DatabaseGrant, DatabaseVerb, RemoteGrant, RepositoryGrant, RepositoryVerb,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::powers::denial;
use crate::support::{Attack, Went};

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "content").unwrap();
    folder
}

/// Everything that an attack can use is granted.
fn attack(action: &'static str, folder: &Path, config: Value) -> Went {
    use DatabaseVerb as D;
    use RepositoryVerb as R;
    let database = DatabaseGrant {
        verbs: [D::Read, D::Write, D::Pack, D::Restore, D::Snapshot].into(),
        tables: None,
    };
    let repository = RepositoryGrant {
        verbs: [R::Append, R::Read, R::Forget, R::Prune].into(),
        password: "password".parse().unwrap(),
    };
    let remote = RemoteGrant {
        access: Access::ReadWrite,
    };
    Attack::new(action, config)
        .dir("data", folder, Access::ReadWrite)
        .secret("password", "long enough password")
        .grants(|grants| {
            grants.databases.insert("site".parse().unwrap(), database);
            grants
                .repositories
                .insert("vault".parse().unwrap(), repository);
            grants.remotes.insert("far".parse().unwrap(), remote);
        })
        .go()
}

#[test]
fn a_kind_that_is_not_declared_is_denied() {
    let folder = folder();
    for (attacking, config, grant) in [
        (
            "database",
            json!({"name": "site", "verb": "info"}),
            "databases.site",
        ),
        ("secret", json!({"name": "password"}), "secrets.password"),
        (
            "services",
            json!({"name": "vault", "verb": "repository-prune"}),
            "repositories.vault",
        ),
        (
            "services",
            json!({"name": "far", "verb": "remote-read", "path": "a"}),
            "remotes.far",
        ),
    ] {
        let mut config = config;
        let declared = attack(attacking, folder.path(), config.clone());
        assert!(
            declared.finished.receipt.used.contains_key(grant),
            "{grant}"
        );
        config["attack"] = attacking.into();
        let went = attack("undeclared", folder.path(), config);
        let denial = denial(&went);
        assert!(
            denial
                .remedy
                .contains("does not declare that `undeclared` needs"),
            "{denial}"
        );
        assert!(went.finished.receipt.unused.contains(grant), "{grant}");
        assert!(went.fake.asked().is_empty(), "{grant}");
    }
    let config = json!({"attack": "read-file", "path": "/data/file"});
    let went = attack("undeclared", folder.path(), config);
    went.error();
    assert!(went.finished.receipt.unused.contains("dirs.data"));
    assert_eq!(went.finished.receipt.bytes_read, 0);
}

#[test]
fn what_is_declared_to_be_looked_at_is_not_changed() {
    let folder = folder();
    let go = |attacking: &str, mut config: Value| {
        config["attack"] = attacking.into();
        attack("looks", folder.path(), config)
    };
    for (attacking, config) in [
        ("write-file", json!({"path": "/data/new", "bytes": 1})),
        ("remove", json!({"path": "/data/file"})),
        ("truncate", json!({"path": "/data/file"})),
        (
            "database",
            json!({"name": "site", "verb": "put", "table": "open"}),
        ),
        ("database", json!({"name": "site", "verb": "pack"})),
        (
            "database",
            json!({"name": "site", "verb": "restore", "path": "/data/file"}),
        ),
        (
            "database",
            json!({"name": "site", "verb": "snapshot", "path": "/data/new"}),
        ),
        (
            "services",
            json!({"name": "far", "verb": "remote-write", "path": "a"}),
        ),
        (
            "services",
            json!({"name": "far", "verb": "remote-delete", "path": "a"}),
        ),
        (
            "services",
            json!({"name": "vault", "verb": "repository-create"}),
        ),
        (
            "services",
            json!({"name": "vault", "verb": "repository-prune"}),
        ),
        (
            "services",
            json!({"name": "vault", "verb": "repository-forget", "apply": true}),
        ),
    ] {
        let went = go(attacking, config.clone());
        went.error();
        let denied: Vec<String> = went
            .finished
            .receipt
            .denied
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(denied.len(), 1, "{config}: {denied:?}");
        assert!(
            denied[0].contains("declares that `looks` only looks at"),
            "{config}: {denied:?}"
        );
        assert!(went.fake.committed.lock().unwrap().is_empty(), "{config}");
        assert_eq!(
            fs::read_to_string(folder.path().join("file")).unwrap(),
            "content"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{config}");
        let asked = went.fake.asked();
        assert!(
            asked.iter().all(|what| what.starts_with("open")),
            "{config}: {asked:?}"
        );
    }
    for (attacking, config) in [
        ("read-file", json!({"path": "/data/file"})),
        (
            "database",
            json!({"name": "site", "verb": "get", "table": "open"}),
        ),
        (
            "services",
            json!({"name": "far", "verb": "remote-read", "path": "a"}),
        ),
        (
            "services",
            json!({"name": "vault", "verb": "repository-forget"}),
        ),
        ("secret", json!({"name": "password"})),
    ] {
        go(attacking, config).report();
    }
}
