//! Databases, repositories, remotes, secrets.

use serde_json::Value;

use super::text;
use crate::exports::mhost::plugin::plugin::{Context, Failure, Report};
use crate::mhost::plugin::database::{self as host, Value as Cell};
use crate::mhost::plugin::{remote, repository, secrets};
use crate::report;

/// The length of a secret.
pub fn secret(_: &Context, config: &Value) -> Result<Report, Failure> {
    let value = secrets::get(text(config, "name"))?;
    Ok(report("read it", &[("bytes", value.len() as f64)]))
}

/// One verb on a database.
pub fn database(_: &Context, config: &Value) -> Result<Report, Failure> {
    let open = host::open(text(config, "name"))?;
    let table = text(config, "table");
    let key = [Cell::Text("key".into())];
    let path = text(config, "path");
    match text(config, "verb") {
        "info" => drop(open.info()?),
        "tables" => {
            let names: Vec<String> = open.tables()?.into_iter().map(|table| table.name).collect();
            return Ok(report(names.join(","), &[]));
        }
        "get" => drop(open.begin_read()?.get(table, &key)?),
        "put" => {
            let writing = open.begin_write()?;
            writing.put(table, &key, &[Cell::Text("value".into())])?;
            if config["trap"].as_bool().unwrap_or_default() {
                panic!("half-way");
            }
            writing.commit()?;
        }
        "put-in-read" => open.begin_read()?.put(table, &key, &[])?,
        "commit-twice" => {
            let writing = open.begin_write()?;
            writing.commit()?;
            writing.commit()?;
        }
        "snapshot" => drop(open.snapshot(path)?),
        "pack" => drop(open.pack()?),
        "verify" => drop(open.verify()?),
        "restore" => drop(open.restore(path)?),
        "pack-keeping" => drop(open.pack_keeping(host::KeepOld::UntilNext)?),
        "recover" => drop(open.recover(path, host::RecoverOptions { deleted: false })?),
        other => return Err(crate::failed(format!("no verb `{other}`"))),
    }
    Ok(report("done", &[]))
}

/// One verb on a repository or a remote.
pub fn services(_: &Context, config: &Value) -> Result<Report, Failure> {
    let (name, path) = (text(config, "name"), text(config, "path"));
    match text(config, "verb") {
        "repository-create" => drop(repository::create(name)?),
        "repository-backup" => drop(repository::open(name)?.backup(&source(config), &options())?),
        "repository-restore" => {
            drop(repository::open(name)?.restore("latest", path, &restore())?)
        }
        "repository-forget" => {
            let apply = config["apply"].as_bool().unwrap_or_default();
            drop(repository::open(name)?.forget(&keep(), apply)?);
        }
        "repository-prune" => drop(repository::open(name)?.prune()?),
        "remote-read" => drop(remote::open(name)?.read(path, 0, 10)?),
        "remote-write" => {
            let writer = remote::open(name)?.write(path)?;
            writer.write(b"data")?;
            writer.finish()?;
        }
        "remote-delete" => remote::open(name)?.delete(path)?,
        other => return Err(crate::failed(format!("no verb `{other}`"))),
    }
    Ok(report("done", &[]))
}

fn source(config: &Value) -> Vec<repository::Source> {
    let database = text(config, "database");
    if database.is_empty() {
        vec![repository::Source::Path(text(config, "path").into())]
    } else {
        vec![repository::Source::Database(database.into())]
    }
}

fn options() -> repository::BackupOptions {
    repository::BackupOptions {
        tags: Vec::new(),
        hostname: None,
        exclude: Vec::new(),
        one_file_system: false,
        parent: None,
    }
}

fn restore() -> repository::RestoreOptions {
    repository::RestoreOptions {
        paths: Vec::new(),
        delete: false,
        overwrite: false,
    }
}

fn keep() -> repository::Keep {
    repository::Keep {
        last: 1,
        hourly: 0,
        daily: 0,
        weekly: 0,
        monthly: 0,
        yearly: 0,
        within_seconds: 0,
        tags: Vec::new(),
    }
}
