//! Bodies on their way: counted, bounded, and ended with the run.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody};

use super::Waits;
use crate::state::Shared;

/// The most that one response may carry, bytes. Its receiver sets the pace, so this
/// bounds a run that forgot to stop, not memory.
const LONGEST: u64 = 16 << 30;

/// A response's body.
pub(super) struct Received<B = Incoming> {
    body: B,
    waits: Waits,
    quiet: Pin<Box<Sleep>>,
    longest: u64,
    left: u64,
    shared: Arc<Shared>,
}

impl<B> Received<B> {
    pub(super) fn new(body: B, waits: Waits, shared: Arc<Shared>) -> Self {
        Self::up_to(LONGEST, body, waits, shared)
    }

    /// The same with another length.
    pub(super) fn up_to(longest: u64, body: B, waits: Waits, shared: Arc<Shared>) -> Self {
        Self {
            body,
            quiet: Box::pin(sleep_until(waits.until(waits.between_bytes).into())),
            waits,
            longest,
            left: longest,
            shared,
        }
    }

    /// Counts a frame; an error where it is more than a response may carry.
    fn take(&mut self, frame: &Frame<Bytes>) -> Result<(), Error> {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = match self.left.checked_sub(bytes) {
            Some(left) => left,
            None => return Err(Error::HttpResponseBodySize(Some(self.longest))),
        };
        self.shared.meter.read(bytes);
        let until = self.waits.until(self.waits.between_bytes);
        self.quiet.as_mut().reset(until.into());
        Ok(())
    }
}

impl<B> Body for Received<B>
where
    B: Body<Data = Bytes> + Unpin,
    Error: From<B::Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        // A peer that never pauses must not outlive the run either.
        if self.shared.is_over() || Instant::now() >= self.waits.deadline {
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let taken = self.take(&frame);
                Poll::Ready(Some(taken.map(|()| frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(self.quiet.as_mut().poll(context));
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request's body; its bytes are of the run's write budget.
pub(super) struct Sent {
    body: WasiBody,
    shared: Arc<Shared>,
}

impl Sent {
    pub(super) fn new(body: WasiBody, shared: Arc<Shared>) -> Self {
        Self { body, shared }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => 0,
        };
        match self.shared.budget.take_unplaced(bytes) {
            Ok(()) => Poll::Ready(frame),
            Err(fault) => {
                let text = self.shared.masked(fault).to_string();
                Poll::Ready(Some(Err(Error::InternalError(Some(text)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
