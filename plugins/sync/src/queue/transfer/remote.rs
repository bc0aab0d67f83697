//! The other end's queue on a remote: S3, WebDAV, a directory, whatever the host reaches.

use mhost_sdk::files::Files;
use mhost_sdk::remote::Remote;
use mhost_sdk::{Context, Error, Optional as _, Result};

use super::super::config;
use super::super::store::{STATES, State};
use super::{Exchange, Outgoing, There, Transport, import_folder};

/// Bytes of one piece.
const PIECE: u64 = 256 << 10;

/// See the module.
pub struct OnRemote<'a> {
    context: &'a Context<'a>,
    config: &'a config::OnRemote,
}

impl<'a> OnRemote<'a> {
    pub fn new(context: &'a Context<'a>, config: &'a config::OnRemote) -> Self {
        Self { context, config }
    }

    fn path(&self, state: State, name: &str) -> String {
        let queue = self.config.path.trim_matches('/');
        format!("{queue}/{}/{name}", import_folder(state))
    }

    fn look(&self, remote: &dyn Remote, name: &str) -> Result<Option<There>> {
        for state in STATES {
            if remote.stat(&self.path(state, name)).optional()?.is_none() {
                continue;
            }
            return Ok(Some(match state {
                State::ToProcess | State::Processing => There::Waiting,
                State::Done => There::Done,
                State::Error => {
                    let path = self.path(state, &format!("{name}.reason"));
                    let reason = remote.read(&path, 0, 64 << 10).optional()?;
                    let reason = reason.unwrap_or_default();
                    There::Error(String::from_utf8_lossy(&reason).into_owned())
                }
            }));
        }
        Ok(None)
    }

    fn send(&self, remote: &dyn Remote, item: &Outgoing) -> Result<()> {
        if matches!(
            self.look(remote, &item.name)?,
            Some(There::Waiting | There::Done)
        ) {
            return Ok(());
        }
        let path = self.path(State::ToProcess, &item.name);
        let writer = remote.write(&path)?;
        let mut at = 0;
        while at < item.size {
            let piece = self.files().read_range(&item.path, at, PIECE)?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            writer.write(&piece)?;
        }
        writer.finish()?;
        let size = remote.stat(&path)?.size;
        match size == item.size {
            true => Ok(()),
            false => Err(Error::Failed(format!(
                "`{}` arrived with {size} bytes instead of {}",
                item.name, item.size
            ))),
        }
    }

    fn files(&self) -> &dyn Files {
        self.context.files()
    }
}

impl Transport for OnRemote<'_> {
    fn exchange(&self, asked: &[String], items: &[Outgoing]) -> Result<Exchange> {
        let remote = self.context.remote(&self.config.name)?;
        let mut exchange = Exchange::default();
        for name in asked {
            if let Some(found) = self.look(&*remote, name)? {
                exchange.there.insert(name.clone(), found);
            }
        }
        for item in items {
            let sent = self.send(&*remote, item);
            let stop = sent.is_err();
            exchange.sent.push(sent);
            if stop {
                break;
            }
        }
        Ok(exchange)
    }
}
