//! Streams of files that count: what is read, and what is written within the budget.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use crate::state::Shared;

/// A file being read.
pub(super) struct Input {
    pub(super) inner: DynInputStream,
    pub(super) shared: Arc<Shared>,
}

impl Input {
    fn counted(&self, bytes: Bytes) -> Bytes {
        self.shared.meter.read(bytes.len() as u64);
        bytes
    }
}

#[async_trait::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self.inner.read(size)?;
        Ok(self.counted(bytes))
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self.inner.blocking_read(size).await?;
        Ok(self.counted(bytes))
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// A file being written.
pub(super) struct Output {
    pub(super) inner: DynOutputStream,
    pub(super) shared: Arc<Shared>,
    pub(super) file: Arc<File>,
}

impl Output {
    fn take(&self, bytes: usize) -> StreamResult<()> {
        let taken = self.shared.budget.take(bytes as u64, &*self.file);
        taken.map_err(|fault| {
            let error = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
            tracing::debug!("a write is refused: {fault}");
            StreamError::LastOperationFailed(error.into())
        })
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(bytes.len())?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(bytes.len())?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
