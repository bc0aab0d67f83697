//! `wasi:logging`, and the guest's standard output and error as lines of the log.
//! Budget and masking are [`crate::log`]'s.

use std::sync::Arc;

use bytes::Bytes;
use mhost_model::run::LogLevel;
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::bindings::wasi::logging::logging::{self, Host, Level};
use crate::log::Stream;
use crate::state::{Call, Calls, RunState, Shared, enter};

/// What one write may bring, bytes.
const PIECE: usize = 64 << 10;

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    logging::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn log(
        &mut self,
        level: Level,
        context: String,
        message: String,
    ) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error | Level::Critical => LogLevel::Error,
        };
        let source = if context.is_empty() {
            "plugin"
        } else {
            &context
        };
        self.shared.log.message(level, source, &message);
        Ok(())
    }
}

/// One of the guest's two standard streams; it always takes everything at once.
#[derive(Clone)]
pub(crate) struct Output {
    shared: Arc<Shared>,
    stream: Stream,
}

impl Output {
    pub(crate) fn new(shared: Arc<Shared>, stream: Stream) -> Self {
        Self { shared, stream }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this, which is not offered.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.shared.log.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PIECE)
    }
}
