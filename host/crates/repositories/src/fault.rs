//! Errors of `rustic_core` and of the system as faults: one line that names the
//! operation, the place and what went wrong.

use std::any::Any;
use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use mhost_model::{Fault, FaultResult};
use rustic_core::RusticError;

/// What `rustic_core` says where stored data is not what it must be.
const DAMAGE: [&str; 8] = [
    "MAC check failed",
    "too short",
    "not found in index",
    "missing in index",
    "deserialize",
    "does not exist",
    "does not match",
    "No such file or directory",
];

/// A fault of an operation that reads or writes a repository.
pub fn rustic(doing: impl Display, error: &RusticError) -> Fault {
    match of(doing, error) {
        Fault::Damaged(text) => Fault::Damaged(format!("{text}; `check` shows what is affected")),
        fault => fault,
    }
}

/// As [`rustic`], where `check` would stand at the same point.
pub fn of(doing: impl Display, error: &RusticError) -> Fault {
    if error.is_code("C001") {
        return Fault::Damaged(format!(
            "{doing}: what is stored there is damaged (its seal does not fit)"
        ));
    }
    let text = one_line(&error.display_log());
    let message = format!("{doing}: {text}");
    match DAMAGE.iter().any(|sign| text.contains(sign)) {
        true => Fault::Damaged(message),
        false => Fault::Failed(message),
    }
}

/// A fault of a call to the system about a path.
pub fn system(doing: impl Display, path: &Path, error: &io::Error) -> Fault {
    let message = format!("{doing} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => Fault::NotFound(message),
        io::ErrorKind::AlreadyExists => Fault::Exists(message),
        _ => Fault::Failed(message),
    }
}

/// `rustic_core` panics on some damage; here that is a fault like any other.
pub fn guarded<T>(doing: &str, body: impl FnOnce() -> FaultResult<T>) -> FaultResult<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        Err(Fault::Damaged(format!(
            "{doing}: stopped at something unexpected in the repository: {}",
            one_line(&said(panic.as_ref()))
        )))
    })
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "no message".to_owned())
}

/// Without the library's frame (`Error: … (kind: related to …)`) and line breaks.
pub fn one_line(text: &str) -> String {
    let text = text.strip_prefix("Error: ").unwrap_or(text);
    let text = match (text.find(" (kind: "), text.find("): caused by: ")) {
        (Some(start), Some(end)) if start < end => {
            let cause = &text[end + "): caused by: ".len()..];
            format!("{}: {cause}", &text[..start])
        }
        (Some(start), None) => text[..start].to_owned(),
        _ => text.to_owned(),
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace(".: ", ": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustic_core::ErrorKind;

    #[test]
    fn one_line_without_the_frame() {
        let error = RusticError::with_source(
            ErrorKind::Backend,
            "Failed to read `{path}`.\nPlease check.",
            io::Error::other("disk on fire"),
        )
        .attach_context("path", "/x");
        let fault = rustic("reading", &error);
        let expected = "reading: Failed to read `/x`. Please check: disk on fire";
        assert_eq!(fault, Fault::Failed(expected.to_owned()));
    }

    #[test]
    fn damage_is_told_from_failure() {
        let error = RusticError::new(ErrorKind::Cryptography, "Data decryption failed")
            .attach_error_code("C001");
        let Fault::Damaged(text) = rustic("reading x", &error) else {
            panic!("no damage")
        };
        assert!(
            text.contains("reading x") && text.contains("seal"),
            "{text}"
        );
        assert!(text.ends_with("`check` shows what is affected"), "{text}");
        assert!(!of("checking", &error).to_string().contains("`check`"));
    }

    #[test]
    fn a_panic_is_a_fault() {
        let fault = guarded("restoring", || -> FaultResult<()> {
            panic!("bad {}", "pack")
        });
        let Err(Fault::Damaged(text)) = fault else {
            panic!("{fault:?}")
        };
        assert!(
            text.contains("restoring") && text.contains("bad pack"),
            "{text}"
        );
    }
}
