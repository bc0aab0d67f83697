//! No grant may cover mhost's own state, cache, configuration or plugins, nor lie
//! within them: who can write there can grant themselves everything. Nor may one reach
//! mhost's own process through a `proc` file system: its environment holds the secrets of all
//! tasks, and its memory everything else.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use mhost_model::grant::Grants;
use mhost_model::{Fault, FaultResult, Name};

/// What no grant and no definition may reach, symbolic links resolved.
#[derive(Debug, Default)]
pub struct Protected {
    own: Vec<PathBuf>,
    /// Read when it is first needed, for a look at the mounts costs more than one at paths.
    proc: OnceLock<Vec<Proc>>,
}

/// How a place is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The file at it: it must not lie in what is protected.
    File,
    /// All that is below it: it must not cover it either.
    Tree,
}

impl Protected {
    /// The folders that are mhost's own, beside its process.
    #[must_use]
    pub fn new(own: &[PathBuf]) -> Self {
        Self {
            own: own.iter().map(|path| real_path(path)).collect(),
            proc: OnceLock::new(),
        }
    }

    /// What is wrong with a place that somebody names, in a sentence; links in it are
    /// resolved as far as they exist.
    #[must_use]
    pub fn hit(&self, path: &Path, reach: Reach) -> Option<String> {
        self.hit_at(path, &real_path(path), reach)
    }

    /// `real` is `path` with symbolic links resolved.
    fn hit_at(&self, path: &Path, real: &Path, reach: Reach) -> Option<String> {
        let mut own = self.own.iter();
        let own = own.find_map(|held| Some((relation(held, real, reach)?, held.clone(), "")));
        let proc = || self.proc().iter().find_map(|proc| proc.hit(real, reach));
        let (relation, held, what) = own.or_else(proc)?;
        Some(format!(
            "{} {relation} {}, which is mhost's own{what}",
            path.display(),
            held.display()
        ))
    }

    fn proc(&self) -> &[Proc] {
        self.proc.get_or_init(|| {
            // Where there is no `proc`, nothing can be reached through it.
            let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
            mounts
                .split(|byte| *byte == b'\n')
                .filter_map(Proc::mounted)
                .collect()
        })
    }

    pub(super) fn check(&self, name: &Name, path: &Path, real: &Path) -> FaultResult<()> {
        match self.hit_at(path, real, Reach::Tree) {
            Some(hit) => Err(Fault::Invalid(format!(
                "dirs.{name}: {hit}; grant a directory apart from it"
            ))),
            None => Ok(()),
        }
    }

    /// Checks grants when they are made: every directory is absolute and neither covers
    /// nor lies in a protected path, symbolic links resolved as far as they exist now; and no
    /// secret, pid file or program lies in one. A directory that is missing is no fault here,
    /// as it may come later; a run asks again, of the directory that it really opened.
    pub fn check_grants(&self, grants: &Grants) -> Result<(), Vec<Fault>> {
        let check = |(name, path): (&Name, &PathBuf)| {
            if !path.is_absolute() {
                return Err(super::fault(name, path, "the path is not absolute"));
            }
            if path.exists() && !path.is_dir() {
                return Err(super::fault(name, path, "it is not a directory"));
            }
            self.check(name, path, &real_path(path))
        };
        let dirs = grants.dirs.iter().map(|(name, grant)| (name, &grant.path));
        let mut faults: Vec<Fault> = dirs.filter_map(|dir| check(dir).err()).collect();
        let files = files(grants).filter_map(|(place, path, remedy)| {
            let hit = self.hit(path, Reach::File)?;
            Some(Fault::Invalid(format!("{place}: {hit}; {remedy}")))
        });
        faults.extend(files);
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults),
        }
    }
}

/// The files that the host itself opens or runs for a task: where each is granted, and the
/// remedy where it must not be.
fn files(grants: &Grants) -> impl Iterator<Item = (String, &Path, &'static str)> {
    use mhost_model::grant::{ProcessGrant, SecretSource};
    let secrets = grants
        .secrets
        .iter()
        .filter_map(|(name, source)| match source {
            SecretSource::File(path) => Some((
                format!("secrets.{name}"),
                path.as_path(),
                "keep the secret in a file apart from it",
            )),
            SecretSource::Env(_) | SecretSource::Credential(_) => None,
        });
    let processes = grants.processes.iter().filter_map(|(name, grant)| {
        let (path, remedy) = match grant {
            ProcessGrant::Signal(signal) => (signal.pid_file.as_path(), "name another pid file"),
            ProcessGrant::Command(command) => {
                (Path::new(command.command.first()?), "name another program")
            }
        };
        Some((format!("processes.{name}"), path, remedy))
    });
    secrets.chain(processes)
}

/// As [`Protected::check_grants`], of these folders.
pub fn check_grants(grants: &Grants, protected: &[PathBuf]) -> Result<(), Vec<Fault>> {
    Protected::new(protected).check_grants(grants)
}

/// How a place is to what is held, if it reaches it.
fn relation(held: &Path, real: &Path, reach: Reach) -> Option<&'static str> {
    match real.starts_with(held) {
        true => Some("lies in"),
        false => (reach == Reach::Tree && held.starts_with(real)).then_some("covers"),
    }
}

/// This process as a mounted `proc` file system shows it.
#[derive(Debug)]
enum Proc {
    /// All of it is mounted here, and this is the process's own folder.
    Whole { mount: PathBuf, own: PathBuf },
    /// Only the folder of this process is mounted here, or something in it.
    Own(PathBuf),
}

impl Proc {
    /// From a line of `/proc/self/mountinfo`; see proc_pid_mountinfo(5).
    fn mounted(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let (root, mount) = (fields.nth(3)?, fields.next()?);
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        if kind != b"proc" {
            return None;
        }
        let (root, mount) = (unescaped(root), unescaped(mount));
        if root != Path::new("/") {
            let pid = std::process::id().to_string();
            let folder = root.components().nth(1)?;
            return (folder == Component::Normal(OsStr::new(&pid))).then_some(Self::Own(mount));
        }
        // In a namespace that this process is not seen in, there is no such link.
        let own = mount.join(fs::read_link(mount.join("self")).ok()?);
        Some(Self::Whole { mount, own })
    }

    fn hit(&self, real: &Path, reach: Reach) -> Option<(&'static str, PathBuf, &'static str)> {
        const PROCESS: &str = " process";
        let (mount, own) = match self {
            Self::Own(mount) => {
                let relation = relation(mount, real, reach)?;
                return Some((relation, mount.clone(), PROCESS));
            }
            Self::Whole { mount, own } => (mount, own),
        };
        if let Some(relation) = relation(own, real, reach) {
            return Some((relation, own.clone(), PROCESS));
        }
        // A thread has a folder beside the processes', which no listing shows.
        let first = real.strip_prefix(mount).ok()?.components().next()?;
        let thread = own.join("task").join(first).exists();
        thread.then(|| ("lies in", mount.join(first), PROCESS))
    }
}

/// Blanks, line ends and backslashes are three octal digits after a backslash.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsStr::from_bytes(&bytes))
}

/// The path with symbolic links resolved in the longest part of it that exists.
#[must_use]
pub fn real_path(path: &Path) -> PathBuf {
    let found = path
        .ancestors()
        .find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    match found {
        Some((ancestor, found)) => found
            .join(path.strip_prefix(ancestor).unwrap_or(Path::new("")))
            .components()
            .collect(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_proc_are_found() {
        let pid = std::process::id();
        for (line, expected) in [
            (
                "22 27 0:21 / /proc rw shared:13 - proc proc rw".to_owned(),
                Some(format!("/proc/{pid}")),
            ),
            ("22 27 0:21 / /proc rw - sysfs proc rw".to_owned(), None),
            (
                "22 27 0:21 / /no/such/proc rw - proc proc rw".to_owned(),
                None,
            ),
            (
                "22 27 0:21 /sys /srv/sys rw - proc proc rw".to_owned(),
                None,
            ),
            (
                format!("22 27 0:21 /{pid}/fd /srv/a\\040b rw - proc proc rw"),
                Some("/srv/a b".to_owned()),
            ),
            ("22 27".to_owned(), None),
            (String::new(), None),
        ] {
            let found = Proc::mounted(line.as_bytes()).map(|found| match found {
                Proc::Whole { own, .. } | Proc::Own(own) => own,
            });
            assert_eq!(found, expected.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn the_own_process_is_reached_by_no_way() {
        let protected = Protected::new(&[]);
        let hit = |path: &str, reach| protected.hit(Path::new(path), reach);
        let task = fs::read_dir("/proc/self/task").unwrap().next().unwrap();
        let thread = format!("/proc/{}", task.unwrap().file_name().to_str().unwrap());
        for path in [
            "/proc",
            "/proc/self",
            "/proc/self/fd",
            "/proc/thread-self",
            "/",
            &thread,
        ] {
            let told = hit(path, Reach::Tree).unwrap();
            assert!(told.ends_with("mhost's own process"), "{told}");
        }
        for path in ["/proc/sys", "/proc/1", "/tmp", "/proc/0"] {
            assert_eq!(hit(path, Reach::Tree), None, "{path}");
        }
        assert_eq!(hit("/proc", Reach::File), None);
        assert!(hit("/proc/self/environ", Reach::File).is_some());
    }
}
