//! What `exec` is given on the command line: the same grants and settings as in a file, in
//! the command line's short forms. The shell's syntax is the command line's to read; here
//! are the values of its options.

mod grants;
mod settings;

use std::collections::BTreeMap;
use std::path::Path;

use mhost_model::Name;
use mhost_model::grant::Grants;
use mhost_model::resource::{DatabaseDef, RemoteDef, RepositoryDef};

use super::mistake::{ConfigError, Mistake, Refusal};
use super::source::{Extent, Source};
pub use settings::exec_config;

/// The values of the grant options, in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub struct ExecArgs {
    /// `--dir NAME=PATH:ro|rw`
    pub dirs: Vec<String>,
    /// `--db NAME=ENGINE:PATH:VERB,VERB`
    pub databases: Vec<String>,
    /// `--repo NAME=URL:VERB,VERB`
    pub repositories: Vec<String>,
    /// `--remote NAME=URL:ro|rw`
    pub remotes: Vec<String>,
    /// `--login NAME=USER:file:PATH|env:VAR|credential:NAME`
    pub logins: Vec<String>,
    /// `--net ORIGIN`
    pub net: Vec<String>,
    /// `--secret NAME=file:PATH|env:VAR|credential:NAME`
    pub secrets: Vec<String>,
    /// `--process NAME=PID_FILE:SIGNAL`
    pub processes: Vec<String>,
    /// `--command NAME=PROGRAM ARGUMENT ...`
    pub commands: Vec<String>,
    /// `--task NAME`
    pub tasks: Vec<String>,
    /// `--channel NAME`
    pub channels: Vec<String>,
}

/// What they grant, and the definitions that they make along the way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExecGrants {
    pub grants: Grants,
    pub databases: BTreeMap<Name, DatabaseDef>,
    pub repositories: BTreeMap<Name, RepositoryDef>,
    pub remotes: BTreeMap<Name, RemoteDef>,
}

/// Reads them; relative paths are taken from `folder`, which is absolute.
pub fn exec_grants(args: &ExecArgs, folder: &Path) -> Result<ExecGrants, ConfigError> {
    grants::read(args, folder)
}

/// Something wrong with a part of an option's value.
struct Wrong {
    /// Bytes of the value.
    extent: Extent,
    refusal: Refusal,
}

impl Wrong {
    fn new(extent: Extent, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            extent,
            refusal: Refusal::new(message, help),
        }
    }

    /// As a mistake in `OPTION VALUE`, with the option's whole form.
    fn told(self, option: &str, form: &str, value: &str) -> Mistake {
        let mut refusal = self.refusal;
        let help = refusal
            .help
            .take()
            .map_or_else(String::new, |help| format!("{help}; "));
        refusal.help = Some(format!("{help}the form is `{option} {form}`"));
        let source = Source::new(option.to_owned(), value.to_owned());
        Mistake::outside(option, refusal).in_value(&source, &self.extent)
    }
}
