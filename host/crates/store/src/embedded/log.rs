//! Writing a run's log: lines are kept in chunks, each under the number of its first
//! line.

use mhost_model::RunId;
use mhost_model::run::{LogLine, RunState};
use redb::ReadableTable;

use super::record::{LogChunk, decode, encode};
use super::trouble::{Res, Trouble};
use super::tx::Tx;
use crate::StoreError;

/// A chunk has at most so many lines, so that a reader need not decode a whole log.
const LINES: usize = 256;

impl Tx<'_> {
    /// Only a run that is on has more to say.
    pub fn append_log(&mut self, run: RunId, lines: &[LogLine]) -> Res<()> {
        let row = self.row(run)?;
        let row = row.ok_or_else(|| Trouble::not_found("run", run))?;
        match row.run.state {
            RunState::Running { .. } => self.append_lines(run, lines),
            _ => Err(StoreError::Stale(run).into()),
        }
    }

    pub fn append_lines(&mut self, run: RunId, lines: &[LogLine]) -> Res<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut first = self.log_length(run)?;
        for chunk in lines.chunks(LINES) {
            let bytes = encode(&LogChunk(chunk.to_vec()))?;
            self.tables.logs.put((run.0, first), bytes.as_slice())?;
            first += chunk.len() as u64;
        }
        Ok(())
    }

    fn log_length(&self, run: RunId) -> Res<u64> {
        let range = (run.0, 0)..=(run.0, u64::MAX);
        let last = self.tables.logs.range(range)?.next_back().transpose()?;
        let Some((key, chunk)) = last else {
            return Ok(0);
        };
        let LogChunk(lines) = decode(chunk.value())?;
        Ok(key.value().1 + lines.len() as u64)
    }
}
