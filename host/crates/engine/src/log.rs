//! A run's log: lines from the guest's standard output and error, from
//! `wasi:logging` and from the host, masked, within the budget. What goes beyond is
//! counted and cut; the guest never notices.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mhost_model::limits::Limits;
use mhost_model::masks::Masks;
use mhost_model::ports::run::LogSink;
use mhost_model::run::{LogLevel, LogLine};
use mhost_model::{ByteSize, Clock};

use crate::meter::Meter;

/// A line is broken when it gets longer, bytes.
const LONGEST_LINE: usize = 16 << 10;
/// How much of the newest standard error is kept for a trap's message, bytes.
const LAST_WORDS: usize = 8 << 10;

/// One of the guest's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// The log of one run.
pub(crate) struct Log {
    sink: Arc<dyn LogSink>,
    clock: Arc<dyn Clock>,
    masks: Arc<Masks>,
    meter: Arc<Meter>,
    limit: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: u64,
    cut: u64,
    out: Vec<u8>,
    err: Vec<u8>,
    last_words: Vec<u8>,
    /// Whether something stood before these words.
    words_cut: bool,
    /// Set once the run is over: a thread that lingers logs nothing more.
    closed: bool,
}

impl Log {
    pub(crate) fn new(
        sink: Arc<dyn LogSink>,
        clock: Arc<dyn Clock>,
        limits: &Limits,
        masks: Arc<Masks>,
        meter: Arc<Meter>,
    ) -> Self {
        Self {
            sink,
            clock,
            masks,
            meter,
            limit: limits.log.0,
            state: Mutex::default(),
        }
    }

    /// Lines from `wasi:logging` or from the host.
    pub(crate) fn message(&self, level: LogLevel, source: &str, text: &str) {
        let mut state = self.state();
        let text = self.masks.hide(text);
        let source = self.masks.hide(source);
        for line in text.lines() {
            self.line(&mut state, level, &source, line);
        }
    }

    /// Bytes that the guest wrote to a stream.
    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state();
        if stream == Stream::Err {
            state.words_cut |= keep_end(&mut state.last_words, bytes);
        }
        if state.kept >= self.limit {
            self.cut(&mut state, bytes.len() as u64);
            return;
        }
        let mut pending = std::mem::take(state.pending(stream));
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            pending.extend_from_slice(piece);
            if pending.ends_with(b"\n") {
                pending.pop();
                self.raw_line(&mut state, stream, &pending);
                pending.clear();
            } else if pending.len() > LONGEST_LINE {
                let end = pending.len() - self.masks.unfinished(&pending);
                self.raw_line(&mut state, stream, &pending[..end]);
                pending.drain(..end);
            }
        }
        *state.pending(stream) = pending;
    }

    /// Ends the log: what stands in the streams without a line end, and how much was
    /// cut.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        for stream in [Stream::Out, Stream::Err] {
            let pending = std::mem::take(state.pending(stream));
            if !pending.is_empty() {
                self.raw_line(&mut state, stream, &pending);
            }
        }
        if state.cut > 0 && !state.closed {
            let text = format!(
                "limits.log: {} more ({} bytes) were cut; {} are kept",
                ByteSize(state.cut),
                state.cut,
                ByteSize(self.limit)
            );
            self.send(LogLevel::Warn, "host", text);
        }
        state.closed = true;
    }

    /// The newest of what the guest wrote to standard error, masked.
    pub(crate) fn last_words(&self) -> String {
        let state = self.state();
        // The sign of a cut tells the masks that a secret may have lost its beginning there.
        let cut = if state.words_cut { "…" } else { "" };
        let text = format!("{cut}{}", String::from_utf8_lossy(&state.last_words));
        self.masks.hide(&text).into_owned()
    }

    fn raw_line(&self, state: &mut State, stream: Stream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = self.masks.hide(&text);
        let (level, source) = match stream {
            Stream::Out => (LogLevel::Info, "stdout"),
            Stream::Err => (LogLevel::Warn, "stderr"),
        };
        self.line(state, level, source, text.trim_end_matches('\r'));
    }

    /// One masked line, as far as the budget reaches.
    fn line(&self, state: &mut State, level: LogLevel, source: &str, text: &str) {
        if state.closed {
            return;
        }
        let room = usize::try_from(self.limit.saturating_sub(state.kept)).unwrap_or(usize::MAX);
        let size = text.len() as u64 + 1;
        if room == 0 {
            self.cut(state, size);
            return;
        }
        let kept = &text[..text.floor_char_boundary(room)];
        let cost = (kept.len() as u64 + 1).min(room as u64);
        state.kept += cost;
        self.meter.logged(cost, 0);
        if kept.len() < text.len() {
            state.kept = self.limit;
            self.cut(state, (text.len() - kept.len()) as u64);
        }
        self.send(level, source, kept.to_owned());
    }

    fn cut(&self, state: &mut State, bytes: u64) {
        state.cut = state.cut.saturating_add(bytes);
        self.meter.logged(0, bytes);
    }

    fn send(&self, level: LogLevel, source: &str, text: String) {
        self.sink.line(LogLine {
            at: self.clock.now(),
            level,
            source: source.to_owned(),
            text,
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pending(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }
}

/// Appends, and forgets the beginning; whether something was forgotten.
fn keep_end(kept: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let excess = (kept.len() + bytes.len()).saturating_sub(LAST_WORDS);
    let bytes = &bytes[bytes.len().saturating_sub(LAST_WORDS)..];
    kept.drain(..excess.min(kept.len()));
    kept.extend_from_slice(bytes);
    excess > 0
}
