//! The verbs of `mhost:plugin/files`.

use serde_json::{Value, json};

use super::{Answer, fault, number, text, unknown};
use crate::mhost::plugin::files::{
    self as host, Changes, Compression, CopyOptions, HashAlgorithm, Moment, WalkOptions,
};

pub fn run(verb: &str, call: &Value) -> Answer {
    let (path, to) = (text(call, "path"), text(call, "to"));
    let length = call["length"].as_u64();
    let done = |()| Value::Null;
    match verb {
        "stat" => host::stat(path).map(|found| json!({"size": found.size, "mode": found.mode})),
        "set-metadata" => host::set_metadata(path, changes(call)).map(done),
        "copy" => host::copy(path, to, options(call)).map(Value::from),
        "copy-range" => {
            host::copy_range(path, number(call, "offset"), length, to, 0).map(Value::from)
        }
        "replace" => host::replace(path, to).map(done),
        "rename" => host::rename(path, to).map(done),
        "truncate" => host::truncate(path, number(call, "size")).map(done),
        "sync" => host::sync(path).map(done),
        "hard-link" => host::hard_link(path, to).map(done),
        "symbolic-link" => host::symbolic_link(to, path).map(done),
        "free-space" => host::free_space(path).map(|space| json!(space.total >= space.available)),
        "kept-free" => Ok(json!(host::kept_free())),
        "lock" => host::lock(path, true).map(|_lock| Value::Null),
        "hash" => host::hash(path, HashAlgorithm::Crc32, 0, length).map(Value::from),
        "compress" => {
            host::compress(path, to, Compression::Gzip, None).map(|done| json!(done.bytes_in))
        }
        "verify" => host::verify_compressed(path, Compression::Gzip).map(Value::from),
        "expand" => expand(path, number(call, "offset")),
        "walk" => walk(path),
        other => return Err(unknown(other)),
    }
    .map_err(fault)
}

fn changes(call: &Value) -> Changes {
    let at = |seconds| Moment {
        seconds,
        nanoseconds: 0,
    };
    Changes {
        mode: call["mode"].as_u64().and_then(|mode| mode.try_into().ok()),
        uid: None,
        gid: None,
        modified: call["modified"].as_i64().map(at),
        accessed: None,
    }
}

fn options(call: &Value) -> CopyOptions {
    CopyOptions {
        replace: call["replace"].as_bool().unwrap_or_default(),
        preserve: false,
    }
}

/// What a compressed file holds, read in pieces of three bytes.
fn expand(path: &str, offset: u64) -> Result<Value, host::Error> {
    let expanding = host::open_compressed(path, offset)?;
    let mut content = Vec::new();
    loop {
        let piece = expanding.read(3)?;
        if piece.is_empty() {
            return Ok(json!(String::from_utf8_lossy(&content)));
        }
        content.extend(piece);
    }
}

/// All paths of a tree, in order.
fn walk(root: &str) -> Result<Value, host::Error> {
    let options = WalkOptions {
        max_depth: None,
        one_file_system: true,
    };
    let walk = host::open_walk(root, options)?;
    let mut paths = Vec::new();
    loop {
        let entries = walk.next(3)?;
        if entries.is_empty() {
            return Ok(json!(paths));
        }
        paths.extend(entries.into_iter().map(|entry| entry.path));
    }
}
