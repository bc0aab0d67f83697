//! The typed configuration: `mhost.toml` from text to a document that holds, the difference
//! between it and a store, and back to text; and the same grants from a command line.
//!
//! Every mistake is found at once and named with file, line, column, key and remedy. What is
//! done with a document (the edits, their order, what a person is shown) is left to the
//! callers; so are exit codes. Nothing here touches a store or loads a plugin.

mod check;
mod document;
mod exec;
mod export;
mod file;
mod mistake;
mod path;
mod plan;
mod reader;
mod reference;
mod rules;
mod scalar;
mod shape;
mod source;
mod suggest;
mod syntax;
mod tree;

use std::path::Path;

pub use check::{Checks, EndpointCheck, Plugins, Refused, check_exec, check_places, check_task};
pub use document::{Document, Draft, TaskEntry};
pub use exec::{ExecArgs, ExecGrants, exec_config, exec_grants};
pub use export::{export, export_grants, export_tables, export_task, inline};
pub use file::read;
pub use mistake::{ConfigError, Mistake, Severity, TOLD};
pub use plan::{Change, Current, Detail, Kind, Plan, Sign, plan};
pub use reference::reference;

/// From text to a draft, which its `finish` makes a document. Fails where the text is no TOML.
/// Relative paths are taken from the folder of `file`, which need not exist.
pub fn parse(text: &str, file: &Path) -> Result<Draft, ConfigError> {
    Draft::parse(text, file)
}
