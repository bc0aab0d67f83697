//! A run without a guest: three granted directories beside one that is not.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use mhost_model::grant::{Access, DirGrant, Grants};
use mhost_model::limits::Limits;
use mhost_model::plugin::Capability;
use mhost_model::ports::run::FenceCheck;
use mhost_model::receipt::Receipt;
use mhost_model::{ByteSize, Fault, FaultResult};

use super::super::work::Work;
use crate::api::GrantedBy;
use crate::beneath::{Place, locate_in};
use crate::budget::WriteBudget;
use crate::directories::Directories;
use crate::meter::Meter;
use crate::permits::{Basis, Granter};

/// Says no once it was told to.
#[derive(Default)]
pub(super) struct Fence(AtomicBool);

impl FenceCheck for Fence {
    fn current(&self) -> bool {
        !self.0.load(SeqCst)
    }
}

/// `/logs` and `/other` are read-write, `/public` is read-only, `/dev` is the
/// machine's; `secret` beside them is granted to nobody.
pub(super) struct Bench {
    folder: tempfile::TempDir,
    grants: Grants,
    pub meter: Arc<Meter>,
    fence: Arc<Fence>,
    granter: Granter,
    budget: WriteBudget,
    directories: Directories,
    pub over: AtomicBool,
    pub deadline: Instant,
}

pub(super) fn roomy() -> Limits {
    Limits {
        free_space: ByteSize(0),
        ..Limits::default()
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(roomy(), false)
    }

    pub(super) fn dry() -> Self {
        Self::with(roomy(), true)
    }

    pub(super) fn with(limits: Limits, dry_run: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut grants = Grants::default();
        for (name, access) in [
            ("logs", Access::ReadWrite),
            ("other", Access::ReadWrite),
            ("public", Access::ReadOnly),
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            grants
                .dirs
                .insert(name.parse().unwrap(), DirGrant { path, access });
        }
        let path = PathBuf::from("/dev");
        let access = Access::ReadWrite;
        grants
            .dirs
            .insert("dev".parse().unwrap(), DirGrant { path, access });
        std::fs::create_dir(folder.path().join("secret")).unwrap();
        let meter = Arc::new(Meter::default());
        let fence = Arc::new(Fence::default());
        let granter = Granter::new(
            Basis {
                task: "test".to_owned(),
                action: "test".to_owned(),
                grants: grants.clone(),
                granted_by: GrantedBy::Task,
                declared: Capability::ALL
                    .map(|kind| (kind, true))
                    .into_iter()
                    .collect(),
            },
            dry_run,
            Arc::clone(&fence) as Arc<dyn FenceCheck>,
            Arc::clone(&meter),
        );
        let directories = Directories::new(&[]);
        directories.open(&granter).unwrap();
        Self {
            granter,
            directories,
            budget: WriteBudget::new(&limits, Arc::clone(&meter)),
            folder,
            grants,
            meter,
            fence,
            over: AtomicBool::new(false),
            deadline: Instant::now() + Duration::from_secs(600),
        }
    }

    pub(super) fn work(&self) -> Work<'_> {
        Work {
            meter: &self.meter,
            granter: &self.granter,
            budget: &self.budget,
            over: &self.over,
            deadline: self.deadline,
        }
    }

    /// The host's path of `logs/a`.
    pub(super) fn host(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.host(path), content).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.host(path)).unwrap()
    }

    pub(super) fn link(&self, text: &str, path: &str) {
        std::os::unix::fs::symlink(text, self.host(path)).unwrap();
    }

    /// Every name in a folder, hidden ones too.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.host(path)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(super) fn to_read(&self, path: &str) -> FaultResult<Place> {
        self.place(path, Access::ReadOnly)
    }

    pub(super) fn to_write(&self, path: &str) -> FaultResult<Place> {
        self.place(path, Access::ReadWrite)
    }

    fn place(&self, path: &str, access: Access) -> FaultResult<Place> {
        locate_in(&self.granter, &self.directories, path, access, "test")
    }

    pub(super) fn take_claim_over(&self) {
        self.fence.0.store(true, SeqCst);
    }

    pub(super) fn receipt(&self) -> Receipt {
        self.meter.receipt(&self.grants, Duration::from_secs(1))
    }
}

/// The kind of an answer, as a word for tables.
pub(super) fn kind<T>(answer: &FaultResult<T>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(Fault::Denied(_)) => "denied",
        Err(Fault::DryRun(_)) => "dry-run",
        Err(Fault::NotFound(_)) => "not-found",
        Err(Fault::Exists(_)) => "exists",
        Err(Fault::Busy(_)) => "busy",
        Err(Fault::Invalid(_)) => "invalid",
        Err(Fault::Unsupported(_)) => "unsupported",
        Err(Fault::Limit(_)) => "limit",
        Err(Fault::TimedOut(_)) => "timed-out",
        Err(Fault::Damaged(_)) => "damaged",
        Err(Fault::Failed(_)) => "failed",
    }
}

/// One verb on one path, whatever else it needs standing in `/logs/file`.
pub(super) type Verb = (&'static str, fn(&Bench, &str) -> FaultResult<()>);

/// Every verb that reads content.
pub(super) const READERS: [Verb; 7] = {
    use super::super::{compress, content, copy, expand, hash};
    [
        ("hash", |b, path| {
            let place = b.to_read(path)?;
            hash::hash(b.work(), &place, hash::Algorithm::Crc32, 0, None).map(drop)
        }),
        ("copy from", |b, path| {
            let (from, to) = (b.to_read(path)?, b.to_write("/logs/copied")?);
            copy::copy(b.work(), &from, &to, copy::CopyOptions::default()).map(drop)
        }),
        ("copy-range from", |b, path| {
            let (from, to) = (b.to_read(path)?, b.to_write("/logs/file")?);
            copy::copy_range(b.work(), (&from, 0), None, (&to, 0)).map(drop)
        }),
        ("compress from", |b, path| {
            let (from, to) = (b.to_read(path)?, b.to_write("/logs/file.gz")?);
            compress::compress(b.work(), &from, &to, compress::Format::Gzip, None).map(drop)
        }),
        ("verify", |b, path| {
            compress::verify(b.work(), &b.to_read(path)?, compress::Format::Gzip).map(drop)
        }),
        ("expand", |b, path| {
            expand::Expander::open(b.work(), &b.to_read(path)?, 0).map(drop)
        }),
        ("lock", |b, path| {
            content::lock(b.work(), &b.to_read(path)?, true).map(drop)
        }),
    ]
};

/// Every verb that changes what stands at a path.
pub(super) const WRITERS: [Verb; 10] = {
    use super::super::{compress, content, copy, metadata, names};
    [
        ("truncate", |b, path| {
            content::truncate(b.work(), &b.to_write(path)?, 0)
        }),
        ("set-metadata", |b, path| {
            let changes = metadata::Changes {
                modified: Some((1, 0)),
                ..Default::default()
            };
            metadata::set(b.work(), &b.to_write(path)?, changes)
        }),
        ("copy to", |b, path| {
            let (from, to) = (b.to_read("/logs/file")?, b.to_write(path)?);
            let options = copy::CopyOptions {
                replace: true,
                preserve: false,
            };
            copy::copy(b.work(), &from, &to, options).map(drop)
        }),
        ("copy-range to", |b, path| {
            let (from, to) = (b.to_read("/logs/file")?, b.to_write(path)?);
            copy::copy_range(b.work(), (&from, 0), None, (&to, 0)).map(drop)
        }),
        ("compress to", |b, path| {
            let (from, to) = (b.to_read("/logs/file")?, b.to_write(path)?);
            compress::compress(b.work(), &from, &to, compress::Format::Zstd, None).map(drop)
        }),
        ("replace", |b, path| {
            names::replace(b.work(), &b.to_write("/logs/file")?, &b.to_write(path)?)
        }),
        ("rename from", |b, path| {
            names::rename(b.work(), &b.to_write(path)?, &b.to_write("/logs/moved")?)
        }),
        ("rename to", |b, path| {
            names::rename(b.work(), &b.to_write("/logs/file")?, &b.to_write(path)?)
        }),
        ("hard-link to", |b, path| {
            names::hard_link(b.work(), &b.to_write("/logs/file")?, &b.to_write(path)?)
        }),
        ("symbolic-link", |b, path| {
            names::symbolic_link(b.work(), "anything", &b.to_write(path)?)
        }),
    ]
};
