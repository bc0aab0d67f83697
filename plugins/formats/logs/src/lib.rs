//! What other programs write into their logs, as a pure library: lines out of pieces,
//! requests out of access logs, and the severity of an event. No I/O and no clock; any
//! bytes are read to their end in bounded memory.

mod access;
mod lines;
mod severity;

pub use access::{Access, Request, request};
pub use lines::{Line, Lines};
pub use severity::Severity;
