//! The network below HTTP; see `wit/probe.wit`.

use std::time::Duration;

use crate::Result;
pub use crate::bindings::mhost::plugin::probe::{
    Answer, Ask, Certificate, DnsAnswer, DnsAsk, DnsFound, Family, Found, HttpAsk, HttpFound,
    HttpVersion, IcmpAsk, IcmpFound, News, Phases, Question, RecordType, TcpAnswer, TcpAsk,
    TcpFound, TcpStep, Timings, TlsAnswer, TlsAsk, TlsFacts, TlsFound, TlsOptions,
};

/// Probes, each within its timeout.
pub trait Probe {
    /// Connects, optionally sends, and reads up to `max_bytes`; with 0 it returns
    /// once connected.
    fn tcp(
        &self,
        host: &str,
        port: u16,
        send: Option<&[u8]>,
        max_bytes: u32,
        timeout: Duration,
    ) -> Result<TcpAnswer>;
    /// Shakes hands and reports the certificates, trusted or not.
    fn tls(
        &self,
        host: &str,
        port: u16,
        server_name: Option<&str>,
        timeout: Duration,
    ) -> Result<TlsAnswer>;
    fn resolve(&self, name: &str, kind: RecordType, timeout: Duration) -> Result<DnsAnswer>;
    /// Begins a batch with at most `limit` (1 to 1024) probes at the same time.
    fn batch(&self, limit: u32) -> Result<Box<dyn Batch + '_>>;
}

/// Many probes at the same time. Dropping it ends those that are under way.
pub trait Batch {
    /// Begins with these as soon as there is room.
    fn add(&self, asks: &[Ask]) -> Result<()>;
    /// Waits until an ask is answered or the time is up, and hands out at most `max` answers.
    fn next(&self, max: u32, wait: Duration) -> Result<News>;
}
