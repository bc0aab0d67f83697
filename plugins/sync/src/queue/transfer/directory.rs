//! The other end's queue in a directory that is mounted here.

use mhost_sdk::files::{CopyOptions, Files, join};
use mhost_sdk::{Context, Error, Result};

use super::super::store::{Folder, State, Way};
use super::{Exchange, Outgoing, Sent, There, Transport};

/// See the module.
pub struct Directory<'a> {
    context: &'a Context<'a>,
    queue: &'a str,
}

impl<'a> Directory<'a> {
    pub fn new(context: &'a Context<'a>, queue: &'a str) -> Self {
        Self { context, queue }
    }

    fn files(&self) -> &dyn Files {
        self.context.files()
    }

    /// What the other end says of an item.
    pub fn look(&self, name: &str) -> Result<Option<There>> {
        let folder = self.folder();
        Ok(match folder.state_of(name)? {
            None => None,
            Some(State::ToProcess | State::Processing) => Some(There::Waiting),
            Some(State::Done) => Some(There::Done),
            Some(State::Error) => {
                let reason = folder.reason(name)?;
                Some(There::Error(reason.unwrap_or_default()))
            }
        })
    }

    fn folder(&self) -> Folder<'_> {
        Folder::new(self.files(), self.queue, Way::Import)
    }

    /// Puts an item there, whole.
    pub fn send(&self, item: &Outgoing) -> Result<()> {
        // It arrived before, and this end did not hear of it.
        if matches!(self.look(&item.name)?, Some(There::Waiting | There::Done)) {
            return Ok(());
        }
        let to = self.folder().folder(State::ToProcess);
        let aside = join(&to, &format!(".new-{}", item.name));
        let options = CopyOptions {
            replace: true,
            preserve: false,
        };
        self.files().copy(&item.path, &aside, options)?;
        let size = self.files().stat(&aside)?.size;
        if size != item.size {
            return Err(Error::Failed(format!(
                "`{}` arrived with {size} bytes instead of {}",
                item.name, item.size
            )));
        }
        self.files().sync(&aside)?;
        self.files().replace(&aside, &join(&to, &item.name))
    }

    /// Whether the queue is there at all.
    pub fn check(&self) -> Result<()> {
        let place = self.folder().folder(State::ToProcess);
        match self.files().stat_optional(&place)? {
            Some(_) => Ok(()),
            None => Err(Error::Busy(format!(
                "there is no queue in {}: is it mounted? make it with `create-queue`",
                self.queue
            ))),
        }
    }
}

impl Transport for Directory<'_> {
    fn exchange(&self, asked: &[String], items: &[Outgoing]) -> Result<Exchange> {
        self.check()?;
        let mut exchange = Exchange::default();
        for name in asked {
            if let Some(found) = self.look(name)? {
                exchange.there.insert(name.clone(), found);
            }
        }
        for item in items {
            let sent = self.send(item).map(|()| Sent::There);
            let stop = sent.is_err();
            exchange.sent.push(sent);
            if stop {
                break;
            }
        }
        Ok(exchange)
    }
}
