//! A service of OpenDAL's as a remote.
//!
//! Written for what every service can do, with the steps in between where one
//! cannot: an object store has no folders and no rename. Only the store in memory
//! is built in so far.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mhost_model::ports::remote::{Entry, Metadata, Remote, Writer};
use mhost_model::{Fault, FaultResult, Instant, Name};
use opendal::{ErrorKind, Operator};
use tokio::runtime::{Builder, Runtime};

use crate::path::{check, check_folder};
use crate::{CHUNK, check_limit};

/// Runs what services do on one thread of its own, started when it is needed.
#[derive(Debug, Default)]
pub(crate) struct Worker(OnceLock<Runtime>);

impl Worker {
    /// Runs to the end; must be called off the async threads.
    fn run<T>(&self, work: impl Future<Output = T>) -> FaultResult<T> {
        Ok(self.runtime()?.block_on(work))
    }

    fn runtime(&self) -> FaultResult<&Runtime> {
        if self.0.get().is_none() {
            let built = Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("mhost-remotes")
                .enable_all()
                .build()
                .map_err(|error| {
                    Fault::Failed(format!("cannot start a thread for remotes: {error}"))
                })?;
            // Another thread may have been quicker.
            if let Err(spare) = self.0.set(built) {
                spare.shutdown_background();
            }
        }
        self.0
            .get()
            .ok_or_else(|| Fault::Failed("the thread for remotes has gone".into()))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Waiting for it would be an error on an async thread.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The stores in memory, by name; they live as long as the process.
static MEMORIES: Mutex<BTreeMap<Name, Operator>> = Mutex::new(BTreeMap::new());

/// A remote that is a service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    operator: Operator,
    worker: Arc<Worker>,
}

impl Service {
    /// The store in memory of this name, empty when it is asked for first.
    pub fn memory(name: &Name, worker: Arc<Worker>) -> FaultResult<Self> {
        let mut memories = MEMORIES.lock().unwrap_or_else(PoisonError::into_inner);
        let operator = match memories.get(name) {
            Some(operator) => operator.clone(),
            None => {
                let made = Operator::new(opendal::services::Memory::default())
                    .map_err(|error| fault("open", name.as_str(), error))?;
                memories.insert(name.clone(), made.clone());
                made
            }
        };
        Ok(Self { operator, worker })
    }

    /// Whether a folder has anything in it, which is what makes it one.
    async fn has_entries(&self, path: &str) -> opendal::Result<bool> {
        let folder = format!("{path}/");
        let mut lister = self.operator.lister(&folder).await?;
        while let Some(entry) = next(&mut lister).await? {
            if entry.path() != folder {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn look(&self, path: &str) -> opendal::Result<Metadata> {
        let found = match self.operator.stat(path).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match self.operator.stat(&format!("{path}/")).await {
                    Err(_) if self.has_entries(path).await? => return Ok(FOLDER),
                    Err(_) => return Err(error),
                    found => found,
                }
            }
            found => found,
        }?;
        Ok(metadata(&found))
    }

    /// Only what comes after and what can still be on the page is kept.
    async fn page(
        &self,
        folder: &str,
        recursive: bool,
        after: &str,
        limit: usize,
    ) -> opendal::Result<Vec<Entry>> {
        let root = match folder {
            "" => "/".to_owned(),
            folder => format!("{folder}/"),
        };
        let lister = self.operator.lister_with(&root).recursive(recursive);
        let mut lister = lister.await?;
        let mut first = BTreeMap::new();
        while let Some(entry) = next(&mut lister).await? {
            let path = entry.path().trim_matches('/');
            if path > after && path != folder {
                first.insert(path.to_owned(), entry.metadata().clone());
            }
            if first.len() > limit {
                first.pop_last();
            }
        }
        let mut entries = Vec::new();
        for (path, found) in first {
            // Some services list names alone.
            let metadata = match found.is_file() && found.content_length() == 0 {
                true => match self.look(&path).await {
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    looked => looked?,
                },
                false => metadata(&found),
            };
            entries.push(Entry { path, metadata });
        }
        Ok(entries)
    }

    async fn read_range(&self, path: &str, offset: u64, length: u64) -> opendal::Result<Vec<u8>> {
        let range = offset..offset.saturating_add(length);
        match self.operator.read_with(path).range(range).await {
            Err(error) if error.kind() == ErrorKind::RangeNotSatisfied => {
                let size = self.operator.stat(path).await?.content_length();
                if offset >= size {
                    return Ok(Vec::new());
                }
                let read = self.operator.read_with(path).range(offset..size);
                read.await.map(|data| data.to_vec())
            }
            read => read.map(|data| data.to_vec()),
        }
    }

    /// Copies in chunks, then deletes: for services that cannot rename.
    async fn carry(&self, source: &str, target: &str) -> opendal::Result<()> {
        let size = self.operator.stat(source).await?.content_length();
        let mut writer = self.operator.writer(target).await?;
        let mut offset = 0;
        while offset < size {
            let end = size.min(offset + u64::from(CHUNK));
            let data = self.operator.read_with(source).range(offset..end).await?;
            writer.write(data).await?;
            offset = end;
        }
        writer.close().await?;
        self.operator.delete(source).await
    }
}

const FOLDER: Metadata = Metadata {
    directory: true,
    size: 0,
    modified: None,
    etag: None,
};

async fn next(lister: &mut opendal::Lister) -> opendal::Result<Option<opendal::Entry>> {
    use futures::TryStreamExt;
    lister.try_next().await
}

fn metadata(found: &opendal::Metadata) -> Metadata {
    let modified = found
        .last_modified()
        .map(|time| time.into_inner().as_millisecond());
    Metadata {
        directory: found.is_dir(),
        size: if found.is_dir() {
            0
        } else {
            found.content_length()
        },
        modified: modified.and_then(Instant::from_timestamp_millis),
        etag: found.etag().map(str::to_owned),
    }
}

fn fault(operation: &str, path: &str, error: opendal::Error) -> Fault {
    let text = format!("cannot {operation} `{path}`: {}", error.message());
    match error.kind() {
        ErrorKind::NotFound => Fault::NotFound(text),
        ErrorKind::AlreadyExists => Fault::Exists(text),
        ErrorKind::RateLimited => Fault::Busy(format!("{text}: try again later")),
        ErrorKind::Unsupported => Fault::Unsupported(text),
        ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::IsSameFile => {
            Fault::Invalid(text)
        }
        _ => Fault::Failed(text),
    }
}

impl Remote for Service {
    fn list(
        &self,
        path: &str,
        recursive: bool,
        after: Option<&str>,
        limit: u32,
    ) -> FaultResult<Vec<Entry>> {
        let limit = check_limit(limit)?;
        let folder = check_folder(path)?;
        self.worker
            .run(self.page(folder, recursive, after.unwrap_or(""), limit))?
            .map_err(|error| fault("list", folder, error))
    }

    fn stat(&self, path: &str) -> FaultResult<Metadata> {
        let path = check_folder(path)?;
        if path.is_empty() {
            return Ok(FOLDER);
        }
        self.worker
            .run(self.look(path))?
            .map_err(|error| fault("look at", path, error))
    }

    fn read(&self, path: &str, offset: u64, length: u32) -> FaultResult<Vec<u8>> {
        let path = check(path)?;
        if length == 0 {
            return self.stat(path).map(|_| Vec::new());
        }
        self.worker
            .run(self.read_range(path, offset, u64::from(length.min(CHUNK))))?
            .map_err(|error| fault("read", path, error))
    }

    fn write(&self, path: &str) -> FaultResult<Box<dyn Writer>> {
        let path = check(path)?;
        let writer = self
            .worker
            .run(self.operator.writer(path))?
            .map_err(|error| fault("write", path, error))?;
        Ok(Box::new(Upload {
            writer: Some(writer),
            worker: self.worker.clone(),
            path: path.to_owned(),
            written: 0,
        }))
    }

    fn rename(&self, source: &str, target: &str) -> FaultResult<()> {
        let (source, target) = (check(source)?, check(target)?);
        let failed = |error| fault("rename", source, error);
        if source == target {
            return self.stat(source).map(drop);
        }
        if self.operator.info().capability().rename {
            return self
                .worker
                .run(self.operator.rename(source, target))?
                .map_err(failed);
        }
        self.worker.run(self.carry(source, target))?.map_err(failed)
    }

    fn delete(&self, path: &str) -> FaultResult<()> {
        let path = check(path)?;
        let failed = |error| fault("delete", path, error);
        match self.worker.run(self.look(path))? {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
            Ok(found) if !found.directory => {
                self.worker.run(self.operator.delete(path))?.map_err(failed)
            }
            Ok(_) if self.worker.run(self.has_entries(path))?.map_err(failed)? => Err(
                Fault::Invalid(format!("cannot delete `{path}`: the folder is not empty")),
            ),
            Ok(_) => self
                .worker
                .run(self.operator.delete(&format!("{path}/")))?
                .map_err(failed),
        }
    }

    /// Where there are no folders, one is there as soon as it has a file.
    fn create_directory(&self, path: &str) -> FaultResult<()> {
        let path = check(check_folder(path)?)?;
        if !self.operator.info().capability().create_dir {
            return Ok(());
        }
        self.worker
            .run(self.operator.create_dir(&format!("{path}/")))?
            .map_err(|error| fault("create the folder", path, error))
    }
}

/// A file being sent; dropping it unfinished takes it back.
struct Upload {
    writer: Option<opendal::Writer>,
    worker: Arc<Worker>,
    path: String,
    written: u64,
}

impl Upload {
    fn failed(&self, error: opendal::Error) -> Fault {
        fault("write", &self.path, error)
    }
}

impl Writer for Upload {
    fn write(&mut self, data: &[u8]) -> FaultResult<()> {
        if let Some(writer) = &mut self.writer {
            let sent = self.worker.run(writer.write(data.to_vec()))?;
            sent.map_err(|error| fault("write", &self.path, error))?;
            self.written += data.len() as u64;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> FaultResult<u64> {
        if let Some(mut writer) = self.writer.take() {
            let closed = self.worker.run(writer.close())?;
            closed.map_err(|error| self.failed(error))?;
        }
        Ok(self.written)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(mut writer), Ok(runtime)) = (self.writer.take(), self.worker.runtime()) {
            // Not waited for: this may be an async thread.
            runtime.spawn(async move { writer.abort().await });
        }
    }
}
