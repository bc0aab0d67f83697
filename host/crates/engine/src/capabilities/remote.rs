//! `mhost:plugin/remote`: named remotes through the host's driver.

use mhost_model::grant::Access;
use mhost_model::ports::remote as port;
use mhost_model::{Fault, FaultResult};
use wasmtime::component::{Linker, Resource};

use crate::bindings::mhost::plugin::remote::{self, Entry, Host, HostStore, HostWriter, Metadata};
use crate::permits::{Permit, RemoteUse};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, enter};

/// The largest piece that one call reads, bytes.
const PIECE: u32 = 256 << 10;
/// The most entries of one listing.
const PAGE: u32 = 1000;

/// An open remote.
pub struct Store {
    name: String,
    remote: Box<dyn port::Remote>,
}

/// A file being written.
pub struct Writer {
    permit: Permit<RemoteUse>,
    /// None once it is finished.
    writer: Option<Box<dyn port::Writer>>,
}

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    remote::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn open(&mut self, name: String) -> Answer<Resource<Store>> {
        let permit = self
            .shared
            .granter
            .remote(&name, Access::ReadOnly, "open", "")?;
        let opened = self.shared.remotes.open(&permit.name);
        let remote = opened.inspect_err(|_| permit.tried())?;
        Ok(self.table.push(Store { name, remote })?)
    }
}

impl Call<'_> {
    /// The remote, and the proof that this may be done on it. The use is on the receipt:
    /// whatever comes of it, the remote was asked.
    fn remote(
        &self,
        store: &Resource<Store>,
        access: Access,
        verb: &str,
        path: &str,
    ) -> Answer<(&dyn port::Remote, Permit<RemoteUse>)> {
        let store = self.table.get(store)?;
        let granter = &self.shared.granter;
        let permit = granter.remote(&store.name, access, verb, path)?;
        check_path(path)?;
        permit.used();
        Ok((store.remote.as_ref(), permit))
    }
}

impl HostStore for Call<'_> {
    async fn listing(
        &mut self,
        store: Resource<Store>,
        path: String,
        recursive: bool,
        after: Option<String>,
        limit: u32,
    ) -> Answer<Vec<Entry>> {
        let (remote, _) = self.remote(&store, Access::ReadOnly, "list", &path)?;
        if !(1..=PAGE).contains(&limit) {
            let text = format!("a listing takes a limit from 1 to {PAGE}, not {limit}");
            return Err(Fault::Invalid(text).into());
        }
        let entries = remote.list(&path, recursive, after.as_deref(), limit)?;
        Ok(entries.into_iter().map(entry).collect())
    }

    async fn stat(&mut self, store: Resource<Store>, path: String) -> Answer<Metadata> {
        let (remote, _) = self.remote(&store, Access::ReadOnly, "stat", &path)?;
        let found = remote.stat(&path)?;
        Ok(metadata(found))
    }

    async fn read(
        &mut self,
        store: Resource<Store>,
        path: String,
        offset: u64,
        length: u32,
    ) -> Answer<Vec<u8>> {
        let (remote, _) = self.remote(&store, Access::ReadOnly, "read", &path)?;
        let data = remote.read(&path, offset, length.min(PIECE))?;
        self.shared.meter.read(data.len() as u64);
        Ok(data)
    }

    async fn write(&mut self, store: Resource<Store>, path: String) -> Answer<Resource<Writer>> {
        let (remote, permit) = self.remote(&store, Access::ReadWrite, "write", &path)?;
        let writer = Some(remote.write(&path)?);
        self.shared.meter.opened();
        Ok(self.table.push(Writer { permit, writer })?)
    }

    async fn rename(
        &mut self,
        store: Resource<Store>,
        source: String,
        target: String,
    ) -> Answer<()> {
        let (remote, _) = self.remote(&store, Access::ReadWrite, "rename", &source)?;
        check_path(&target)?;
        remote.rename(&source, &target)?;
        self.shared.meter.changed(1);
        Ok(())
    }

    async fn delete(&mut self, store: Resource<Store>, path: String) -> Answer<()> {
        let (remote, _) = self.remote(&store, Access::ReadWrite, "delete", &path)?;
        remote.delete(&path)?;
        self.shared.meter.changed(1);
        Ok(())
    }

    async fn create_directory(&mut self, store: Resource<Store>, path: String) -> Answer<()> {
        let (remote, _) = self.remote(&store, Access::ReadWrite, "create-directory", &path)?;
        remote.create_directory(&path)?;
        Ok(())
    }

    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl HostWriter for Call<'_> {
    async fn write(&mut self, writer: Resource<Writer>, data: Vec<u8>) -> Answer<()> {
        super::check_list(data.len())?;
        self.shared.budget.take_unplaced(data.len() as u64)?;
        let writer = self.table.get_mut(&writer)?;
        Ok(open(&mut writer.writer)?.write(&data)?)
    }

    async fn finish(&mut self, writer: Resource<Writer>) -> Answer<u64> {
        self.shared.granter.current()?;
        let writer = self.table.get_mut(&writer)?;
        open(&mut writer.writer)?;
        let Some(finishing) = writer.writer.take() else {
            return Ok(0);
        };
        let written = finishing.finish()?;
        writer.permit.used();
        self.shared.meter.changed(1);
        Ok(written)
    }

    async fn drop(&mut self, writer: Resource<Writer>) -> wasmtime::Result<()> {
        self.table.delete(writer)?;
        Ok(())
    }
}

fn open(writer: &mut Option<Box<dyn port::Writer>>) -> FaultResult<&mut Box<dyn port::Writer>> {
    let over = || Fault::Invalid("the file was finished already; open it again".into());
    writer.as_mut().ok_or_else(over)
}

/// Relative to the remote's root, without a way out of it.
fn check_path(path: &str) -> FaultResult<()> {
    let inner = path.strip_suffix('/').unwrap_or(path);
    let bad = |part: &str| matches!(part, "" | "." | "..");
    if path.contains(['\0', '\\']) || (!path.is_empty() && inner.split('/').any(bad)) {
        return Err(Fault::Invalid(format!(
            "`{}` is no path of a remote: write it relative to the root, with `/`, without `.` and `..`",
            path.chars().take(200).collect::<String>()
        )));
    }
    Ok(())
}

fn entry(entry: port::Entry) -> Entry {
    Entry {
        path: entry.path,
        metadata: metadata(entry.metadata),
    }
}

fn metadata(found: port::Metadata) -> Metadata {
    Metadata {
        directory: found.directory,
        size: found.size,
        modified: found.modified.map(super::millis),
        etag: found.etag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_out_are_refused() {
        for (path, good) in [
            ("", true),
            ("a/b", true),
            ("a/", true),
            ("/a", false),
            ("a//b", false),
            ("../a", false),
            ("a/../b", false),
            ("a/./b", false),
            ("a\\..\\b", false),
            ("a\0", false),
            ("/", false),
        ] {
            assert_eq!(check_path(path).is_ok(), good, "{path:?}");
        }
    }
}
