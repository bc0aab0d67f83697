//! External programs that serve as oracles: found on the machine, else fetched
//! through the ordinary package clients into `target/tools/`.
//!
//! Fetching happens once: a lock file holds back the other test processes, and a
//! marker file written last tells a finished folder from a half-made one.

mod debian;
mod fetch;
mod python;

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use thiserror::Error;

/// A program that a test can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    Restic,
    Logrotate,
    Blackbox,
    Rsync,
    /// SQLite's shell.
    Sqlite,
    /// OpenSSH's server.
    Sshd,
    Rclone,
    Borg,
    /// A Python with these distributions, named as pip does.
    Python(&'static [&'static str]),
}

/// Why a program cannot be had here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{tool} cannot be had: {reason}")]
pub struct Unavailable {
    pub tool: String,
    pub reason: String,
}

/// restic.
pub fn restic() -> Result<PathBuf, Unavailable> {
    Tool::Restic.path()
}

/// logrotate.
pub fn logrotate() -> Result<PathBuf, Unavailable> {
    Tool::Logrotate.path()
}

/// Prometheus' blackbox_exporter.
pub fn blackbox() -> Result<PathBuf, Unavailable> {
    Tool::Blackbox.path()
}

/// rsync.
pub fn rsync() -> Result<PathBuf, Unavailable> {
    Tool::Rsync.path()
}

/// SQLite's shell.
pub fn sqlite() -> Result<PathBuf, Unavailable> {
    Tool::Sqlite.path()
}

/// A Python interpreter that can import these distributions.
pub fn python_with(distributions: &'static [&'static str]) -> Result<PathBuf, Unavailable> {
    Tool::Python(distributions).path()
}

impl Tool {
    /// The executable. The answer is remembered, also that there is none, so that
    /// a machine without network does not try again for each test.
    pub fn path(self) -> Result<PathBuf, Unavailable> {
        static ANSWERS: OnceLock<Mutex<HashMap<Tool, Result<PathBuf, Unavailable>>>> =
            OnceLock::new();
        let answers = ANSWERS.get_or_init(Mutex::default);
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.entry(self).or_insert_with(|| self.find()).clone()
    }

    fn find(self) -> Result<PathBuf, Unavailable> {
        let found = match self {
            Self::Restic => on_path("restic").map_or_else(|| debian::RESTIC.get(), Ok),
            Self::Logrotate => on_path("logrotate").map_or_else(|| debian::LOGROTATE.get(), Ok),
            Self::Blackbox => {
                on_path(debian::BLACKBOX.name).map_or_else(|| debian::BLACKBOX.get(), Ok)
            }
            Self::Rsync => on_path("rsync").map_or_else(|| debian::RSYNC.get(), Ok),
            Self::Sqlite => on_path("sqlite3").map_or_else(|| debian::SQLITE.get(), Ok),
            Self::Sshd => on_path("sshd").map_or_else(|| debian::SSHD.get(), Ok),
            Self::Rclone => on_path("rclone").map_or_else(|| debian::RCLONE.get(), Ok),
            Self::Borg => on_path("borg").map_or_else(|| debian::BORG.get(), Ok),
            Self::Python(wanted) => python::interpreter(wanted),
        };
        found.map_err(|reason| Unavailable {
            tool: self.label(),
            reason,
        })
    }

    fn label(self) -> String {
        match self {
            Self::Restic => "restic".to_owned(),
            Self::Logrotate => "logrotate".to_owned(),
            Self::Blackbox => debian::BLACKBOX.name.to_owned(),
            Self::Rsync => "rsync".to_owned(),
            Self::Sqlite => "sqlite3".to_owned(),
            Self::Sshd => "sshd".to_owned(),
            Self::Rclone => "rclone".to_owned(),
            Self::Borg => "borg".to_owned(),
            Self::Python(wanted) => format!("python3 with {}", wanted.join(", ")),
        }
    }
}

/// Looks in `PATH`, and where administrators' programs lie, which a user's `PATH`
/// often leaves out.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| executable(file))
}

fn executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_every_machine_has_and_nothing_else() {
        assert!(on_path("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(on_path("no-such-program-anywhere"), None);
        assert_eq!(on_path("passwd.conf.missing"), None);
    }

    #[test]
    fn a_tool_says_what_it_is() {
        assert_eq!(Tool::Python(&["ZODB"]).label(), "python3 with ZODB");
    }
}
