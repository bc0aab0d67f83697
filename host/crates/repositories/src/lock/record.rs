//! What stands in a lock file, and when it no longer counts.

use std::fmt;

use chrono::{DateTime, FixedOffset, TimeDelta};
use mhost_model::Instant;
use mhost_model::ports::repository::LockInfo;
use rustix::process::{Pid, getgid, getpid, getuid, test_kill_process};
use serde::{Deserialize, Serialize};

/// restic's own limit.
pub fn stale_after() -> TimeDelta {
    TimeDelta::minutes(30)
}

/// Field by field as restic writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub time: DateTime<FixedOffset>,
    pub exclusive: bool,
    #[serde(default)]
    pub hostname: String,
    #[serde(default)]
    pub username: String,
    pub pid: i32,
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
}

/// The part that does not change while a lock is held.
#[derive(Debug, Clone)]
pub struct Owner {
    pub exclusive: bool,
    pub hostname: String,
    pub username: String,
}

impl Owner {
    pub fn this_process(exclusive: bool) -> Self {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid());
        Self {
            exclusive,
            hostname: gethostname::gethostname().to_string_lossy().into_owned(),
            username: user
                .ok()
                .flatten()
                .map(|user| user.name)
                .unwrap_or_default(),
        }
    }

    pub fn record(&self, now: Instant) -> Record {
        Record {
            time: now.fixed_offset(),
            exclusive: self.exclusive,
            hostname: self.hostname.clone(),
            username: self.username.clone(),
            pid: getpid().as_raw_nonzero().get(),
            uid: getuid().as_raw(),
            gid: getgid().as_raw(),
        }
    }
}

impl Record {
    /// For people, who decide whether it may go.
    pub fn explained(
        &self,
        id: String,
        now: Instant,
        hostname: &str,
        lives: impl Fn(i32) -> bool,
    ) -> LockInfo {
        let minutes = now.signed_duration_since(self.time).num_minutes();
        let explanation = if minutes > stale_after().num_minutes() {
            format!(
                "stale: it was not renewed for {minutes} minutes, and its holder would do so every five"
            )
        } else if self.hostname != hostname {
            format!("it counts: it was renewed {minutes} minutes ago, by another machine")
        } else if lives(self.pid) {
            format!("it counts: process {} of this machine lives", self.pid)
        } else {
            format!("stale: process {} of this machine is gone", self.pid)
        };
        LockInfo {
            id,
            exclusive: self.exclusive,
            hostname: self.hostname.clone(),
            username: self.username.clone(),
            pid: self.pid,
            time: self.time.to_utc(),
            stale: self.is_dead(now, hostname, lives),
            explanation,
        }
    }

    /// `lives` tells whether a process of this machine is there.
    pub fn is_dead(&self, now: Instant, hostname: &str, lives: impl Fn(i32) -> bool) -> bool {
        let age = now.signed_duration_since(self.time);
        age > stale_after() || (self.hostname == hostname && !lives(self.pid))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "process {} of user `{}` on host `{}` (seen {})",
            self.pid,
            self.username,
            self.hostname,
            self.time.format("%F %T %:z")
        )
    }
}

/// A process that may not be signalled lives, too.
pub fn process_lives(pid: i32) -> bool {
    match Pid::from_raw(pid) {
        Some(pid) if pid.as_raw_nonzero().get() > 0 => {
            test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(minutes_old: i64, host: &str, alive: bool, dead: bool) {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut record = Owner::this_process(false).record(now - TimeDelta::minutes(minutes_old));
        record.hostname = host.to_owned();
        assert_eq!(
            record.is_dead(now, "here", |_| alive),
            dead,
            "{minutes_old} minutes, {host}, alive {alive}"
        );
    }

    #[test]
    fn death() {
        check(0, "here", true, false);
        check(29, "here", true, false);
        check(30, "here", true, false);
        check(31, "here", true, true);
        check(0, "here", false, true);
        check(0, "elsewhere", false, false);
        check(31, "elsewhere", false, true);
        // A clock that runs ahead is no death.
        check(-120, "elsewhere", false, false);
    }

    #[test]
    fn processes() {
        assert!(process_lives(getpid().as_raw_nonzero().get()));
        assert!(process_lives(1));
        for none in [0, -1, i32::MAX] {
            assert!(!process_lives(none), "{none}");
        }
    }

    #[test]
    fn reads_what_restic_writes() {
        let text = r#"{"time":"2024-05-06T07:08:09.123456789+02:00","exclusive":true,
            "hostname":"h","username":"root","pid":12,"uid":3,"gid":4}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.pid, 12);
        assert_eq!(
            record.to_string(),
            "process 12 of user `root` on host `h` (seen 2024-05-06 07:08:09 +02:00)"
        );
    }
}
