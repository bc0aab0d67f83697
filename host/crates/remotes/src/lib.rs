//! Storage elsewhere behind the port [`mhost_model::ports::remote`]: a directory, an SFTP server, a
//! service of OpenDAL's, or restic's REST server.
//!
//! A directory is reached through cap-std, not through OpenDAL's own file service,
//! which follows a symbolic link wherever it leads: nothing below a remote's root
//! can lead out of it here, whoever plants it and when. Who may ask for what is the
//! engine's to decide.
//!
//! What breaks on the way is tried again with growing waits, as far as it can be done twice;
//! nothing waits for ever. All methods block, and must be called off the async threads.

mod folder;
mod http;
mod listing;
mod path;
mod rest;
mod service;
mod sftp;
#[cfg(test)]
mod tests;
mod url;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mhost_model::ports::remote::{Remote, Remotes};
use mhost_model::ports::run::Secrets;
use mhost_model::resource::{Endpoint, RemoteDef};
use mhost_model::{Fault, FaultResult, Name};

use crate::rest::Rest;
use crate::service::Service;
use crate::sftp::Sftp;
use crate::url::Location;
use crate::worker::Worker;

/// The configured remotes.
pub struct NamedRemotes {
    defs: BTreeMap<Name, RemoteDef>,
    secrets: Arc<dyn Secrets>,
    /// Runs what services do; started by the first that is opened.
    worker: Arc<Worker>,
}

impl fmt::Debug for NamedRemotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = f.debug_set().entries(self.defs.keys()).finish();
        names.and_then(|()| f.write_str(" as remotes"))
    }
}

/// Who logs in at a server, and with what.
#[derive(Clone)]
pub(crate) struct Login {
    user: String,
    secret: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login of {}", self.user)
    }
}

impl NamedRemotes {
    /// The remotes of the configuration, by name, and where the secrets of logins are read. Opens
    /// nothing, starts nothing.
    pub fn new(defs: BTreeMap<Name, RemoteDef>, secrets: Arc<dyn Secrets>) -> Self {
        Self {
            defs,
            secrets,
            worker: Arc::default(),
        }
    }

    /// What the endpoint says of the user, or its URL.
    fn login(&self, endpoint: &Endpoint, in_url: Option<&String>) -> FaultResult<Option<Login>> {
        let user = endpoint.user.as_ref().or(in_url).cloned();
        let secret = endpoint.secret.as_ref();
        let secret = secret.map(|source| self.secrets.read(source)).transpose()?;
        Ok(user
            .zip(secret)
            .map(|(user, secret)| Login { user, secret }))
    }

    fn service(&self, endpoint: &Endpoint) -> FaultResult<Box<dyn Remote>> {
        let worker = Arc::clone(&self.worker);
        let client = || http::client(endpoint.ca.as_deref());
        Ok(match judged(endpoint)? {
            Location::Folder(path) => Box::new(folder::Folder::open(&path)?),
            Location::Memory(name) => Box::new(Service::memory(&name, worker)?),
            Location::S3(bucket) => {
                let login = self.login(endpoint, None)?;
                let region = endpoint.region.as_deref();
                Box::new(Service::s3(
                    client()?,
                    &bucket,
                    region,
                    login.as_ref(),
                    worker,
                )?)
            }
            Location::WebDav(site) => {
                let login = self.login(endpoint, site.user.as_ref())?;
                Box::new(Service::webdav(client()?, &site, login.as_ref(), worker)?)
            }
            Location::Rest(site) => {
                let login = self.login(endpoint, site.user.as_ref())?;
                Box::new(Rest::new(client()?, site, login, worker))
            }
            Location::Sftp(server) => {
                let ssh = endpoint.ssh.clone();
                let ssh = ssh.unwrap_or_else(|| vec!["ssh".to_owned()]);
                Box::new(Sftp::new(server, ssh, worker))
            }
        })
    }
}

/// Says what is wrong with a remote, without reaching for it.
pub fn check(endpoint: &Endpoint) -> FaultResult<()> {
    match judged(endpoint)? {
        Location::Rest(_) => Err(only_for_repositories()),
        _ => Ok(()),
    }
}

/// The same for a repository that is no folder.
pub fn check_repository(endpoint: &Endpoint) -> FaultResult<()> {
    judged(endpoint).map(drop)
}

fn only_for_repositories() -> Fault {
    Fault::Unsupported(
        "`rest:` reaches restic's REST server, which keeps repositories and nothing else: write it in \
         `[repositories]`"
            .into(),
    )
}

/// Where it is, if its keys go together.
fn judged(endpoint: &Endpoint) -> FaultResult<Location> {
    let location = Location::parse(&endpoint.url)?;
    let invalid = |text: &str| Err(Fault::Invalid(text.to_owned()));
    let in_url = match &location {
        Location::WebDav(site) | Location::Rest(site) => site.user.as_ref(),
        _ => None,
    };
    let http = matches!(
        location,
        Location::WebDav(_) | Location::Rest(_) | Location::S3(_)
    );
    if !http && (endpoint.user.is_some() || endpoint.secret.is_some()) {
        return invalid("`user` and `secret` belong to `s3:`, `webdav:` and `rest:`");
    }
    if in_url.is_some() && endpoint.user.is_some() {
        return invalid("the user stands in the URL and in `user`: leave one out");
    }
    match (
        endpoint.user.is_some() || in_url.is_some(),
        endpoint.secret.is_some(),
    ) {
        (true, false) => {
            return invalid("there is a user without `secret`: say where the password is");
        }
        (false, true) => return invalid("there is `secret` without `user`: say whose it is"),
        _ => {}
    }
    if !http && endpoint.ca.is_some() {
        return invalid("`ca` belongs to `s3:`, `webdav:` and `rest:`");
    }
    if endpoint.region.is_some() && !matches!(location, Location::S3(_)) {
        return invalid("`region` belongs to `s3:`");
    }
    if endpoint.ssh.is_some() && !matches!(location, Location::Sftp(_)) {
        return invalid("`ssh` belongs to `sftp:`");
    }
    Ok(location)
}

impl Remotes for NamedRemotes {
    fn open(&self, name: &Name) -> FaultResult<Box<dyn Remote>> {
        let def = self.defs.get(name).ok_or_else(|| {
            Fault::NotFound(format!(
                "no remote `{name}` is configured: add `[remotes.{name}]`"
            ))
        })?;
        check(&def.endpoint)?;
        self.service(&def.endpoint)
    }

    fn open_endpoint(&self, endpoint: &Endpoint) -> FaultResult<Box<dyn Remote>> {
        self.service(endpoint)
    }
}

/// Entries of one page.
const PAGE: std::ops::RangeInclusive<u32> = 1..=1000;
/// Bytes of one read.
const CHUNK: u32 = 256 << 10;

fn check_limit(limit: u32) -> FaultResult<usize> {
    if !PAGE.contains(&limit) {
        return Err(Fault::Invalid(format!(
            "a page holds 1 to 1000 entries, not {limit}"
        )));
    }
    Ok(limit as usize)
}
