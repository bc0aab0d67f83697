//! Snapshots: listing them, finding the one that is meant, and their times.

use std::collections::HashSet;
use std::fmt;

use chrono::DateTime;
use mhost_model::ports::repository::Snapshot;
use mhost_model::{Fault, FaultResult, Instant};
use rustic_core::jiff::{Timestamp, Zoned, tz::TimeZone};
use rustic_core::repofile::{SnapshotFile, SnapshotId};
use rustic_core::{Open, Repository};

use crate::fault;

/// A snapshot, and the folder in it that is meant: `ID`, `latest`, `ID:/PATH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    pub snapshot: &'a str,
    pub folder: Option<&'a str>,
}

impl<'a> Reference<'a> {
    pub fn new(text: &'a str) -> Self {
        match text.split_once(':') {
            None => Self {
                snapshot: text,
                folder: None,
            },
            Some((snapshot, folder)) => Self {
                snapshot,
                folder: Some(folder),
            },
        }
    }
}

/// The snapshots of a repository. One whose file is damaged does not hide the others.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Oldest first.
    pub found: Vec<SnapshotFile>,
    /// Those that cannot be read.
    pub unread: Vec<Unread>,
}

/// A snapshot's file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub id: String,
    pub why: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the snapshot {} cannot be read: {}", &self.id, self.why)
    }
}

impl Snapshots {
    /// Reads all; fails only where they cannot be listed.
    pub fn read<S: Open>(repo: &Repository<S>) -> FaultResult<Self> {
        let failed = |error: Box<_>| fault::rustic("listing the snapshots", &error);
        let ids: Vec<SnapshotId> = repo.list().map_err(failed)?.collect();
        let files = repo.stream_files_list(ids.clone()).map_err(failed)?;
        let mut all = Self::default();
        // A fault does not say which file it is about.
        for (id, file) in files.flatten() {
            all.found.push(named(id, file));
        }
        let known: HashSet<SnapshotId> = all.found.iter().map(|one| one.id).collect();
        for id in ids.into_iter().filter(|id| !known.contains(id)) {
            match read(repo, id) {
                Ok(file) => all.found.push(file),
                Err(why) => all.unread.push(Unread {
                    id: hex(id),
                    why: why.to_string(),
                }),
            }
        }
        all.found
            .sort_by(|a, b| a.time.cmp(&b.time).then(a.id.cmp(&b.id)));
        all.unread.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }

    /// All, or a fault: for what must not overlook one.
    pub fn complete<S: Open>(repo: &Repository<S>, doing: &str) -> FaultResult<Vec<SnapshotFile>> {
        let all = Self::read(repo)?;
        match all.unread.first() {
            None => Ok(all.found),
            Some(first) => Err(Fault::Damaged(format!(
                "{doing}: {first} ({} in all), so nobody knows what it keeps; nothing was changed: \
                 bring its file back from a copy of the repository, or remove `snapshots/{}`",
                all.unread.len(),
                first.id
            ))),
        }
    }

    /// For people.
    pub fn remarks(&self) -> Vec<String> {
        self.unread.iter().map(ToString::to_string).collect()
    }
}

fn read<S: Open>(repo: &Repository<S>, id: SnapshotId) -> FaultResult<SnapshotFile> {
    let doing = || format!("reading `snapshots/{}`", hex(id));
    let mut files = repo
        .stream_files_list(vec![id])
        .map_err(|error| fault::rustic(doing(), &error))?;
    let file = files
        .next()
        .ok_or_else(|| Fault::Damaged(format!("{}: it is damaged", doing())))?;
    let (id, file) = file.map_err(|error| fault::rustic(doing(), &error))?;
    Ok(named(id, file))
}

/// What the library does with a file that it reads by itself.
fn named(id: SnapshotId, mut file: SnapshotFile) -> SnapshotFile {
    file.id = id;
    file.original.get_or_insert(id);
    file
}

/// The one snapshot that an id, the start of one, or `latest` means.
pub fn find<S: Open>(repo: &Repository<S>, wanted: &str) -> FaultResult<SnapshotFile> {
    if wanted == "latest" {
        return latest(Snapshots::read(repo)?);
    }
    if wanted.is_empty() || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Fault::Invalid(format!(
            "`{wanted}` names no snapshot: give an id, the start of one, or `latest`"
        )));
    }
    let wanted = wanted.to_ascii_lowercase();
    let ids = repo
        .list::<SnapshotId>()
        .map_err(|error| fault::rustic("listing the snapshots", &error))?;
    let mut meant = ids.filter(|id| hex(*id).starts_with(&wanted));
    match (meant.next(), meant.count()) {
        (Some(only), 0) => read(repo, only),
        (Some(_), others) => Err(Fault::Invalid(format!(
            "{} snapshots begin with `{wanted}`: give more digits",
            others + 1
        ))),
        (None, _) => Err(Fault::NotFound(format!("there is no snapshot `{wanted}`"))),
    }
}

fn latest(mut all: Snapshots) -> FaultResult<SnapshotFile> {
    let newest = all.found.pop();
    newest.ok_or_else(|| match all.unread.first() {
        None => Fault::NotFound("the repository has no snapshot yet".to_owned()),
        Some(unread) => Fault::Damaged(unread.to_string()),
    })
}

fn hex(id: SnapshotId) -> String {
    id.to_hex().as_str().to_owned()
}

fn id_of(snapshot: &SnapshotFile) -> String {
    hex(snapshot.id)
}

/// In the words of the port.
pub fn describe(file: &SnapshotFile) -> Snapshot {
    let summary = file.summary.as_ref();
    Snapshot {
        id: id_of(file),
        time: instant(file.time.timestamp()).unwrap_or_default(),
        hostname: file.hostname.clone(),
        paths: file.paths.iter().cloned().collect(),
        tags: file.tags.iter().cloned().collect(),
        files: summary.map_or(0, |summary| summary.total_files_processed),
        size: summary.map_or(0, |summary| summary.total_bytes_processed),
    }
}

/// With the machine's zone, as restic stores it: `daily` means the operator's day.
pub fn zoned(now: Instant) -> FaultResult<Zoned> {
    Timestamp::from_millisecond(now.timestamp_millis())
        .map(|time| time.to_zoned(TimeZone::system()))
        .map_err(|error| Fault::Invalid(format!("the time {now} cannot be stored: {error}")))
}

/// `None` outside of what the calendar holds.
pub fn instant(time: Timestamp) -> Option<Instant> {
    DateTime::from_timestamp(time.as_second(), 0)
        .map(|whole| whole + chrono::TimeDelta::nanoseconds(time.subsec_nanosecond().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let check = |text, snapshot, folder| {
            assert_eq!(
                Reference::new(text),
                Reference { snapshot, folder },
                "{text}"
            );
        };
        check("latest", "latest", None);
        check("ab12", "ab12", None);
        check("latest:/srv/a:b", "latest", Some("/srv/a:b"));
        check("latest:", "latest", Some(""));
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        for (seconds, nanoseconds) in [(0, 0), (1_700_000_000, 123_456_789), (-5, -250)] {
            let time = Timestamp::new(seconds, nanoseconds).unwrap();
            let back = instant(time).unwrap();
            let expected = i64::try_from(time.as_nanosecond()).unwrap();
            assert_eq!(back.timestamp_nanos_opt(), Some(expected));
        }
    }
}
