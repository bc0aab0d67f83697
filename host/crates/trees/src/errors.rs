//! What the operating system answered, as the contract's error.

use std::io;

use mhost_model::Fault;
use rustix::io::Errno;

/// Says which operation on which guest path failed, and why.
pub fn file_fault(operation: &str, path: &str, error: impl Into<io::Error>) -> Fault {
    let error = error.into();
    let text = format!("cannot {operation} `{}`: {}", shown(path), plain(&error));
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::SRCH) => Fault::NotFound(text),
        Some(Errno::EXIST | Errno::NOTEMPTY) => Fault::Exists(text),
        Some(Errno::BUSY | Errno::TXTBSY | Errno::AGAIN) => Fault::Busy(text),
        Some(
            Errno::INVAL
            | Errno::NOTDIR
            | Errno::ISDIR
            | Errno::NAMETOOLONG
            | Errno::LOOP
            | Errno::FBIG
            | Errno::NXIO,
        ) => Fault::Invalid(text),
        Some(Errno::NOTSUP | Errno::NOSYS | Errno::XDEV | Errno::MLINK) => Fault::Unsupported(text),
        _ => Fault::Failed(text),
    }
}

/// The beginning of a text, for messages.
fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

/// The reason without Rust's `(os error 2)`.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_operation_and_keep_their_kind() {
        for (errno, expected) in [
            (
                Errno::NOENT,
                Fault::NotFound("cannot stat `/a/b`: No such file or directory".to_owned()),
            ),
            (
                Errno::AGAIN,
                Fault::Busy("cannot stat `/a/b`: Resource temporarily unavailable".to_owned()),
            ),
            (
                Errno::NOSPC,
                Fault::Failed("cannot stat `/a/b`: No space left on device".to_owned()),
            ),
        ] {
            assert_eq!(file_fault("stat", "/a/b", errno), expected);
        }
    }
}
