//! Ports of a run that live in memory, and remember.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use mhost_model::alert::Message;
use mhost_model::grant::SecretSource;
use mhost_model::ports::around::{Hold, Messenger, TaskState, Tasks};
use mhost_model::ports::database::{
    Around, Database, DatabaseInfo, Databases, KeepOld, PackResult, Packed, Page, RecoverOptions,
    Recovered, Row, TableInfo, Transaction, Value, Verdict,
};
use mhost_model::ports::remote::{self, Remote, Remotes};
use mhost_model::ports::repository::{self, Repositories, Repository};
use mhost_model::ports::run::{
    FenceCheck, LogSink, ProgressSink, ProgressState, Secrets, StateReader, Watched,
};
use mhost_model::run::LogLine;
use mhost_model::schedule::Schedule;
use mhost_model::watch::Summary;
use mhost_model::{Fault, FaultResult, Instant, Name, RunId, Span};

/// All ports in one.
#[derive(Default)]
pub struct Fake {
    pub log: Mutex<Vec<LogLine>>,
    pub progress: Mutex<Vec<ProgressState>>,
    pub secrets: Mutex<BTreeMap<String, String>>,
    pub state: Mutex<BTreeMap<String, Vec<u8>>>,
    /// `table/value` of what was committed.
    pub committed: Arc<Mutex<Vec<String>>>,
    /// What the drivers were asked, in order.
    pub asked: Arc<Mutex<Vec<String>>>,
    /// Opening a database waits until this lets go.
    pub holder: Arc<Holder>,
    pub stale: AtomicBool,
}

/// Holds whoever asks until it is released.
#[derive(Default)]
pub struct Holder {
    held: Mutex<bool>,
    changed: Condvar,
    pub waiting: AtomicUsize,
}

impl Holder {
    pub fn hold(&self) {
        *self.held.lock().unwrap() = true;
    }

    pub fn release(&self) {
        *self.held.lock().unwrap() = false;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut held = self.held.lock().unwrap();
        while *held {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            held = self.changed.wait(held).unwrap();
        }
    }
}

impl Fake {
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn ask(&self, what: impl Into<String>) {
        self.asked.lock().unwrap().push(what.into());
    }
}

impl LogSink for Fake {
    fn line(&self, line: LogLine) {
        self.log.lock().unwrap().push(line);
    }
}

impl ProgressSink for Fake {
    fn update(&self, state: ProgressState) {
        self.progress.lock().unwrap().push(state);
    }
}

impl Secrets for Fake {
    fn read(&self, source: &SecretSource) -> FaultResult<String> {
        let SecretSource::Env(name) = source else {
            return Err(Fault::NotFound("no such source".into()));
        };
        let found = self.secrets.lock().unwrap().get(name).cloned();
        found.ok_or_else(|| Fault::NotFound(name.clone()))
    }
}

impl Tasks for Fake {
    fn holders(&self, targets: &[String]) -> FaultResult<Vec<Vec<Hold>>> {
        let hold = Hold {
            task: "pack".parse().unwrap(),
            run: RunId(7),
            since: Instant::UNIX_EPOCH,
        };
        let of = |target: &String| match target.as_str() {
            "held" => vec![hold.clone()],
            _ => Vec::new(),
        };
        Ok(targets.iter().map(of).collect())
    }

    fn status(&self, task: &Name) -> FaultResult<TaskState> {
        Err(Fault::NotFound(format!("there is no task `{task}`")))
    }
}

impl Messenger for Fake {
    fn send(&self, channel: &Name, message: Message) -> FaultResult<()> {
        self.ask(format!("send {} through {channel}", message.id));
        Ok(())
    }
}

impl StateReader for Fake {
    fn get(&self, key: &str) -> FaultResult<Option<Vec<u8>>> {
        Ok(self.state.lock().unwrap().get(key).cloned())
    }

    fn keys(&self, after: Option<&str>, limit: usize) -> FaultResult<Vec<String>> {
        let state = self.state.lock().unwrap();
        let later = state
            .keys()
            .filter(|key| after.is_none_or(|after| key.as_str() > after));
        Ok(later.take(limit).cloned().collect())
    }
}

impl Watched for Fake {
    fn recall(&self, subjects: &[String]) -> FaultResult<Vec<Option<Vec<u8>>>> {
        Ok(vec![None; subjects.len()])
    }

    fn summaries(&self) -> FaultResult<Vec<Summary>> {
        Ok(Vec::new())
    }

    fn in_window(&self, _: &Schedule, length: Span, at: Instant) -> FaultResult<Option<Instant>> {
        Ok(Some(at + length.delta()))
    }
}

impl FenceCheck for Fake {
    fn current(&self) -> bool {
        !self.stale.load(Ordering::SeqCst)
    }
}

impl Databases for Fake {
    fn open(&self, name: &Name) -> FaultResult<Box<dyn Database>> {
        self.ask(format!("open {name}"));
        self.holder.pass();
        Ok(Box::new(FakeDatabase {
            committed: Arc::clone(&self.committed),
            asked: Arc::clone(&self.asked),
        }))
    }
}

struct FakeDatabase {
    committed: Arc<Mutex<Vec<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeDatabase {
    fn ask(&self, what: impl Into<String>) {
        self.asked.lock().unwrap().push(what.into());
    }

    fn begin(&self) -> FaultResult<Box<dyn Transaction>> {
        Ok(Box::new(FakeTransaction {
            committed: Arc::clone(&self.committed),
            changes: Vec::new(),
        }))
    }
}

impl Database for FakeDatabase {
    fn info(&mut self) -> FaultResult<DatabaseInfo> {
        Ok(DatabaseInfo {
            engine: "fake".into(),
            version: "1".into(),
            size: 5,
            reclaimable: None,
        })
    }

    fn tables(&mut self) -> FaultResult<Vec<TableInfo>> {
        let table = |name: &str| TableInfo {
            name: name.into(),
            rows: 0,
            shape: "any".into(),
            columns: Vec::new(),
        };
        Ok(vec![table("open"), table("closed")])
    }

    fn begin_read(&mut self) -> FaultResult<Box<dyn Transaction>> {
        self.begin()
    }

    fn begin_write(&mut self) -> FaultResult<Box<dyn Transaction>> {
        self.ask("begin-write");
        self.begin()
    }

    fn snapshot(&mut self, target: &Path) -> FaultResult<u64> {
        self.ask("snapshot");
        std::fs::write(target, "12345").map_err(|error| Fault::Failed(error.to_string()))?;
        Ok(5)
    }

    fn pack(&mut self) -> FaultResult<Packed> {
        self.ask("pack");
        Ok(Packed {
            before: 5,
            after: 4,
        })
    }

    fn verify(&mut self) -> FaultResult<Verdict> {
        Ok(Verdict {
            sound: true,
            findings: Vec::new(),
        })
    }

    fn pack_keeping(&mut self, keep: KeepOld, _: &Around) -> FaultResult<PackResult> {
        self.ask(format!("pack keeping {keep:?}"));
        Ok(PackResult {
            packed: Packed {
                before: 5,
                after: 4,
            },
            old: None,
            forgotten: Vec::new(),
        })
    }

    fn recover(&mut self, target: &Path, _: RecoverOptions, _: &Around) -> FaultResult<Recovered> {
        self.ask("recover");
        std::fs::write(target, "12345").map_err(|error| Fault::Failed(error.to_string()))?;
        Ok(Recovered::default())
    }

    fn restore(&mut self, source: &Path) -> FaultResult<String> {
        let content = std::fs::read_to_string(source);
        self.ask(format!("restore {}", content.unwrap_or_default()));
        Ok("old".into())
    }
}

struct FakeTransaction {
    committed: Arc<Mutex<Vec<String>>>,
    changes: Vec<String>,
}

impl Transaction for FakeTransaction {
    fn get(&mut self, _table: &str, _key: &[Value]) -> FaultResult<Option<Row>> {
        Ok(None)
    }

    fn scan(&mut self, _table: &str, _after: Option<&[Value]>, _limit: u32) -> FaultResult<Page> {
        Ok(Page {
            rows: Vec::new(),
            more: false,
        })
    }

    fn put(&mut self, table: &str, _key: &[Value], columns: &[Value]) -> FaultResult<()> {
        self.changes.push(format!("{table}/{columns:?}"));
        Ok(())
    }

    fn delete(&mut self, _table: &str, _key: &[Value]) -> FaultResult<bool> {
        Ok(false)
    }

    fn commit(self: Box<Self>) -> FaultResult<()> {
        self.committed.lock().unwrap().extend(self.changes);
        Ok(())
    }
}

impl Repositories for Fake {
    fn open(&self, name: &Name, password: &str) -> FaultResult<Box<dyn Repository>> {
        self.ask(format!("open repository {name} with {password}"));
        Ok(Box::new(FakeRepository(Arc::clone(&self.asked))))
    }

    fn create(&self, name: &Name, _password: &str) -> FaultResult<Box<dyn Repository>> {
        self.ask(format!("create repository {name}"));
        Ok(Box::new(FakeRepository(Arc::clone(&self.asked))))
    }
}

struct FakeRepository(Arc<Mutex<Vec<String>>>);

impl FakeRepository {
    fn ask(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }
}

impl Repository for FakeRepository {
    fn id(&self) -> String {
        "id".into()
    }

    fn snapshots(&self) -> FaultResult<Vec<repository::Snapshot>> {
        Ok(Vec::new())
    }

    fn backup(
        &self,
        sources: &[repository::Source],
        _options: &repository::BackupOptions,
        now: Instant,
    ) -> FaultResult<repository::BackupSummary> {
        for source in sources {
            let content = if source.read.is_dir() {
                "a folder".to_owned()
            } else {
                std::fs::read_to_string(&source.read).unwrap_or_default()
            };
            self.ask(format!("backup {content} as {}", source.stand.display()));
        }
        Ok(repository::BackupSummary {
            snapshot: repository::Snapshot {
                id: "id".into(),
                time: now,
                hostname: String::new(),
                paths: Vec::new(),
                tags: Vec::new(),
                files: 0,
                size: 0,
            },
            files_new: 0,
            files_changed: 0,
            files_unmodified: 0,
            bytes_processed: 0,
            bytes_added: 0,
            unread: Vec::new(),
            remarks: Vec::new(),
            made: true,
            parent: None,
        })
    }

    fn restore(
        &self,
        _snapshot: &str,
        target: &Path,
        _options: &repository::RestoreOptions,
    ) -> FaultResult<repository::RestoreSummary> {
        std::fs::write(target.join("restored"), "").unwrap();
        self.ask("restore");
        Ok(repository::RestoreSummary::default())
    }

    fn listing(
        &self,
        _snapshot: &str,
        _path: &str,
        _limit: u32,
    ) -> FaultResult<Vec<repository::Node>> {
        Ok(Vec::new())
    }

    fn forget(
        &self,
        _policy: &repository::Keep,
        apply: bool,
        _now: Instant,
    ) -> FaultResult<Vec<repository::Judged>> {
        self.ask(format!("forget {apply}"));
        Ok(Vec::new())
    }

    fn prune(&self) -> FaultResult<repository::PruneSummary> {
        self.ask("prune");
        Ok(repository::PruneSummary::default())
    }

    fn check(&self, _percent: u32) -> FaultResult<repository::Verdict> {
        Ok(repository::Verdict::default())
    }
}

impl Remotes for Fake {
    fn open(&self, name: &Name) -> FaultResult<Box<dyn Remote>> {
        self.ask(format!("open remote {name}"));
        Ok(Box::new(FakeRemote(Arc::clone(&self.asked))))
    }
}

struct FakeRemote(Arc<Mutex<Vec<String>>>);

impl Remote for FakeRemote {
    fn list(
        &self,
        _path: &str,
        _recursive: bool,
        _after: Option<&str>,
        _limit: u32,
    ) -> FaultResult<Vec<remote::Entry>> {
        Ok(Vec::new())
    }

    fn stat(&self, _path: &str) -> FaultResult<remote::Metadata> {
        Err(Fault::NotFound("nothing".into()))
    }

    fn read(&self, path: &str, _offset: u64, _length: u32) -> FaultResult<Vec<u8>> {
        self.0.lock().unwrap().push(format!("read {path}"));
        Ok(vec![1, 2, 3])
    }

    fn write(&self, path: &str) -> FaultResult<Box<dyn remote::Writer>> {
        self.0.lock().unwrap().push(format!("write {path}"));
        Ok(Box::new(FakeWriter(Arc::clone(&self.0))))
    }

    fn rename(&self, _source: &str, _target: &str) -> FaultResult<()> {
        Ok(())
    }

    fn delete(&self, path: &str) -> FaultResult<()> {
        self.0.lock().unwrap().push(format!("delete {path}"));
        Ok(())
    }

    fn create_directory(&self, _path: &str) -> FaultResult<()> {
        Ok(())
    }
}

struct FakeWriter(Arc<Mutex<Vec<String>>>);

impl remote::Writer for FakeWriter {
    fn write(&mut self, _data: &[u8]) -> FaultResult<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> FaultResult<u64> {
        self.0.lock().unwrap().push("finish".into());
        Ok(4)
    }
}
