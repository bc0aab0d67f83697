//! Guest paths as text: `/logs/a/b` is the grant `logs` and the rest `a/b`.
//! Meaning (links, `..`) is the kernel's business, later.

use std::path::{Path, PathBuf};

use mhost_model::{Fault, FaultResult};

/// The kernel's own limit for one path.
const LONGEST: usize = 4096;

/// A guest path that was taken apart, not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GuestPath {
    /// The first component.
    pub grant: String,
    /// The others, joined; empty for the granted directory itself. `..` stays.
    rest: PathBuf,
    /// It ended with `/` or `/.`, which only a directory may.
    pub directory: bool,
}

impl GuestPath {
    /// Takes a guest path apart.
    pub(crate) fn parse(text: &str) -> FaultResult<Self> {
        let wrong = |why| Fault::Invalid(format!("`{}` is not a guest path: {why}", shown(text)));
        if text.len() > LONGEST {
            return Err(wrong("it is longer than 4096 bytes"));
        }
        if text.contains('\0') {
            return Err(wrong("it contains a NUL"));
        }
        let Some(inner) = text.strip_prefix('/') else {
            return Err(wrong("write it absolute, `/GRANT/…`"));
        };
        let mut parts = inner
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".");
        let grant = match parts.next() {
            None => return Err(wrong("it names no grant; write `/GRANT/…`")),
            Some("..") => return Err(wrong("it leads above the grants")),
            Some(grant) => grant.to_owned(),
        };
        Ok(Self {
            grant,
            rest: parts.collect(),
            directory: inner.ends_with('/') || inner.ends_with("/."),
        })
    }

    /// What to resolve beneath the grant; `.` for the granted directory itself.
    pub(crate) fn rest(&self) -> &Path {
        if self.rest.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.rest
        }
    }

    /// The folder and the last name; none for the granted directory itself and for
    /// what ends with `..`.
    pub(crate) fn parent_and_name(&self) -> Option<(&Path, &str)> {
        let name = self.rest.file_name()?.to_str()?;
        let parent = self.rest.parent().unwrap_or(Path::new("."));
        if parent.as_os_str().is_empty() {
            return Some((Path::new("."), name));
        }
        Some((parent, name))
    }

    /// Whether it names the granted directory itself.
    pub(crate) fn is_grant(&self) -> bool {
        self.rest.as_os_str().is_empty()
    }
}

/// The beginning of a text, for messages.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str, bool)>) {
        let parsed = GuestPath::parse(text).ok();
        let parsed = parsed
            .as_ref()
            .map(|p| (p.grant.as_str(), p.rest().to_str().unwrap(), p.directory));
        assert_eq!(parsed, expected, "{text:?}");
    }

    #[test]
    fn paths_are_taken_apart() {
        check("/logs", Some(("logs", ".", false)));
        check("/logs/", Some(("logs", ".", true)));
        check("/logs/a/b", Some(("logs", "a/b", false)));
        check("//logs//./a///b/", Some(("logs", "a/b", true)));
        check("/logs/a/.", Some(("logs", "a", true)));
        check("/logs/../etc", Some(("logs", "../etc", false)));
        check("/logs/a/..", Some(("logs", "a/..", false)));
        check("", None);
        check("/", None);
        check("/..", None);
        check("/../etc", None);
        check("logs/a", None);
        check("/logs/a\0b", None);
        check(&format!("/logs/{}", "x".repeat(4096)), None);
    }

    #[test]
    fn last_names() {
        for (text, expected) in [
            ("/logs/a", Some((".", "a"))),
            ("/logs/a/b/", Some(("a", "b"))),
            ("/logs", None),
            ("/logs/a/..", None),
            ("/logs/..", None),
        ] {
            let path = GuestPath::parse(text).unwrap();
            let split = path
                .parent_and_name()
                .map(|(parent, name)| (parent.to_str().unwrap(), name));
            assert_eq!(split, expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in "[/.a\\PC]{0,40}") {
            if let Ok(path) = GuestPath::parse(&text) {
                proptest::prop_assert!(path.rest().is_relative());
                proptest::prop_assert!(!path.grant.contains('/'));
            }
        }
    }
}
