//! A service of OpenDAL's as a remote.
//!
//! Written for what every service can do, with the steps in between where one
//! cannot: an object store has no folders and no rename, and a WebDAV server shows a file
//! while it is being sent. How each is reached stands in `reach`.

mod reach;
mod upload;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mhost_model::ports::remote::{Entry, Metadata, Remote, Writer};
use mhost_model::{Fault, FaultResult, Instant};
use opendal::{ErrorKind, Operator};

use self::upload::{Sending, Upload};
use crate::path::{aside_path, check, check_folder, is_aside, split};
use crate::worker::Worker;
use crate::{CHUNK, check_limit};

/// Bytes of a part that an object store is sent; S3 takes 5 MiB at least, and 10,000 parts.
const PART: usize = 8 << 20;

/// A remote that is a service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    operator: Operator,
    worker: Arc<Worker>,
    /// How files are sent where each is seen while it grows.
    put: Option<upload::Put>,
}

impl Service {
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
        let mut lister = self.operator.lister_with(&root).recursive(recursive);
        // An object store lists in order.
        let ordered = recursive && self.operator.info().capability().list_with_start_after;
        if ordered && !after.is_empty() {
            lister = lister.start_after(after);
        }
        let mut lister = lister.await?;
        let mut first = BTreeMap::new();
        while let Some(entry) = next(&mut lister).await? {
            let path = entry.path().trim_matches('/');
            if path > after && path != folder && !is_aside(split(path).1) {
                first.insert(path.to_owned(), entry.metadata().clone());
            }
            if first.len() > limit {
                first.pop_last();
                if ordered {
                    break;
                }
            }
        }
        let mut entries = Vec::new();
        for (path, found) in first {
            // Some services list names alone.
            let bare = found.content_length() == 0 && found.last_modified().is_none();
            let metadata = match found.is_file() && bare {
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

    async fn part(&self, path: &str, offset: u64, length: u64) -> opendal::Result<Vec<u8>> {
        let range = offset..offset.saturating_add(length);
        match self.operator.read_with(path).range(range).await {
            // Beyond the end, some say that the range is none, and of others less comes back than
            // was asked for.
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let size = self.operator.stat(path).await?.content_length();
                if offset >= size {
                    return Ok(Vec::new());
                }
                if offset.saturating_add(length) <= size {
                    return Err(error);
                }
                let read = self.operator.read_with(path).range(offset..size);
                read.await.map(|data| data.to_vec())
            }
            read => read.map(|data| data.to_vec()),
        }
    }

    /// Copies, then deletes: for services that cannot rename.
    async fn carry(&self, source: &str, target: &str) -> opendal::Result<()> {
        if self.operator.info().capability().copy {
            self.operator.copy(source, target).await?;
            return self.operator.delete(source).await;
        }
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

impl Service {
    /// Pieces that S3 takes; what is smaller goes in one.
    async fn begin(&self, path: &str) -> opendal::Result<opendal::Writer> {
        self.operator.writer_with(path).chunk(PART).await
    }

    /// Makes the folders that a new file needs.
    fn make_way(&self, path: &str) -> FaultResult<()> {
        match split(path).0 {
            "" => Ok(()),
            folder => self.create_directory(folder),
        }
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
    let status = status(&error);
    let said = match status {
        // A page for people, or nothing.
        Some(status) if error.message().is_empty() || error.message().starts_with('<') => {
            format!("the server answers {status}")
        }
        _ => said(&error),
    };
    let text = format!("cannot {operation} `{path}`: {said}");
    match error.kind() {
        _ if matches!(status, Some(401 | 403)) => Fault::Failed(format!(
            "{text}: `user` and `secret` must be those of somebody who may"
        )),
        ErrorKind::NotFound => Fault::NotFound(text),
        ErrorKind::AlreadyExists => Fault::Exists(text),
        ErrorKind::RateLimited => Fault::Busy(format!("{text}: try again later")),
        ErrorKind::Unsupported => Fault::Unsupported(text),
        ErrorKind::PermissionDenied => Fault::Failed(format!(
            "{text}: `user` and `secret` must be those of somebody who may"
        )),
        ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::IsSameFile => {
            Fault::Invalid(text)
        }
        _ => Fault::Failed(text),
    }
}

/// The HTTP status that led to an error: OpenDAL keeps the answer in the error's context.
fn status(error: &opendal::Error) -> Option<u16> {
    let text = error.to_string();
    let (_, rest) = text.split_once("status: ")?;
    rest.get(..3)?.parse().ok()
}

/// In one line, with the innermost cause, which names what the system or the server said.
fn said(error: &opendal::Error) -> String {
    let mut text = error.message().split_whitespace().collect::<Vec<_>>();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    let cause = cause.map(ToString::to_string).unwrap_or_default();
    if !cause.is_empty() && !error.message().contains(&cause) {
        text.push("-");
        text.extend(cause.split_whitespace());
    }
    text.join(" ")
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

    fn list_all(&self, path: &str) -> FaultResult<Vec<Entry>> {
        let folder = check_folder(path)?;
        self.worker
            .run(self.page(folder, true, "", usize::MAX))?
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
            .run(self.part(path, offset, u64::from(length.min(CHUNK))))?
            .map_err(|error| fault("read", path, error))
    }

    fn read_range(&self, path: &str, offset: u64, length: u64) -> FaultResult<Vec<u8>> {
        let path = check(path)?;
        let read = async {
            match offset == 0 && length == u64::MAX {
                true => self.operator.read(path).await.map(|data| data.to_vec()),
                false => self.part(path, offset, length).await,
            }
        };
        self.worker
            .run(read)?
            .map_err(|error| fault("read", path, error))
    }

    fn write(&self, path: &str) -> FaultResult<Box<dyn Writer>> {
        let path = check(path)?;
        let sending = match &self.put {
            Some(put) => {
                self.make_way(path)?;
                Sending::aside(put, &aside_path(path)?, &self.worker)?
            }
            None => {
                let writer = self.worker.run(self.begin(path))?;
                Sending::Piecewise(writer.map_err(|error| fault("write", path, error))?)
            }
        };
        Ok(Box::new(Upload::new(self.clone(), path, sending)))
    }

    fn write_all(&self, path: &str, content: &[Bytes]) -> FaultResult<()> {
        let path = check(path)?;
        let failed = |error| fault("write", path, error);
        let content: opendal::Buffer = content.to_vec().into();
        if self.put.is_none() {
            let written = self.worker.run(self.operator.write(path, content))?;
            return written.map(drop).map_err(failed);
        }
        let aside = aside_path(path)?;
        let sent = self.worker.run(async {
            self.operator.write(&aside, content).await?;
            self.operator.rename(&aside, path).await
        })?;
        if sent.is_err() {
            // A full disk there keeps nothing of it.
            let _ = self.worker.run(self.operator.delete(&aside));
        }
        sent.map_err(failed)
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
