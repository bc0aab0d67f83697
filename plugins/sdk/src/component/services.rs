//! Probes, alerts, the other tasks, and the task's state.

use std::time::Duration;

use super::Imports;
use crate::alerts::{Alerts, Message, Severity};
use crate::bindings::mhost::plugin::{alerts, probe, tasks, watch};
use crate::bindings::wasi::keyvalue::store::{self, Bucket};
use crate::probe::{Ask, Batch, DnsAnswer, News, Probe, RecordType, TcpAnswer, TlsAnswer};
use crate::state::State;
use crate::tasks::{Hold, TaskState, Tasks};
use crate::watch::{Observation, Summary, Watch};
use crate::{Error, Result};

fn millis(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_millis())
        .unwrap_or(u32::MAX)
        .max(1)
}

impl Probe for Imports {
    fn tcp(
        &self,
        host: &str,
        port: u16,
        send: Option<&[u8]>,
        max_bytes: u32,
        timeout: Duration,
    ) -> Result<TcpAnswer> {
        probe::tcp(host, port, send, max_bytes, millis(timeout))
    }

    fn tls(
        &self,
        host: &str,
        port: u16,
        server_name: Option<&str>,
        timeout: Duration,
    ) -> Result<TlsAnswer> {
        probe::tls(host, port, server_name, millis(timeout))
    }

    fn resolve(&self, name: &str, kind: RecordType, timeout: Duration) -> Result<DnsAnswer> {
        probe::resolve(name, kind, millis(timeout))
    }

    fn batch(&self, limit: u32) -> Result<Box<dyn Batch + '_>> {
        Ok(Box::new(probe::open_batch(limit)?))
    }
}

impl Batch for probe::Batch {
    fn add(&self, asks: &[Ask]) -> Result<()> {
        probe::Batch::add(self, asks)
    }

    fn next(&self, max: u32, wait: Duration) -> Result<News> {
        probe::Batch::next(self, max, millis(wait))
    }
}

impl Watch for Imports {
    fn recall(&self, subjects: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        watch::recall(subjects)
    }

    fn observe(&self, observations: &[Observation]) -> Result<()> {
        watch::observe(observations)
    }

    fn summaries(&self) -> Result<Vec<Summary>> {
        watch::summaries()
    }

    fn in_window(&self, schedule: &str, length: Duration, at: u64) -> Result<Option<u64>> {
        let length = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        watch::in_window(schedule, length, at)
    }
}

impl Alerts for Imports {
    fn raise(
        &self,
        key: &str,
        severity: Severity,
        message: &str,
        details: Option<&str>,
    ) -> Result<()> {
        alerts::raise(key, severity, message, details)
    }

    fn resolve(&self, key: &str, message: &str) -> Result<()> {
        alerts::resolve(key, message)
    }

    fn silence(&self, key: &str) -> Result<()> {
        alerts::silence(key)
    }

    fn send(&self, channel: &str, id: &str, message: &Message) -> Result<()> {
        alerts::send(channel, id, message)
    }
}

impl Tasks for Imports {
    fn holders(&self, target: &str) -> Result<Vec<Hold>> {
        tasks::holders(target)
    }

    fn holders_of(&self, targets: &[String]) -> Result<Vec<Vec<Hold>>> {
        tasks::holders_of(targets)
    }

    fn status(&self, task: &str) -> Result<TaskState> {
        tasks::status(task)
    }
}

/// The one bucket that a task has.
fn bucket() -> Result<Bucket> {
    store::open("default").map_err(failed("open the task's state"))
}

fn failed(operation: &'static str) -> impl FnOnce(store::Error) -> Error {
    move |error| match error {
        store::Error::Other(why) => Error::Failed(format!("cannot {operation}: {why}")),
        store::Error::NoSuchStore => Error::NotFound(format!("cannot {operation}: there is none")),
        store::Error::AccessDenied => Error::Failed(format!("cannot {operation}: access denied")),
    }
}

impl State for Imports {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        bucket()?.get(key).map_err(failed("read the task's state"))
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        bucket()?
            .set(key, value)
            .map_err(failed("write the task's state"))
    }

    fn delete(&self, key: &str) -> Result<()> {
        bucket()?
            .delete(key)
            .map_err(failed("write the task's state"))
    }

    fn keys(&self) -> Result<Vec<String>> {
        let bucket = bucket()?;
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let page = bucket.list_keys(cursor.as_deref());
            let page = page.map_err(failed("list the task's state"))?;
            keys.extend(page.keys);
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(keys),
            }
        }
    }
}
