//! Snapshots: listing them, finding the one that is meant, and their times.

use chrono::DateTime;
use mhost_model::ports::repository::Snapshot;
use mhost_model::{Fault, FaultResult, Instant};
use rustic_core::jiff::{Timestamp, Zoned, tz::TimeZone};
use rustic_core::repofile::SnapshotFile;
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

/// All, oldest first.
pub fn all<S: Open>(repo: &Repository<S>) -> FaultResult<Vec<SnapshotFile>> {
    let mut found = repo
        .get_all_snapshots()
        .map_err(|error| fault::rustic("reading the snapshots", &error))?;
    found.sort_by(|a, b| a.time.cmp(&b.time).then(a.id.cmp(&b.id)));
    Ok(found)
}

/// The one snapshot that an id, the start of one, or `latest` means.
pub fn find<S: Open>(repo: &Repository<S>, wanted: &str) -> FaultResult<SnapshotFile> {
    let mut found = all(repo)?;
    if wanted == "latest" {
        return found
            .pop()
            .ok_or_else(|| Fault::NotFound("the repository has no snapshot yet".to_owned()));
    }
    if wanted.is_empty() || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Fault::Invalid(format!(
            "`{wanted}` names no snapshot: give an id, the start of one, or `latest`"
        )));
    }
    let wanted = wanted.to_ascii_lowercase();
    found.retain(|snapshot| id_of(snapshot).starts_with(&wanted));
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (Some(_), others) => Err(Fault::Invalid(format!(
            "{} snapshots begin with `{wanted}`: give more digits",
            others + 1
        ))),
        (None, _) => Err(Fault::NotFound(format!("there is no snapshot `{wanted}`"))),
    }
}

fn id_of(snapshot: &SnapshotFile) -> String {
    snapshot.id.to_hex().as_str().to_owned()
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
