//! The network below HTTP; see `wit/probe.wit`.

use std::time::Duration;

use crate::Result;
pub use crate::bindings::mhost::plugin::probe::{
    Certificate, DnsAnswer, RecordType, TcpAnswer, Timings, TlsAnswer,
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
}
