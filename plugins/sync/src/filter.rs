//! Which paths are left out, in the way that .gitignore and rsync bind patterns.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use mhost_sdk::Failure;

/// Compiled patterns.
pub struct Filter {
    /// Match anything.
    any: GlobSet,
    /// Match directories only.
    directories: GlobSet,
}

impl Filter {
    pub fn new(patterns: &[String]) -> Result<Self, Failure> {
        let (directories, any): (Vec<_>, Vec<_>) =
            patterns.iter().partition(|pattern| pattern.ends_with('/'));
        Ok(Self {
            any: compile(&any)?,
            directories: compile(&directories)?,
        })
    }

    /// Whether a path relative to the tree's top is left out itself; that everything
    /// below a left-out directory is, too, is the listing's to see to.
    pub fn excludes(&self, path: &str, directory: bool) -> bool {
        self.any.is_match(path) || (directory && self.directories.is_match(path))
    }
}

fn compile(patterns: &[&String]) -> Result<GlobSet, Failure> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(glob(pattern)?);
    }
    set.build()
        .map_err(|error| Failure::permanent(format!("cannot use `exclude`: {error}")))
}

fn glob(pattern: &str) -> Result<Glob, Failure> {
    let bare = pattern.trim_end_matches('/');
    if bare.trim_start_matches('/').is_empty() {
        return Err(Failure::permanent(format!(
            "`{pattern}` in `exclude` names nothing: write a name or a path below the top"
        )));
    }
    let bound = match bare.strip_prefix('/') {
        Some(rest) => rest.to_owned(),
        None if bare.contains('/') => bare.to_owned(),
        None => format!("**/{bare}"),
    };
    GlobBuilder::new(&bound)
        .literal_separator(true)
        .build()
        .map_err(|error| {
            Failure::permanent(format!("`{pattern}` in `exclude` is no glob: {error}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_bind_as_users_expect() {
        let check = |pattern: &str, path: &str, directory: bool, expected: bool| {
            let filter = Filter::new(&[pattern.to_owned()]).unwrap();
            assert_eq!(
                filter.excludes(path, directory),
                expected,
                "{pattern} on {path}"
            );
        };
        check("*.tmp", "a.tmp", false, true);
        check("*.tmp", "deep/er/a.tmp", false, true);
        check("/*.tmp", "a.tmp", false, true);
        check("/*.tmp", "deep/a.tmp", false, false);
        check("cache/", "x/cache", true, true);
        check("cache/", "x/cache", false, false);
        check("a/*.log", "a/x.log", false, true);
        check("a/*.log", "a/b/x.log", false, false);
        check("a/**/x.log", "a/b/c/x.log", false, true);
    }

    #[test]
    fn bad_patterns_are_named() {
        for bad in ["[", "/", "{a"] {
            let error = Filter::new(&[bad.to_owned()]).err().unwrap();
            assert!(error.message.contains(bad), "{}", error.message);
        }
    }
}
