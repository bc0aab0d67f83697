//! Where a repository lies, and how messages call it.

use std::fmt;
use std::path::{Path, PathBuf};

use mhost_model::{Fault, FaultResult, Name};

/// A repository's name and its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub name: Name,
    pub path: PathBuf,
}

impl Place {
    /// Takes `/srv/repo`, `local:/srv/repo` or `file:///srv/repo`.
    pub fn new(name: Name, url: &str) -> FaultResult<Self> {
        let path = local_path(url).ok_or_else(|| {
            Fault::Unsupported(format!(
                "repository `{name}`: `{url}` cannot be reached: a repository must be a folder of \
                 this machine, as in `/srv/repo`, `local:/srv/repo` or `file:///srv/repo`"
            ))
        })?;
        if !path.is_absolute() {
            return Err(Fault::Invalid(format!(
                "repository `{name}`: the path `{url}` must begin with `/`"
            )));
        }
        Ok(Self {
            name,
            path: path.to_path_buf(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repository `{}` ({})", self.name, self.path.display())
    }
}

/// `None` for any other scheme.
fn local_path(url: &str) -> Option<&Path> {
    let path = match url.split_once(':') {
        None => url,
        Some((before, _)) if before.contains('/') => url,
        Some(("local", path)) => path,
        Some(("file", path)) => path.strip_prefix("//").unwrap_or(path),
        Some(_) => return None,
    };
    Some(Path::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Result<&str, &str>) {
        let name: Name = "site".parse().unwrap();
        match (Place::new(name, url), expected) {
            (Ok(place), Ok(path)) => assert_eq!(place.path, Path::new(path), "{url}"),
            (Err(fault), Err(word)) => assert!(fault.to_string().contains(word), "{url}: {fault}"),
            (got, _) => panic!("{url}: {got:?}"),
        }
    }

    #[test]
    fn urls() {
        check("/srv/repo", Ok("/srv/repo"));
        check("/srv/a:b", Ok("/srv/a:b"));
        check("local:/srv/repo", Ok("/srv/repo"));
        check("file:///srv/repo", Ok("/srv/repo"));
        check("srv/repo", Err("must begin with `/`"));
        check("", Err("must begin with `/`"));
        check("sftp://h/srv", Err("must be a folder of this machine"));
        check("s3:bucket", Err("must be a folder of this machine"));
        check("rest:https://h/", Err("`local:/srv/repo`"));
    }
}
