//! State in memory, and a network that reaches nobody.

use std::cell::RefCell;
use std::time::Duration;

use chrono::{DateTime, Offset as _, TimeZone as _};

use super::NativeHost;
use crate::probe::{Answer, Ask, Batch, DnsAnswer, News, Probe, RecordType, TcpAnswer, TlsAnswer};
use crate::state::State;
use crate::{Error, Result};

/// Seconds east of UTC, from the database that the host has, too.
pub fn zone_offset(zone: &str, at: u64) -> Result<i32> {
    let wrong = || Error::Invalid(format!("there is no zone `{zone}` at {at}"));
    let zone: chrono_tz::Tz = zone.parse().map_err(|_| wrong())?;
    let at = i64::try_from(at)
        .ok()
        .and_then(DateTime::from_timestamp_millis);
    let at = at.ok_or_else(wrong)?;
    let offset = zone.offset_from_utc_datetime(&at.naive_utc());
    Ok(offset.fix().local_minus_utc())
}

impl State for NativeHost {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.state.borrow().get(key).cloned())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        let mut state = self.state.borrow_mut();
        state.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.state.borrow_mut().remove(key);
        Ok(())
    }

    fn keys(&self) -> Result<Vec<String>> {
        Ok(self.state.borrow().keys().cloned().collect())
    }
}

fn nobody<T>(host: &str) -> Result<T> {
    Err(Error::NotFound(format!(
        "the test has no probe, so nobody is at `{host}`"
    )))
}

impl Probe for NativeHost {
    fn tcp(&self, host: &str, _: u16, _: Option<&[u8]>, _: u32, _: Duration) -> Result<TcpAnswer> {
        nobody(host)
    }

    fn tls(&self, host: &str, _: u16, _: Option<&str>, _: Duration) -> Result<TlsAnswer> {
        nobody(host)
    }

    fn resolve(&self, name: &str, _: RecordType, _: Duration) -> Result<DnsAnswer> {
        nobody(name)
    }

    fn batch(&self, _: u32) -> Result<Box<dyn Batch + '_>> {
        Ok(Box::new(FakeBatch {
            host: self,
            asks: RefCell::default(),
        }))
    }
}

/// Answers the newest ask first, since a real one keeps no order either.
struct FakeBatch<'h> {
    host: &'h NativeHost,
    asks: RefCell<Vec<Ask>>,
}

impl Batch for FakeBatch<'_> {
    fn add(&self, asks: &[Ask]) -> Result<()> {
        self.asks.borrow_mut().extend_from_slice(asks);
        Ok(())
    }

    fn next(&self, max: u32, _: Duration) -> Result<News> {
        let mut answers = Vec::new();
        while answers.len() < max as usize {
            let Some(ask) = self.asks.borrow_mut().pop() else {
                break;
            };
            let found = (self.host.finds)(&ask);
            let presented = self.host.presented.clone().filter(|_| found.is_err());
            answers.push(Answer {
                id: ask.id,
                found,
                presented,
            });
        }
        let open = self.asks.borrow().len() as u32;
        Ok(News { answers, open })
    }
}
