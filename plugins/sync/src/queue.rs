//! The queue form: changes of a source become items in one queue a target, are carried
//! over by a transport, and are applied at the other end by an importer. The ends need
//! not be up at the same time, and an operator can look at everything and repair it.
//!
//! The file of an item and the folders are the SDK's (`mhost_sdk::queue`), for other plugins
//! add kinds; `export`, `transfer` and `import` are the three steps, `keeper` what an
//! operator asks for.

mod config;
mod export;
mod filter;
mod import;
mod keeper;
mod localise;
#[cfg(test)]
mod tests;
mod transfer;

use mhost_sdk::queue::{folder as store, item};

pub use export::export;
pub use import::import;
pub use keeper::{create_queue, retry, status};
pub use transfer::transfer;
