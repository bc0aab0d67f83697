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

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store};

    use super::*;

    fn store(limit: ByteSize) -> Store<Limiter> {
        let limiter = Limiter::new(limit, Arc::default());
        let mut store = Store::new(&Engine::default(), limiter);
        store.limiter(|limiter| limiter);
        store
    }

    fn instance(store: &mut Store<Limiter>, text: &str) -> wasmtime::Result<Instance> {
        let module = Module::new(store.engine(), wat::parse_str(text).unwrap())?;
        Instance::new(&mut *store, &module, &[])
    }

    /// Each alone would fit.
    #[test]
    fn memories_are_summed() {
        let mut store = store(ByteSize::mib(32));
        let twenty = "(module (memory 320))";
        instance(&mut store, twenty).unwrap();
        assert!(instance(&mut store, twenty).is_err());
        let refused = store.data().refused().unwrap();
        assert!(refused.contains("40.0 MiB"), "{refused}");
        assert_eq!(store.data().meter.peak(), 20 << 20);
    }

    #[test]
    fn a_table_bomb_meets_the_limit() {
        let mut store = store(ByteSize::mib(1));
        let text = r#"(module (table $t 1 funcref)
            (func (export "bomb") (result i32)
                (loop $again
                    (br_if $again (i32.ne (i32.const -1)
                        (table.grow $t (ref.null func) (i32.const 1000)))))
                (table.size $t)))"#;
        let instance = instance(&mut store, text).unwrap();
        let bomb = instance.get_typed_func::<(), i32>(&mut store, "bomb");
        let size = bomb.unwrap().call(&mut store, ()).unwrap();
        let most = (1 << 20) / ELEMENT as i32;
        assert!((most - 1000..=most).contains(&size), "{size} of {most}");
        assert!(store.data().refused().unwrap().contains("limits.memory"));
        assert!(store.data().meter.peak() <= 1 << 20);
    }
}
