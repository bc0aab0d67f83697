//! The other end's queue on a remote: an SFTP server, S3, WebDAV, a directory, whatever the
//! host reaches. One connection carries all items of a run; an item counts as sent when the
//! other end says that it has it with its size.

use std::collections::BTreeMap;

use mhost_sdk::files::Files;
use mhost_sdk::remote::Remote;
use mhost_sdk::{Context, Error, Optional as _, Result};

use super::super::config;
use super::super::store::{STATES, State, is_item};
use super::{Exchange, Outgoing, Sent, There, Transport, import_folder};

/// Bytes of one piece.
const PIECE: u64 = 256 << 10;
/// Entries of one page of a listing.
const PAGE: u32 = 1000;
/// Up to so many items are asked for one by one; for more, the folders are listed.
const FEW: usize = 4;

/// See the module.
pub struct OnRemote<'a> {
    context: &'a Context<'a>,
    config: &'a config::OnRemote,
}

/// Where items are at the other end.
type Places = BTreeMap<String, State>;

impl<'a> OnRemote<'a> {
    pub fn new(context: &'a Context<'a>, config: &'a config::OnRemote) -> Self {
        Self { context, config }
    }

    fn folder(&self, state: State) -> String {
        match self.config.path.trim_matches('/') {
            "" => import_folder(state),
            queue => format!("{queue}/{}", import_folder(state)),
        }
    }

    fn path(&self, state: State, name: &str) -> String {
        format!("{}/{name}", self.folder(state))
    }

    /// Where these items are, in the order of their names. Items move forward, so the
    /// folders are looked at in that order.
    fn places(&self, remote: &dyn Remote, names: &[&str]) -> Result<Places> {
        let mut places = Places::new();
        for state in STATES {
            if names.len() > FEW {
                for name in self.listed(remote, state, names[0])? {
                    places.entry(name).or_insert(state);
                }
                continue;
            }
            for name in names {
                let found = remote.stat(&self.path(state, name)).optional()?;
                if found.is_some() {
                    places.entry((*name).to_owned()).or_insert(state);
                }
            }
        }
        Ok(places)
    }

    /// The items of a state from the one named `first` on.
    fn listed(&self, remote: &dyn Remote, state: State, first: &str) -> Result<Vec<String>> {
        let folder = self.folder(state);
        let mut names = Vec::new();
        // The path before the first one, as far as names of items go.
        let mut after = format!("{folder}/{}", &first[..first.len().saturating_sub(1)]);
        loop {
            let page = remote.listing(&folder, false, Some(&after), PAGE);
            let Some(page) = page.optional()? else {
                return Ok(names);
            };
            let last = page.last().map(|entry| entry.path.clone());
            let whole = page.len() < PAGE as usize;
            let items = page.into_iter().filter_map(|entry| {
                let name = entry.path.rsplit('/').next()?;
                (is_item(name) && !entry.metadata.directory).then(|| name.to_owned())
            });
            names.extend(items);
            match last {
                Some(last) if !whole => after = last,
                _ => return Ok(names),
            }
        }
    }

    fn said(&self, remote: &dyn Remote, name: &str, state: State) -> Result<There> {
        Ok(match state {
            State::ToProcess | State::Processing => There::Waiting,
            State::Done => There::Done,
            State::Error => {
                let path = self.path(state, &format!("{name}.reason"));
                let reason = remote.read(&path, 0, 64 << 10).optional()?;
                let reason = reason.unwrap_or_default();
                There::Error(String::from_utf8_lossy(&reason).into_owned())
            }
        })
    }

    fn send(&self, remote: &dyn Remote, item: &Outgoing) -> Result<Sent> {
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
        // Whoever imports there may have taken it already.
        let found = remote.stat(&path).optional()?;
        match found {
            Some(found) if found.size != item.size => Err(Error::Failed(format!(
                "`{}` arrived with {} bytes instead of {}",
                item.name, found.size, item.size
            ))),
            Some(_) => Ok(Sent::There),
            None if !self.places(remote, &[&item.name])?.is_empty() => Ok(Sent::There),
            None => Err(Error::Failed(format!(
                "`{}` is not there after it was sent",
                item.name
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
        let names = asked.iter().chain(items.iter().map(|item| &item.name));
        let mut names: Vec<&str> = names.map(String::as_str).collect();
        names.sort_unstable();
        let places = self.places(&*remote, &names)?;
        let mut exchange = Exchange::default();
        for name in asked {
            if let Some(state) = places.get(name) {
                let said = self.said(&*remote, name, *state)?;
                exchange.there.insert(name.clone(), said);
            }
        }
        for item in items {
            let sent = match places.get(&item.name) {
                // It arrived before, and this end did not hear of it.
                Some(State::ToProcess | State::Processing | State::Done) => Ok(Sent::There),
                Some(State::Error) | None => self.send(&*remote, item),
            };
            let stop = sent.is_err();
            exchange.sent.push(sent);
            if stop {
                break;
            }
        }
        Ok(exchange)
    }
}
