//! The queue form: changes of a source become items in one queue a target, are carried
//! over by a transport, and are applied at the other end by an importer. The ends need
//! not be up at the same time, and an operator can look at everything and repair it.
//!
//! `item` is the file format, `store` the folders, `export`, `transfer` and `import` the
//! three steps, `keeper` what an operator asks for.

mod config;
mod export;
mod filter;
mod import;
mod item;
mod keeper;
mod localise;
mod store;
#[cfg(test)]
mod tests;
mod transfer;

pub use export::export;
pub use import::import;
pub use keeper::{create_queue, retry, status};
pub use transfer::transfer;
