//! Directory listings. wasmtime-wasi reads a whole directory into the host's memory,
//! so only so many may be open at one time.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DirectoryEntry, DirectoryEntryStream, ErrorCode, HostDirectoryEntryStream,
};

use crate::state::Call;

/// Listings that one run may have open at one time: as deep as trees get.
const OPEN_LISTINGS: usize = 256;

impl Call<'_> {
    pub(super) fn check_listings(&self) -> FsResult<()> {
        if self.listings < OPEN_LISTINGS {
            Ok(())
        } else {
            Err(ErrorCode::InsufficientMemory.into())
        }
    }
}

impl HostDirectoryEntryStream for Call<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.files().read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.listings = self.listings.saturating_sub(1);
        HostDirectoryEntryStream::drop(&mut self.files(), stream)
    }
}
