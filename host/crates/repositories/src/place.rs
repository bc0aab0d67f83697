//! Where a repository lies, and how messages call it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::ports::remote::Remotes;
use mhost_model::resource::Endpoint;
use mhost_model::{Fault, FaultResult, Name};

use crate::medium::{Far, Local, Medium};

/// A repository's name and where it is.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: Name,
    pub medium: Arc<dyn Medium>,
    /// For messages, and for restic; URLs hold no password.
    shown: String,
}

impl Place {
    /// Takes `/srv/repo`, `local:/srv/repo`, `file:///srv/repo`, and what the driver of
    /// remotes takes: `sftp:`, `s3:`, `webdav:`, `rest:`.
    pub fn new(name: Name, endpoint: &Endpoint, remotes: &dyn Remotes) -> FaultResult<Self> {
        let url = endpoint.url.as_str();
        let Some(path) = local_path(url) else {
            let opened = remotes.open_endpoint(endpoint);
            return Ok(Self {
                medium: Arc::new(Far::new(opened.map_err(|fault| about(&name, fault))?)),
                name,
                shown: url.to_owned(),
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
        match (Place::new(name, &Endpoint::at(url), &Nowhere), expected) {
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
}
