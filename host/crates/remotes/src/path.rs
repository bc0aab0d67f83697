//! Paths within a remote: relative, `/` between names, nothing that climbs.

use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use mhost_model::{Fault, FaultResult};

/// Bytes of a path; what Linux takes as well.
const LONGEST: usize = 4095;

/// Checks the path of a file or a folder below the root.
pub(crate) fn check(path: &str) -> FaultResult<&str> {
    match why_bad(path) {
        Some(why) => Err(Fault::Invalid(format!(
            "`{}` is no path in a remote: {why}",
            path.escape_debug()
                .to_string()
                .chars()
                .take(200)
                .collect::<String>()
        ))),
        None => Ok(path),
    }
}

/// Checks the path of a folder; the root is the empty path, and one slash at the
/// end is taken off.
pub(crate) fn check_folder(path: &str) -> FaultResult<&str> {
    if path.is_empty() {
        return Ok(path);
    }
    check(path.strip_suffix('/').unwrap_or(path))
}

fn why_bad(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.len() > LONGEST {
        return Some("it is too long");
    }
    if path.starts_with('/') {
        return Some("it is absolute");
    }
    if path.contains('\0') {
        return Some("it has a NUL character");
    }
    path.split('/').find_map(|name| match name {
        "" => Some("it has an empty name"),
        "." | ".." => Some("`.` and `..` are not allowed"),
        _ => None,
    })
}

/// A file in the making lies beside its place, as `.NAME.mhost-tmp`.
const ASIDE_PREFIX: &str = ".";
const ASIDE_SUFFIX: &str = ".mhost-tmp";
/// Bytes of a name that still leave room for prefix and suffix.
const ASIDE_LONGEST: usize = 240;

/// Whether a name is that of a file in the making, which is no entry of the remote.
pub(crate) fn is_aside(name: &str) -> bool {
    name.starts_with(ASIDE_PREFIX) && name.ends_with(ASIDE_SUFFIX)
}

pub(crate) fn aside_name(name: &str) -> String {
    if name.len() <= ASIDE_LONGEST {
        return format!("{ASIDE_PREFIX}{name}{ASIDE_SUFFIX}");
    }
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("{ASIDE_PREFIX}{:016x}{ASIDE_SUFFIX}", hasher.finish())
}

/// Where a file of a service is made: two that write the same one do not disturb each other.
pub(crate) fn aside_path(path: &str) -> FaultResult<String> {
    let (folder, name) = split(path);
    refuse_aside(name, path)?;
    let number = RandomState::new().build_hasher().finish();
    Ok(join(folder, &aside_name(&format!("{name}.{number:016x}"))))
}

/// The answer of a file in the making that was lost before.
pub(crate) fn lost(path: &str) -> Fault {
    Fault::Failed(format!("cannot write `{path}`: an error went before"))
}

/// Nobody else writes files of such names.
pub(crate) fn refuse_aside(name: &str, path: &str) -> FaultResult<()> {
    match is_aside(name) {
        true => Err(Fault::Invalid(format!(
            "`{path}` is a name that mhost keeps for itself"
        ))),
        false => Ok(()),
    }
}

/// The folder and the name of a checked path; the root's folder is empty.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The path of a name in a folder.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for good in ["a", "a/b", ".hidden", "a..b", "...", "ä/ü", " ", "a\\b"] {
            assert_eq!(check(good), Ok(good));
        }
        let long = "a/".repeat(2048) + "a";
        for bad in [
            "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a\0b", &long,
        ] {
            let Err(Fault::Invalid(_)) = check(bad) else {
                panic!("{bad:?} was taken");
            };
        }
        for (folder, expected) in [
            ("", Some("")),
            ("a/", Some("a")),
            ("a//", None),
            ("/", None),
        ] {
            assert_eq!(check_folder(folder).ok(), expected, "{folder:?}");
        }
    }
}
