//! From a file to its text: what is wrong with it before it is TOML.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::mistake::{ConfigError, Mistake, Refusal};
use super::source::Source;

/// A configuration is written by people; nothing of theirs comes near this size.
const LARGEST: u64 = 16 << 20;

/// The text of a configuration file: at most 16 MiB of UTF-8.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    text(
        path,
        "name another one, or let `mhost init` write a first one",
    )
}

/// The text of a file; `or` says what can be done where there is none.
pub fn text(path: &Path, or: &'static str) -> Result<String, ConfigError> {
    let name = path.display().to_string();
    let outside = |refusal| ConfigError::one(Mistake::outside(name.clone(), refusal));
    let bytes = bytes(path).map_err(|error| {
        let (message, help) = explain(&error, or);
        outside(Refusal::new(message, help))
    })?;
    if bytes.len() as u64 > LARGEST {
        let help = "name the right file, or move lists into files of their own";
        return Err(outside(Refusal::new(
            "the file is larger than 16 MiB",
            help,
        )));
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(&name, &error))
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let kind = file.metadata()?;
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn explain(error: &io::Error, or: &'static str) -> (String, &'static str) {
    match error.kind() {
        io::ErrorKind::NotFound => ("there is no such file".into(), or),
        io::ErrorKind::PermissionDenied => (
            "this user may not read the file".into(),
            "change its owner or mode, or run mhost as another user",
        ),
        io::ErrorKind::IsADirectory => (
            "this is a directory".into(),
            "name the file in it: `mhost.toml`",
        ),
        _ => (
            format!("cannot read the file: {error}"),
            "try again, or name another one",
        ),
    }
}

fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> ConfigError {
    let at = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let source = Source::new(name.to_owned(), text);
    let message = format!("the file is not UTF-8 (byte {at})");
    let help = "save it as UTF-8; a TOML file has no other encoding";
    let mistake = Mistake::outside(name, Refusal::new(message, help));
    ConfigError::one(mistake.in_text(&source, &(at..at + 1)))
}
