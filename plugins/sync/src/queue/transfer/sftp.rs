//! The other end's queue by `sftp`, a granted command that reads its orders from a file:
//! one connection carries a whole batch. What arrived is told by listings of the other
//! end, with sizes, not by the absence of errors.

use std::collections::BTreeMap;

use mhost_sdk::files::{Files, join};
use mhost_sdk::processes::Outcome;
use mhost_sdk::{Context, Error, Optional as _, Result};

use super::super::config::BySftp;
use super::super::store::State;
use super::{Exchange, Outgoing, There, Transport, import_folder};

/// Items of one connection: the answers must fit into what the host hands on, 64 KiB.
const TOGETHER: usize = 40;

/// See the module.
pub struct Sftp<'a> {
    context: &'a Context<'a>,
    config: &'a BySftp,
    /// This queue as a guest path.
    queue: String,
}

impl<'a> Sftp<'a> {
    pub fn new(context: &'a Context<'a>, config: &'a BySftp, queue: &str) -> Self {
        let queue = queue.to_owned();
        Self {
            context,
            config,
            queue,
        }
    }

    fn files(&self) -> &dyn Files {
        self.context.files()
    }

    fn there(&self, state: State, name: &str) -> String {
        let queue = self.config.there.trim_end_matches('/');
        format!("{queue}/{}/{name}", import_folder(state))
    }

    /// The orders of one connection. Those with `-` may fail.
    fn orders(&self, asked: &[String], items: &[Outgoing]) -> Result<String> {
        let mut orders = String::new();
        for item in items {
            let here = item.path.strip_prefix(&join(&self.queue, ""));
            let here = join(&self.config.here, here.unwrap_or(&item.path));
            let aside = self.there(State::ToProcess, &format!(".new-{}", item.name));
            let place = self.there(State::ToProcess, &item.name);
            orders.push_str(&format!(
                "put {} {}\n-rename {} {}\n",
                quoted(&here)?,
                quoted(&aside)?,
                quoted(&aside)?,
                quoted(&place)?
            ));
        }
        let names = asked.iter().chain(items.iter().map(|item| &item.name));
        for name in names {
            for state in super::super::store::STATES {
                orders.push_str(&format!("-ls -l {}\n", quoted(&self.there(state, name))?));
            }
        }
        for name in asked {
            let path = self.there(State::Error, &format!("{name}.reason"));
            let to = join(
                &self.config.here,
                &format!("EXPORT/PROCESSING/{name}.reason"),
            );
            orders.push_str(&format!("-get {} {}\n", quoted(&path)?, quoted(&to)?));
        }
        Ok(orders)
    }

    fn connect(&self, orders: &str) -> Result<Outcome> {
        let path = join(&self.queue, "EXPORT/batch");
        self.files().remove_file(&path).optional()?;
        self.files().create(&path, orders.as_bytes())?;
        let outcome = self.context.run_command(&self.config.command)?;
        self.files().remove_file(&path).optional()?;
        if outcome.code != 0 {
            let last = outcome.stderr.trim().lines().last().unwrap_or_default();
            return Err(Error::Busy(format!(
                "`{}` ended with {}: {last}",
                self.config.command, outcome.code
            )));
        }
        Ok(outcome)
    }

    fn one(&self, asked: &[String], items: &[Outgoing], exchange: &mut Exchange) -> Result<()> {
        let outcome = self.connect(&self.orders(asked, items)?)?;
        let listed = listed(&outcome.stdout);
        for name in asked {
            if let Some(found) = self.found(&listed, name)? {
                exchange.there.insert(name.clone(), found);
            }
        }
        for item in items {
            exchange.sent.push(arrived(&listed, item));
        }
        Ok(())
    }

    fn found(&self, listed: &Listed, name: &str) -> Result<Option<There>> {
        let states = listed.get(name);
        let is = |state: State| states.is_some_and(|states| states.contains_key(state.name()));
        if is(State::ToProcess) || is(State::Processing) {
            return Ok(Some(There::Waiting));
        }
        if is(State::Done) {
            return Ok(Some(There::Done));
        }
        let path = join(&self.queue, &format!("EXPORT/PROCESSING/{name}.reason"));
        let reason = self.files().read(&path, 64 << 10).optional()?;
        self.files().remove_file(&path).optional()?;
        let text = reason.map(|text| String::from_utf8_lossy(&text).into_owned());
        Ok(is(State::Error).then(|| There::Error(text.unwrap_or_default())))
    }
}

impl Transport for Sftp<'_> {
    fn exchange(&self, asked: &[String], items: &[Outgoing]) -> Result<Exchange> {
        let mut exchange = Exchange::default();
        for asked in asked.chunks(TOGETHER) {
            self.one(asked, &[], &mut exchange)?;
        }
        for items in items.chunks(TOGETHER) {
            self.one(&[], items, &mut exchange)?;
            if exchange.sent.iter().any(Result::is_err) {
                break;
            }
        }
        Ok(exchange)
    }
}

/// Sizes by name and by state's folder.
type Listed = BTreeMap<String, BTreeMap<String, u64>>;

/// Reads `ls -l` of files: the fifth column is the size, the last the path. What begins
/// with `sftp>` is an order's echo.
fn listed(text: &str) -> Listed {
    let mut all = Listed::new();
    for line in text.lines().filter(|line| line.starts_with('-')) {
        let mut columns = line.split_whitespace();
        let (Some(size), Some(path)) = (columns.nth(4), columns.next_back()) else {
            continue;
        };
        let mut parts = path.rsplit('/');
        let (Some(name), Some(state)) = (parts.next(), parts.next()) else {
            continue;
        };
        if let Ok(size) = size.parse() {
            all.entry(name.to_owned())
                .or_default()
                .insert(state.to_owned(), size);
        }
    }
    all
}

/// Whether an item is at the other end with all its bytes, wherever it is by now.
fn arrived(listed: &Listed, item: &Outgoing) -> Result<()> {
    let sizes = listed.get(&item.name);
    let whole = sizes.is_some_and(|sizes| sizes.values().any(|size| *size == item.size));
    match whole {
        true => Ok(()),
        false => Err(Error::Busy(format!(
            "`{}` did not arrive with its {} bytes",
            item.name, item.size
        ))),
    }
}

/// A path as an order takes it. A line end would begin an order of its own.
fn quoted(path: &str) -> Result<String> {
    if path.contains(['\n', '\r', '\0']) {
        return Err(Error::Invalid(format!("`{path:?}` is no path for sftp")));
    }
    let escaped: String = path
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' | '*' | '?' | '[' => vec!['\\', c],
            c => vec![c],
        })
        .collect();
    Ok(format!("\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_read() {
        let text = "sftp> -ls -l \"q/IMPORT/DONE/1.item\"\n\
                    -rw-r--r--    1 0        0             123 Nov 14 22:13 q/IMPORT/DONE/1.item\n\
                    drwxr-xr-x    ? 0 0 4096 Nov 14 22:13 q/IMPORT/DONE\n";
        let found = listed(text);
        assert_eq!(found["1.item"]["DONE"], 123);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn no_path_is_an_order() {
        assert_eq!(quoted("a \"b\"*").unwrap(), "\"a \\\"b\\\"\\*\"");
        assert!(quoted("a\nrm x").is_err());
    }
}
