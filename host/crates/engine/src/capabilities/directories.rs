//! `wasi:filesystem` over the granted directories. wasmtime-wasi does the work and
//! keeps paths beneath their directory; here each call is checked and counted:
//!
//! - what changes something needs a permit, so that a denial or a dry run stands on
//!   the receipt, and a run that lost its claim changes nothing;
//! - hard links and renames stay within one grant;
//! - only regular files and directories are opened: a FIFO or a device would block;
//! - bytes count, and writes take from the budget.

use mhost_model::grant::Access;
use mhost_model::{Fault, Name};
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime_wasi::WasiCtxView;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{FsError, FsResult};

use crate::permits::{DirectoryUse, Permit};
use crate::state::{Call, Calls, RunState, enter};

mod listing;
mod metered;
mod verbs;

/// Where an open descriptor lies.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    grant: Name,
    /// Guest path, for the receipt.
    path: String,
}

/// Takes the place of what wasmtime-wasi linked.
pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, Calls>(linker, enter)?;
    preopens::add_to_linker::<_, Calls>(linker, enter)
}

impl preopens::Host for Call<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let directories = preopens::Host::get_directories(&mut self.files())?;
        for (directory, path) in &directories {
            let grant = path.trim_start_matches('/').parse()?;
            let owner = Owner {
                grant,
                path: path.clone(),
            };
            self.owners.insert(directory.rep(), owner);
        }
        Ok(directories)
    }
}

impl types::Host for Call<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<types::ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        self.files().filesystem_error_code(error)
    }
}

impl Call<'_> {
    /// wasmtime-wasi's own implementation.
    fn files(&mut self) -> WasiFilesystemCtxView<'_> {
        let RunState { wasi, table, .. } = &mut **self;
        let WasiCtxView { ctx, table } = WasiCtxView { ctx: wasi, table };
        WasiFilesystemCtxView {
            ctx: ctx.filesystem(),
            table,
        }
    }

    fn owner(&self, descriptor: &Resource<Descriptor>) -> FsResult<&Owner> {
        let owner = self.owners.get(&descriptor.rep());
        owner.ok_or_else(|| types::ErrorCode::BadDescriptor.into())
    }

    /// The proof that something at `path` below the descriptor may be looked at or
    /// changed. WASI has no room for the reason of a refusal: it stands on the receipt.
    fn may(
        &self,
        descriptor: &Resource<Descriptor>,
        access: Access,
        verb: &str,
        path: &str,
    ) -> FsResult<Permit<DirectoryUse>> {
        let owner = self.owner(descriptor)?;
        let granter = &self.shared.granter;
        let about = match access {
            Access::ReadOnly => String::new(),
            Access::ReadWrite => owner.join(path),
        };
        let permit = granter.directory(owner.grant.as_str(), access, verb, &about);
        permit.map_err(|fault| refused(&fault).into())
    }

    /// Both in one grant; anything else is as another file system.
    fn same_grant(&self, one: &Resource<Descriptor>, other: &Resource<Descriptor>) -> FsResult<()> {
        if self.owner(one)?.grant == self.owner(other)?.grant {
            Ok(())
        } else {
            Err(types::ErrorCode::CrossDevice.into())
        }
    }
}

impl Owner {
    fn join(&self, path: &str) -> String {
        if path.is_empty() {
            self.path.clone()
        } else {
            format!("{}/{path}", self.path)
        }
    }
}

/// A fault as WASI can say it.
fn refused(fault: &Fault) -> types::ErrorCode {
    match fault {
        Fault::DryRun(_) => types::ErrorCode::ReadOnly,
        Fault::Limit(_) => types::ErrorCode::InsufficientSpace,
        _ => types::ErrorCode::NotPermitted,
    }
}

/// Takes a stream out of the table to wrap it; it goes back under a new number.
fn rewrap<T: Send + 'static>(
    table: &mut ResourceTable,
    stream: Resource<T>,
    wrap: impl FnOnce(T) -> T,
) -> FsResult<Resource<T>> {
    let inner = table.delete(stream)?;
    Ok(table.push(wrap(inner))?)
}
