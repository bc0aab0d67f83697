//! Streams of files that count: what is read, and what is written within the budget.
//!
//! A guest that writes without waiting waits in its next call all the same, so what it hands over is written then, by the
//! run's own thread: wasmtime-wasi would hand each piece to another thread, which costs more than the writing.

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
    inner: DynOutputStream,
    shared: Arc<Shared>,
    file: Arc<File>,
    /// What the guest has handed over, and was not written yet.
    pending: Option<Bytes>,
    /// Why it could not be written, until the guest is told.
    failed: Option<StreamError>,
}

impl Output {
    pub(super) fn new(inner: DynOutputStream, shared: Arc<Shared>, file: Arc<File>) -> Self {
        Self {
            inner,
            shared,
            file,
            pending: None,
            failed: None,
        }
    }

    fn take(&self, bytes: usize) -> StreamResult<()> {
        let taken = self.shared.budget.take(bytes as u64, &*self.file);
        taken.map_err(|fault| {
            let error = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
            tracing::debug!("a write is refused: {fault}");
            StreamError::LastOperationFailed(error.into())
        })
    }

    /// Tells of a write that failed, once.
    fn tell(&mut self) -> StreamResult<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        if let Some(bytes) = self.pending.take() {
            self.failed = self.inner.blocking_write_and_flush(bytes).await.err();
        }
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.pending.is_some() {
            return Err(StreamError::trap("a write before `check-write` allowed it"));
        }
        self.tell()?;
        self.take(bytes.len())?;
        self.pending = Some(bytes);
        Ok(())
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.ready().await;
        self.tell()?;
        self.take(bytes.len())?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.tell()?;
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.tell()?;
        match self.pending {
            Some(_) => Ok(0),
            None => self.inner.check_write(),
        }
    }

    /// The guest drops the stream: what it handed over is written.
    async fn cancel(&mut self) {
        self.ready().await;
        self.inner.cancel().await;
    }
}
