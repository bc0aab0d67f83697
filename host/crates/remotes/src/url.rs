//! What a remote's URL means.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use mhost_model::{Fault, FaultResult, Name};

/// Where a remote is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A directory's absolute path.
    Folder(PathBuf),
    /// A store in this process's memory, shared by name.
    Memory(Name),
}

const KNOWN: &str = "known are `file:///path`, an absolute path, and `memory:NAME`, which lasts as long as mhost runs";

impl Location {
    pub fn parse(url: &str) -> FaultResult<Self> {
        if url.starts_with('/') {
            return folder(PathBuf::from(url));
        }
        // The URL is not repeated: it may hold a password.
        match url.split_once(':') {
            Some(("file", rest)) => file(rest),
            Some(("memory", name)) => name
                .parse()
                .map(Self::Memory)
                .map_err(|error| Fault::Invalid(format!("in `memory:NAME`, {error}"))),
            Some((scheme, _)) if is_scheme(scheme) => Err(Fault::Unsupported(format!(
                "`{scheme}:` is no kind of remote that this mhost has: {KNOWN}"
            ))),
            _ => Err(Fault::Invalid(format!(
                "the remote's URL has no scheme: {KNOWN}"
            ))),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(rest)
}

/// `///path`, `//localhost/path` or `/path`, percent-encoded.
fn file(rest: &str) -> FaultResult<Location> {
    let encoded = match rest.strip_prefix("//") {
        Some(local) => local.strip_prefix("localhost").unwrap_or(local),
        None => rest,
    };
    if !encoded.starts_with('/') {
        return Err(Fault::Invalid(
            "a `file:` remote is a folder of this machine: write `file:///path`".into(),
        ));
    }
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(encoded).collect();
    folder(PathBuf::from(OsStr::from_bytes(&bytes)))
}

fn folder(path: PathBuf) -> FaultResult<Location> {
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(Fault::Invalid(
            "the remote's path has a NUL character".into(),
        ));
    }
    Ok(Location::Folder(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        for (url, path) in [
            ("/srv/files", "/srv/files"),
            ("/srv/a%20b", "/srv/a%20b"),
            ("file:///srv/files", "/srv/files"),
            ("file:/srv/files", "/srv/files"),
            ("file://localhost/srv/files", "/srv/files"),
            ("file:///srv/a%20b", "/srv/a b"),
        ] {
            let expected = Location::Folder(path.into());
            assert_eq!(Location::parse(url), Ok(expected), "{url}");
        }
        let memory = Location::Memory("test".parse().unwrap());
        assert_eq!(Location::parse("memory:test"), Ok(memory));
    }

    #[test]
    fn mistakes_say_what_is_known() {
        for (url, word) in [
            ("s3://bucket/a", "`s3:` is no kind"),
            ("sftp://me:secret@host/a", "file:///path"),
            ("srv/files", "no scheme"),
            ("", "no scheme"),
            ("file://otherhost/srv", "this machine"),
            ("file:relative", "this machine"),
            ("file:///a%00b", "NUL"),
            ("memory:", "not a valid name"),
            ("memory:A B", "not a valid name"),
            ("me@host:/srv", "no scheme"),
        ] {
            let fault = Location::parse(url).unwrap_err().to_string();
            assert!(fault.contains(word), "{url}: {fault}");
            assert!(!fault.contains("secret"), "{fault}");
        }
    }
}
