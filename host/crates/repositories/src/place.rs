//! Where a repository lies, and how messages call it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::ports::remote::Remotes;
use mhost_model::{Fault, FaultResult, Name};

use crate::medium::{Far, Local, Medium};

/// A repository's name and where it is.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: Name,
    pub medium: Arc<dyn Medium>,
    /// For messages, and for restic; without a password.
    shown: String,
}

impl Place {
    /// Takes `/srv/repo`, `local:/srv/repo`, `file:///srv/repo`, and what the driver of
    /// remotes takes: `sftp:`, `s3:`, `webdav:`, `rest:`.
    pub fn new(name: Name, url: &str, remotes: &dyn Remotes) -> FaultResult<Self> {
        let Some(path) = local_path(url) else {
            let remote = remotes.open_url(url).map_err(|fault| about(&name, fault))?;
            return Ok(Self {
                name,
                medium: Arc::new(Far::new(remote)),
                shown: without_password(url),
            });
        };
        if !path.is_absolute() {
            return Err(Fault::Invalid(format!(
                "repository `{name}`: the path `{url}` must begin with `/`"
            )));
        }
        Ok(Self::at(name, path.to_path_buf()))
    }

    /// A folder of this machine.
    pub fn at(name: Name, path: PathBuf) -> Self {
        Self {
            name,
            shown: path.display().to_string(),
            medium: Arc::new(Local::new(path)),
        }
    }

    /// As restic takes it after `-r`.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repository `{}` ({})", self.name, self.shown)
    }
}

fn about(name: &Name, fault: Fault) -> Fault {
    let text = |text| format!("repository `{name}`: {text}");
    match fault {
        Fault::Unsupported(why) => Fault::Unsupported(text(why)),
        Fault::Invalid(why) => Fault::Invalid(text(why)),
        Fault::NotFound(why) => Fault::NotFound(text(why)),
        other => Fault::Failed(text(other.to_string())),
    }
}

/// What stands between `://` and `@` may hold one.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((user, _)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}@{}", &rest[user.len() + 1..])
        }
        None => url.to_owned(),
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
    use mhost_model::ports::remote::Remote;

    struct Nowhere;

    impl Remotes for Nowhere {
        fn open(&self, _name: &Name) -> FaultResult<Box<dyn Remote>> {
            Err(Fault::Unsupported("no remotes here".to_owned()))
        }
    }

    fn check(url: &str, expected: Result<&str, &str>) {
        let name: Name = "site".parse().unwrap();
        match (Place::new(name, url, &Nowhere), expected) {
            (Ok(place), Ok(path)) => {
                assert_eq!(place.medium.folder(), Some(Path::new(path)), "{url}")
            }
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
        check("sftp://h/srv", Err("repository `site`"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let check = |url, shown| assert_eq!(without_password(url), shown);
        check(
            "rest:http://me:secret@host:8000/a",
            "rest:http://me@host:8000/a",
        );
        check("sftp://me@host/a", "sftp://me@host/a");
        check("s3:http://host/bucket", "s3:http://host/bucket");
        check("sftp:me@host:/a", "sftp:me@host:/a");
    }
}
