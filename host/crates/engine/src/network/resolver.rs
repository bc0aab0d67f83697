//! Names to addresses, by the machine's own resolver.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;

use async_trait::async_trait;
use domain::resolv::stub::conf::ResolvConf;
use mhost_model::FaultResult;

use super::records::{self, RecordKind};

/// Answers for names. What it answers is not trusted: addresses are checked after.
#[async_trait]
pub trait Resolver: Send + Sync + Debug {
    /// The addresses of a host, in the order to try them.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;

    /// Records other than addresses, each in its presentation form.
    async fn records(&self, name: &str, kind: RecordKind) -> FaultResult<Vec<String>>;
}

/// The machine's resolver: `/etc/hosts`, the name service switch and the servers of
/// `/etc/resolv.conf`.
#[derive(Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        let mut addresses = Vec::new();
        for address in found.map(|found| found.ip()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }

    async fn records(&self, name: &str, kind: RecordKind) -> FaultResult<Vec<String>> {
        records::ask(ResolvConf::default(), name, kind).await
    }
}
