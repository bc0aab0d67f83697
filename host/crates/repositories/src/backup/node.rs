//! How a file stands in a snapshot: its metadata in restic's words.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::Metadata as Stat;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::{Mutex, OnceLock, PoisonError};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustic_core::jiff::Timestamp;
use rustic_core::repofile::{Metadata, Node, NodeType};

use super::spot::Spot;

/// Describes what lies at `spot`. Kinds of files that restic does not know are an
/// error.
pub fn describe(name: &OsStr, stat: &Stat, spot: &Spot) -> io::Result<Node> {
    let mut meta = metadata(stat);
    meta.extended_attributes = attributes(spot);
    Ok(Node::new_node(name, node_type(stat, spot)?, meta))
}

/// For a first look: whether it is a folder, and the size.
pub fn sketch(name: &OsStr, stat: &Stat) -> Node {
    let kind = if stat.is_dir() {
        NodeType::Dir
    } else {
        NodeType::File
    };
    let meta = Metadata {
        size: if stat.is_file() { stat.len() } else { 0 },
        ..Metadata::default()
    };
    Node::new_node(name, kind, meta)
}

/// A folder that is only there because sources stand below it: as the machine has
/// it at this path, or plain.
pub fn ancestor(name: &OsStr, path: &std::path::Path) -> Node {
    let stat = path.symlink_metadata().ok().filter(Stat::is_dir);
    let meta = stat.map_or_else(
        || Metadata {
            mode: Some(go_mode(0o040_755)),
            ..Metadata::default()
        },
        |stat| metadata(&stat),
    );
    Node::new_node(name, NodeType::Dir, meta)
}

fn metadata(stat: &Stat) -> Metadata {
    let mtime = Timestamp::new(stat.mtime(), nanoseconds(stat.mtime_nsec())).ok();
    let several = stat.nlink() > 1 && !stat.is_dir();
    Metadata {
        mode: Some(go_mode(stat.mode())),
        mtime,
        // Reading changes the time of access: storing it would store every folder
        // anew each time.
        atime: mtime,
        ctime: Timestamp::new(stat.ctime(), nanoseconds(stat.ctime_nsec())).ok(),
        uid: Some(stat.uid()),
        gid: Some(stat.gid()),
        user: user_name(stat.uid()),
        group: group_name(stat.gid()),
        inode: stat.ino(),
        // Needed to tell hard links; it changes from boot to boot.
        device_id: if several { stat.dev() } else { 0 },
        size: if stat.is_file() { stat.len() } else { 0 },
        links: if stat.is_dir() { 0 } else { stat.nlink() },
        extended_attributes: Vec::new(),
    }
}

fn nanoseconds(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(0)
}

fn node_type(stat: &Stat, spot: &Spot) -> io::Result<NodeType> {
    let kind = stat.file_type();
    let device = stat.rdev();
    Ok(match () {
        () if kind.is_file() => NodeType::File,
        () if kind.is_dir() => NodeType::Dir,
        () if kind.is_symlink() => NodeType::from_link(&spot.link_target()?),
        () if kind.is_fifo() => NodeType::Fifo,
        () if kind.is_socket() => NodeType::Socket,
        () if kind.is_block_device() => NodeType::Dev { device },
        () if kind.is_char_device() => NodeType::Chardev { device },
        () => return Err(io::Error::other("a kind of file that restic does not know")),
    })
}

/// The library's type has no public name; it is made from what it looks like in
/// the repository.
fn attributes<T: serde::de::DeserializeOwned + Default>(spot: &Spot) -> T {
    use serde_json::{Value, json};
    let listed = spot.attributes();
    if listed.is_empty() {
        return T::default();
    }
    let one = |(name, value): (std::ffi::OsString, Vec<u8>)| json!({ "name": name.to_string_lossy(), "value": BASE64_STANDARD.encode(value) });
    let all: Vec<Value> = listed.into_iter().map(one).collect();
    serde_json::from_value(Value::Array(all)).unwrap_or_default()
}

/// The permission bits and the kind as Go numbers them (package `io/fs`).
pub fn go_mode(mode: u32) -> u32 {
    let kind = match mode & 0o170_000 {
        0o040_000 => 1 << 31,
        0o120_000 => 1 << 27,
        0o060_000 => 1 << 26,
        0o020_000 => 1 << 26 | 1 << 21,
        0o010_000 => 1 << 25,
        0o140_000 => 1 << 24,
        _ => 0,
    };
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let special = special.iter().filter(|(bit, _)| mode & bit != 0);
    special.fold(mode & 0o777 | kind, |sum, (_, go)| sum | go)
}

fn user_name(uid: u32) -> Option<String> {
    static KNOWN: OnceLock<Mutex<HashMap<u32, Option<String>>>> = OnceLock::new();
    remembered(&KNOWN, uid, |uid| {
        let user = nix::unistd::User::from_uid(uid.into()).ok()??;
        Some(user.name)
    })
}

fn group_name(gid: u32) -> Option<String> {
    static KNOWN: OnceLock<Mutex<HashMap<u32, Option<String>>>> = OnceLock::new();
    remembered(&KNOWN, gid, |gid| {
        let group = nix::unistd::Group::from_gid(gid.into()).ok()??;
        Some(group.name)
    })
}

fn remembered(
    known: &OnceLock<Mutex<HashMap<u32, Option<String>>>>,
    id: u32,
    ask: impl Fn(u32) -> Option<String>,
) -> Option<String> {
    let known = known.get_or_init(Mutex::default);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(id).or_insert_with(|| ask(id)).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values printed by Go's `os.Lstat(…).Mode()`.
    #[test]
    fn modes_as_in_go() {
        let cases = [
            (0o100_644, 0o644),
            (0o040_755, 0x8000_01ed),
            (0o120_777, 0x0800_01ff),
            (0o104_755, 0x0080_01ed),
            (0o102_755, 0x0040_01ed),
            (0o041_777, 0x8010_01ff),
            (0o010_600, 0x0200_0180),
            (0o020_600, 0x0420_0180),
        ];
        for (unix, go) in cases {
            assert_eq!(go_mode(unix), go, "{unix:o}");
        }
    }
}
