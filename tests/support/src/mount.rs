//! A small disk for a test alone, which can be filled.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Unavailable, scratch};

/// A mounted tmpfs.
pub struct Mount {
    folder: tempfile::TempDir,
}

impl Mount {
    /// Only the superuser may mount, and not in every container.
    pub fn new(mebibytes: u32) -> Result<Self, Unavailable> {
        let folder = scratch("disk");
        let mount = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={mebibytes}m"),
                "mhost-test",
            ])
            .arg(folder.path())
            .output();
        let why = match mount {
            Ok(output) if output.status.success() => return Ok(Self { folder }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Unavailable {
            tool: "a disk to fill (a tmpfs)".to_owned(),
            reason: why,
        })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Until nothing more goes onto it.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("the mount is ours");
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![0_u8; size];
            while ballast.write_all(&block).is_ok() {}
        }
    }

    /// Takes back what [`Self::fill`] did.
    pub fn empty(&self) {
        std::fs::remove_file(self.ballast()).expect("it was filled");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}
