//! Bounds the sum of all memories and tables of a run; wasmtime's own limiter
//! looks at each alone. A refused growth fails in the guest, which may cope; if it
//! does not, the refusal is the run's error.

use std::sync::Arc;

use mhost_model::ByteSize;
use wasmtime::ResourceLimiter;

use crate::meter::Meter;

/// What one element of a table takes, bytes.
const ELEMENT: usize = 16;
/// Memories and tables, and instances, of one component.
const PARTS: usize = 1000;

/// The limiter of one store.
#[derive(Debug)]
pub struct Limiter {
    limit: usize,
    taken: usize,
    refused: Option<String>,
    meter: Arc<Meter>,
}

impl Limiter {
    pub(crate) fn new(limit: ByteSize, meter: Arc<Meter>) -> Self {
        Self {
            limit: usize::try_from(limit.0).unwrap_or(usize::MAX),
            taken: 0,
            refused: None,
            meter,
        }
    }

    /// The newest refusal, in words.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let asked = self.taken.saturating_add(desired.saturating_sub(current));
        if asked > self.limit {
            self.refused = Some(format!(
                "limits.memory: the plugin asked for {} of memory, and {} are allowed; raise the limit if it needs them",
                ByteSize(asked as u64),
                ByteSize(self.limit as u64)
            ));
            return false;
        }
        self.taken = asked;
        self.meter.memory(asked as u64);
        true
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // A module's own maximum is its own choice, not a limit of ours.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(current, desired))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(
            current.saturating_mul(ELEMENT),
            desired.saturating_mul(ELEMENT),
        ))
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}
