//! Rows and answers between the contract's types and the port's.

use std::path::PathBuf;
use std::time::Duration;

use mhost_model::FaultResult;
use mhost_model::ports::database as port;

use crate::bindings::mhost::plugin::database::{
    Info, KeepOld, PackResult, Packed, Recovered, Row, Table, Value, Verdict,
};

/// Values from the guest; a huge one is refused.
pub(super) fn to_port(values: Vec<Value>) -> FaultResult<Vec<port::Value>> {
    let values: Vec<port::Value> = values.into_iter().map(value_to_port).collect();
    for value in &values {
        crate::capabilities::check_list(usize::try_from(weight(value)).unwrap_or(usize::MAX))?;
    }
    Ok(values)
}

fn value_to_port(value: Value) -> port::Value {
    match value {
        Value::Null => port::Value::Null,
        Value::Integer(number) => port::Value::Integer(number),
        Value::Real(number) => port::Value::Real(number),
        Value::Text(text) => port::Value::Text(text),
        Value::Blob(bytes) => port::Value::Blob(bytes),
    }
}

fn value(value: port::Value) -> Value {
    match value {
        port::Value::Null => Value::Null,
        port::Value::Integer(number) => Value::Integer(number),
        port::Value::Real(number) => Value::Real(number),
        port::Value::Text(text) => Value::Text(text),
        port::Value::Blob(bytes) => Value::Blob(bytes),
    }
}

/// What a value counts for, bytes.
pub(super) fn weight(value: &port::Value) -> u64 {
    match value {
        port::Value::Null => 0,
        port::Value::Integer(_) | port::Value::Real(_) => 8,
        port::Value::Text(text) => text.len() as u64,
        port::Value::Blob(bytes) => bytes.len() as u64,
    }
}

pub(super) fn size_of(row: &port::Row) -> u64 {
    row.key.iter().chain(&row.columns).map(weight).sum()
}

pub(super) fn row(row: port::Row) -> Row {
    Row {
        key: row.key.into_iter().map(value).collect(),
        columns: row.columns.into_iter().map(value).collect(),
    }
}

pub(super) fn keep_old(keep: KeepOld) -> port::KeepOld {
    match keep {
        KeepOld::No => port::KeepOld::No,
        KeepOld::UntilNext => port::KeepOld::UntilNext,
        KeepOld::Seconds(seconds) => port::KeepOld::For(Duration::from_secs(seconds)),
    }
}

pub(super) fn pack_result(result: port::PackResult) -> PackResult {
    let text = |path: PathBuf| path.display().to_string();
    PackResult {
        before: result.packed.before,
        after: result.packed.after,
        old: result.old.map(text),
        forgotten: result.forgotten.into_iter().map(text).collect(),
    }
}

pub(super) fn recovered(recovered: port::Recovered) -> Recovered {
    Recovered {
        before: recovered.before,
        after: recovered.after,
        tables: recovered.tables,
        rows: recovered.rows,
        orphans: recovered.orphans,
        rows_lost: recovered.rows_lost,
        pages_lost: recovered.pages_lost,
        findings: recovered.findings,
    }
}

pub(super) fn table(table: port::TableInfo) -> Table {
    Table {
        name: table.name,
        rows: table.rows,
        shape: table.shape,
        columns: table.columns,
    }
}

pub(super) fn info(info: port::DatabaseInfo) -> Info {
    Info {
        engine: info.engine,
        version: info.version,
        size: info.size,
        reclaimable: info.reclaimable,
    }
}

pub(super) fn packed(packed: port::Packed) -> Packed {
    Packed {
        before: packed.before,
        after: packed.after,
    }
}

pub(super) fn verdict(verdict: port::Verdict) -> Verdict {
    Verdict {
        sound: verdict.sound,
        findings: verdict.findings,
    }
}
