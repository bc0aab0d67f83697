//! Paths and URLs. Whether there is something at them is not looked at: a disk may be
//! mounted later.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::{Read, Refusal, short};

/// An absolute path: a relative one is taken from `base`, `.` and doubled slashes go.
pub(super) fn path(text: &str, base: &Path) -> Read {
    refuse_shell(text)?;
    let path: PathBuf = base.join(text).components().collect();
    match path.to_str() {
        Some(path) => Ok(Json::from(path)),
        None => Err(Refusal::new(
            format!("`{}` lies in a folder whose name is not UTF-8", short(text)),
            "write the absolute path, or rename the folder",
        )),
    }
}

/// What only a shell would understand, and what the system cannot open.
fn refuse_shell(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Refusal::new(
            "the path is empty",
            "write a path, such as `/var/log/web`",
        ));
    }
    if text.contains('\0') {
        return Err(Refusal::new(
            "the path holds a zero byte",
            "remove `\\u0000`",
        ));
    }
    if text.starts_with('~') {
        let message = format!(
            "`{}` begins with `~`, which only a shell expands",
            short(text)
        );
        return Err(Refusal::new(
            message,
            "write the whole path, such as `/home/NAME/files`",
        ));
    }
    if text.starts_with('$') {
        let message = format!(
            "`{}` begins with a variable, which only a shell expands",
            short(text)
        );
        return Err(Refusal::new(message, "write the whole path"));
    }
    if text.len() > 4095 {
        return Err(Refusal::new(
            "the path is too long",
            "write at most 4095 bytes",
        ));
    }
    Ok(())
}

/// The scheme of a URL; a single letter before a colon is none.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let begins = scheme
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic());
    (begins && scheme.len() > 1 && scheme.bytes().all(fits)).then_some(scheme)
}

/// A folder of this machine stands there as its path.
pub(super) fn repository(text: &str, base: &Path) -> Read {
    match text.split_once(':') {
        Some(("local", folder)) => path(folder, base),
        Some(("file", folder)) => path(folder.strip_prefix("//").unwrap_or(folder), base),
        _ if scheme(text).is_some() => url(text),
        _ => path(text, base),
    }
}

pub(super) fn remote(text: &str, base: &Path) -> Read {
    if ["/", "./", "../"]
        .iter()
        .any(|begin| text.starts_with(begin))
    {
        return path(text, base);
    }
    let Some(scheme) = scheme(text) else {
        let message = format!("`{}` is not a URL", short(text));
        let help = "write a scheme and a place, such as `file:///srv/files` or `memory:NAME`";
        return Err(Refusal::new(message, help));
    };
    if scheme == "file" && !text.starts_with("file:/") {
        let message = format!("`{}` names no absolute path", short(text));
        let help = "write three slashes: `file:///srv/files`";
        return Err(Refusal::new(message, help));
    }
    url(text)
}

/// Whether it leads anywhere is judged with the rest of its channel.
pub(super) fn http(text: &str) -> Read {
    match scheme(text) {
        Some("http" | "https") => url(text),
        _ => Err(Refusal::new(
            format!("`{}` is not an `http` or `https` URL", short(text)),
            "write one such as `https://hooks.example.org/path`",
        )),
    }
}

fn url(text: &str) -> Read {
    if text.len() > 4095 || text.chars().any(|c| c.is_control() || c == ' ') {
        let message = format!(
            "`{}` is not a URL: it holds blanks or is too long",
            short(text)
        );
        return Err(Refusal::new(message, "write a blank as `%20`"));
    }
    Ok(Json::from(text))
}
