//! A dry run lets nothing change, whatever the plugin makes of it.

use std::fs;

use mhost_model::grant::{
    Access, DatabaseGrant, DatabaseVerb, Grants, RemoteGrant, RepositoryGrant, RepositoryVerb,
};
use serde_json::{Value, json};

use crate::support::{Attack, Went};

fn everything(grants: &mut Grants) {
    use DatabaseVerb as D;
    use RepositoryVerb as R;
    let database = DatabaseGrant {
        verbs: [
            D::Read,
            D::Write,
            D::Snapshot,
            D::Pack,
            D::Verify,
            D::Restore,
            D::Recover,
        ]
        .into(),
        tables: None,
    };
    let repository = RepositoryGrant {
        verbs: [R::Append, R::Read, R::Forget, R::Prune, R::Check].into(),
        password: "password".parse().unwrap(),
    };
    let remote = RemoteGrant {
        access: Access::ReadWrite,
    };
    grants.databases.insert("site".parse().unwrap(), database);
    grants
        .repositories
        .insert("vault".parse().unwrap(), repository);
    grants.remotes.insert("far".parse().unwrap(), remote);
}

fn attack(folder: &std::path::Path, action: &'static str, config: Value, dry: bool) -> Went {
    let attack = Attack::new(action, config)
        .dir("data", folder, Access::ReadWrite)
        .secret("password", "long enough password")
        .grants(everything);
    if dry {
        attack.dry_run().go()
    } else {
        attack.go()
    }
}

/// What only asks the drivers to look.
const LOOKS: [&str; 4] = ["open ", "read ", "verify", "forget false"];

#[test]
fn nothing_changes() {
    for (action, config, withheld) in [
        (
            "write-file",
            json!({"path": "/data/new", "bytes": 1}),
            "write /data/new",
        ),
        (
            "append-file",
            json!({"path": "/data/file", "bytes": 1}),
            "write /data/file",
        ),
        (
            "truncate",
            json!({"path": "/data/file"}),
            "write /data/file",
        ),
        ("remove", json!({"path": "/data/file"}), "remove /data/file"),
        (
            "make-directory",
            json!({"path": "/data/new"}),
            "create-directory /data/new",
        ),
        (
            "rename",
            json!({"path": "/data/file", "to": "/data/new"}),
            "rename /data/file",
        ),
        (
            "link",
            json!({"path": "/data/file", "to": "/data/new"}),
            "hard-link /data/new",
        ),
        (
            "touch",
            json!({"path": "/data/file"}),
            "set-times /data/file",
        ),
        (
            "database",
            json!({"name": "site", "verb": "put"}),
            "write database site",
        ),
        (
            "database",
            json!({"name": "site", "verb": "pack"}),
            "pack database site",
        ),
        (
            "database",
            json!({"name": "site", "verb": "restore", "path": "/data/file"}),
            "restore database site",
        ),
        (
            "database",
            json!({"name": "site", "verb": "snapshot", "path": "/data/new"}),
            "snapshot /data/new",
        ),
        (
            "database",
            json!({"name": "site", "verb": "pack-keeping"}),
            "pack database site",
        ),
        (
            "database",
            json!({"name": "site", "verb": "recover", "path": "/data/new"}),
            "recover /data/new",
        ),
        (
            "services",
            json!({"verb": "repository-create", "name": "vault"}),
            "append in repository vault",
        ),
        (
            "services",
            json!({"verb": "repository-backup", "name": "vault", "path": "/data"}),
            "append in repository vault",
        ),
        (
            "services",
            json!({"verb": "repository-restore", "name": "vault", "path": "/data"}),
            "restore /data",
        ),
        (
            "services",
            json!({"verb": "repository-forget", "name": "vault", "apply": true}),
            "forget in repository vault",
        ),
        (
            "services",
            json!({"verb": "repository-prune", "name": "vault"}),
            "prune in repository vault",
        ),
        (
            "services",
            json!({"verb": "remote-write", "name": "far", "path": "a/b"}),
            "write a/b on remote far",
        ),
        (
            "services",
            json!({"verb": "remote-delete", "name": "far", "path": "a"}),
            "delete a on remote far",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "old").unwrap();
        let went = attack(folder.path(), action, config.clone(), true);
        went.error();
        assert_eq!(
            went.finished.receipt.withheld,
            [withheld],
            "{action} {config}"
        );
        assert!(went.finished.receipt.denied.is_empty(), "{action} {config}");
        assert_eq!(
            fs::read_to_string(folder.path().join("file")).unwrap(),
            "old"
        );
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "{action} {config}"
        );
        let asked = went.fake.asked();
        let changed = asked
            .iter()
            .find(|what| !LOOKS.iter().any(|look| what.starts_with(look)));
        assert_eq!(changed, None, "{action} {config}");
        // The same in earnest goes through.
        let went = attack(folder.path(), action, config, false);
        went.report();
    }
}

#[test]
fn looking_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "old").unwrap();
    for (action, config) in [
        ("read-file", json!({"path": "/data/file"})),
        (
            "database",
            json!({"name": "site", "verb": "get", "table": "open"}),
        ),
        ("database", json!({"name": "site", "verb": "verify"})),
        (
            "services",
            json!({"verb": "repository-forget", "name": "vault"}),
        ),
        (
            "services",
            json!({"verb": "remote-read", "name": "far", "path": "a"}),
        ),
    ] {
        attack(folder.path(), action, config, true).report();
    }
}

#[test]
fn the_state_is_dropped() {
    let went = Attack::new("state", json!({"set": {"a": "1"}}))
        .dry_run()
        .go();
    assert_eq!(went.report().summary, "a");
    assert!(went.finished.state.is_empty());
}
