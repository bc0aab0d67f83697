//! State and configuration.

use serde_json::Value;

use super::{number, text};
use crate::exports::mhost::plugin::plugin::{Context, Failure, Report};
use crate::wasi::config::store as config_store;
use crate::wasi::keyvalue::store;
use crate::{failed, report};

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        failed(format!("state: {error:?}"))
    }
}

/// Reads and changes the state, and reports all keys in order.
pub fn state(_: &Context, config: &Value) -> Result<Report, Failure> {
    let bucket = store::open(text(config, "bucket"))?;
    for (key, value) in config["set"].as_object().into_iter().flatten() {
        match value.as_str() {
            Some(value) => bucket.set(key, value.as_bytes())?,
            None => bucket.delete(key)?,
        }
    }
    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let page = bucket.list_keys(cursor.as_deref())?;
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(report(keys.join(","), &[("keys", keys.len() as f64)]))
}

/// Sets `times` values of `bytes` bytes.
pub fn huge(_: &Context, config: &Value) -> Result<Report, Failure> {
    let bucket = store::open("")?;
    let value = vec![7u8; usize::try_from(number(config, "bytes")).unwrap_or_default()];
    for at in 0..number(config, "times") {
        bucket.set(&format!("key {at}"), &value)?;
    }
    Ok(report("set", &[]))
}

/// Opens the bucket so many times and closes none.
pub fn buckets(_: &Context, config: &Value) -> Result<Report, Failure> {
    let mut open = Vec::new();
    for _ in 0..number(config, "times") {
        open.push(store::open("default")?);
    }
    Ok(report("opened", &[("buckets", open.len() as f64)]))
}

/// One key of the flat configuration.
pub fn config(_: &Context, config: &Value) -> Result<Report, Failure> {
    let found = config_store::get(text(config, "ask"));
    let found = found.map_err(|error| failed(format!("{error:?}")))?;
    Ok(report(found.unwrap_or_else(|| "nothing".into()), &[]))
}
