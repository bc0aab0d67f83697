//! A restore must not write into the repository that it reads, nor remove it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mhost_model::{Fault, FaultResult};

/// Where the repository lies below the target, if it does: there nothing may come to
/// lie. Fails where the target lies in the repository, and with `delete` where it
/// covers it.
pub fn check(
    repository: Option<&Path>,
    target: &Path,
    delete: bool,
) -> FaultResult<Option<PathBuf>> {
    let Some(repository) = repository.and_then(|path| path.canonicalize().ok()) else {
        return Ok(None);
    };
    let target = real(target);
    let whole = id(&repository);
    if whole.is_some() && target.ancestors().any(|above| id(above) == whole) {
        return Err(Fault::Invalid(format!(
            "restoring to {}: that lies in the repository itself ({}); name another folder",
            target.display(),
            repository.display()
        )));
    }
    let wanted = id(&target);
    let covering = wanted.and_then(|wanted| {
        let mut above = repository.ancestors();
        above.find(|above| id(above) == Some(wanted))
    });
    let below = covering.and_then(|above| repository.strip_prefix(above).ok());
    match below {
        Some(_) if delete => Err(Fault::Invalid(format!(
            "restoring to {} with `delete`: the repository itself lies there ({}) and would be removed; \
             restore to another folder, or without `delete`",
            target.display(),
            repository.display()
        ))),
        below => Ok(below.map(Path::to_path_buf)),
    }
}

/// The path with what leads to it resolved, as far as it exists; also that of an open
/// folder below `/proc/self/fd`.
pub fn real(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        let rest = path.strip_prefix(above).ok()?;
        Some(match rest.as_os_str().is_empty() {
            true => real,
            false => real.join(rest),
        })
    });
    found.unwrap_or_else(|| path.to_path_buf())
}

/// Also through another mount, a folder is the same folder.
fn id(path: &Path) -> Option<(u64, u64)> {
    let stat = fs::metadata(path).ok()?;
    Some((stat.dev(), stat.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_test_support::scratch;
    use std::os::unix::fs::symlink;

    #[test]
    fn where_the_repository_lies() {
        let dir = scratch("apart");
        let at = |below: &str| dir.path().join(below);
        fs::create_dir_all(at("site/repo/data")).unwrap();
        fs::create_dir(at("out")).unwrap();
        symlink(at("site/repo"), at("link")).unwrap();
        let check = |target: &str, delete| check(Some(&at("link")), &at(target), delete);
        for inside in [
            "site/repo",
            "site/repo/data",
            "site/repo/new",
            "link",
            "link/new",
        ] {
            assert!(check(inside, false).is_err(), "{inside}");
        }
        assert_eq!(check("out", true), Ok(None));
        assert_eq!(check("site/repository", true), Ok(None));
        assert_eq!(check("site", false), Ok(Some("repo".into())));
        assert_eq!(check("", false), Ok(Some("site/repo".into())));
        assert!(check("site", true).is_err() && check("", true).is_err());
    }
}
