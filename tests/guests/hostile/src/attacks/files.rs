//! Files through the language's own library, that is through `wasi:filesystem`.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};

use serde_json::Value;

use super::{number, text};
use crate::exports::mhost::plugin::plugin::{Context, Failure, Report};
use crate::report;

/// Reads a file; the report's summary is its content.
pub fn read(_: &Context, config: &Value) -> Result<Report, Failure> {
    let mut content = Vec::new();
    File::open(text(config, "path"))?
        .take(4096)
        .read_to_end(&mut content)?;
    Ok(report(String::from_utf8_lossy(&content), &[]))
}

/// Writes `bytes` bytes to a file that is made or replaced, in pieces.
pub fn write(_: &Context, config: &Value) -> Result<Report, Failure> {
    pour(File::create(text(config, "path"))?, number(config, "bytes"))
}

/// Appends them.
pub fn append(_: &Context, config: &Value) -> Result<Report, Failure> {
    let file = OpenOptions::new().append(true).open(text(config, "path"))?;
    pour(file, number(config, "bytes"))
}

fn pour(mut file: File, bytes: u64) -> Result<Report, Failure> {
    let piece = vec![b'w'; 10_000];
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    while left > 0 {
        let now = left.min(piece.len());
        file.write_all(&piece[..now])?;
        left -= now;
    }
    Ok(report("wrote", &[("bytes", bytes as f64)]))
}

/// Opens for reading with truncation, which some hosts let through.
pub fn truncate(_: &Context, config: &Value) -> Result<Report, Failure> {
    let path = text(config, "path");
    OpenOptions::new().write(true).truncate(true).open(path)?;
    Ok(report("truncated", &[]))
}

/// Opens a file so many times and closes none.
pub fn open_many(_: &Context, config: &Value) -> Result<Report, Failure> {
    let mut open = Vec::new();
    for _ in 0..number(config, "times") {
        open.push(File::open(text(config, "path"))?);
    }
    Ok(report("opened", &[("files", open.len() as f64)]))
}

/// Begins so many listings of a directory and ends none.
pub fn list_many(_: &Context, config: &Value) -> Result<Report, Failure> {
    let mut open = Vec::new();
    for _ in 0..number(config, "times") {
        open.push(fs::read_dir(text(config, "path"))?);
    }
    Ok(report("listed", &[("listings", open.len() as f64)]))
}

/// Lists a directory; the report's summary is the names.
pub fn list(_: &Context, config: &Value) -> Result<Report, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(text(config, "path"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(report(names.join(","), &[]))
}

/// Opens a directory as such.
pub fn open_directory(_: &Context, config: &Value) -> Result<Report, Failure> {
    let found = File::open(text(config, "path"))?.metadata()?;
    Ok(report(
        if found.is_dir() {
            "a directory"
        } else {
            "a file"
        },
        &[],
    ))
}

pub fn link(_: &Context, config: &Value) -> Result<Report, Failure> {
    fs::hard_link(text(config, "path"), text(config, "to"))?;
    Ok(report("linked", &[]))
}

pub fn rename(_: &Context, config: &Value) -> Result<Report, Failure> {
    fs::rename(text(config, "path"), text(config, "to"))?;
    Ok(report("renamed", &[]))
}

pub fn remove(_: &Context, config: &Value) -> Result<Report, Failure> {
    fs::remove_file(text(config, "path"))?;
    Ok(report("removed", &[]))
}

/// Sets the modification time.
pub fn touch(_: &Context, config: &Value) -> Result<Report, Failure> {
    let file = File::open(text(config, "path"))?;
    file.set_modified(std::time::UNIX_EPOCH)?;
    Ok(report("touched", &[]))
}

pub fn make_directory(_: &Context, config: &Value) -> Result<Report, Failure> {
    fs::create_dir(text(config, "path"))?;
    Ok(report("made", &[]))
}
