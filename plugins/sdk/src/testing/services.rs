//! State in memory, and a network that reaches nobody.

use std::time::Duration;

use super::NativeHost;
use crate::probe::{DnsAnswer, Probe, RecordType, TcpAnswer, TlsAnswer};
use crate::state::State;
use crate::{Error, Result};

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
}
