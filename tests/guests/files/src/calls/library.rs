//! The same through the language's own library, that is through `wasi:filesystem`.

use std::fs::{self, File, OpenOptions};
use std::io;

use serde_json::Value;

use super::{Answer, text, unknown};

pub fn run(verb: &str, call: &Value) -> Answer {
    let (path, to) = (text(call, "path"), text(call, "to"));
    let done = |()| Value::Null;
    match verb {
        "read" => fs::read_to_string(path).map(Value::from),
        "write" => fs::write(path, "written by the guest").map(done),
        "truncate" => OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(path)
            .map(drop)
            .map(done),
        "create" => File::create_new(path).map(drop).map(done),
        "rename" => fs::rename(path, to).map(done),
        "hard-link" => fs::hard_link(path, to).map(done),
        "remove" => fs::remove_file(path).map(done),
        "list" => list(path),
        other => return Err(unknown(other)),
    }
    .map_err(|error| (format!("{:?}", error.kind()), error.to_string()))
}

fn list(path: &str) -> io::Result<Value> {
    let names =
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(Value::from(names))
}
