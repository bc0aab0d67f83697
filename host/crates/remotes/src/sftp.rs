//! A folder of an SFTP server as a remote.
//!
//! A file is written beside its place, synced where the server can, and renamed. What a
//! symbolic link on the server leads to is the server's to limit. A connection that breaks
//! is made anew, and what can be done twice is.

mod link;
mod writing;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use mhost_model::ports::remote::{Entry, Metadata, Remote, Writer};
use mhost_model::{Fault, FaultResult, Instant};
use openssh_sftp_client::error::SftpErrorKind;
use openssh_sftp_client::file::File;
use openssh_sftp_client::fs::Fs;
use openssh_sftp_client::{Error, Sftp as Client};

use self::link::Link;
use crate::listing::{self, Child, Tree};
use crate::path::{check, check_folder, is_aside, split};
use crate::url::Server;
use crate::worker::{Trouble, Worker, patiently};
use crate::{CHUNK, check_limit};

/// One request.
const STEP: Duration = Duration::from_secs(60);
/// Bytes a second that a connection carries at least.
const SLOWEST: u64 = 16 << 10;
/// Pieces of a file that are asked for at the same time.
const TOGETHER: usize = 8;

/// How long a step may take that carries so many bytes.
fn time_for(bytes: u64) -> Duration {
    STEP + Duration::from_secs(bytes / SLOWEST)
}

/// A remote that is a folder of an SFTP server.
#[derive(Clone)]
pub(crate) struct Sftp {
    there: Arc<There>,
}

struct There {
    server: Server,
    ssh: Vec<String>,
    worker: Arc<Worker>,
    link: Mutex<Option<Arc<Link>>>,
}

impl Sftp {
    /// Connects when it is first used.
    pub fn new(server: Server, ssh: Vec<String>, worker: Arc<Worker>) -> Self {
        Self {
            there: Arc::new(There {
                server,
                ssh,
                worker,
                link: Mutex::default(),
            }),
        }
    }

    fn at(&self, path: &str) -> String {
        self.there.at(path)
    }

    /// Does something that can be done twice, on a connection that may have to be made.
    fn run<T>(
        &self,
        doing: &str,
        path: &str,
        work: impl AsyncFn(&Client) -> Result<T, Error>,
    ) -> FaultResult<T> {
        self.carry(0, doing, path, work)
    }

    /// The same for what carries so many bytes.
    fn carry<T>(
        &self,
        bytes: u64,
        doing: &str,
        path: &str,
        work: impl AsyncFn(&Client) -> Result<T, Error>,
    ) -> FaultResult<T> {
        let there = &self.there;
        let step = async || there.step(time_for(bytes), doing, path, &work).await;
        there.worker.run(patiently(step))?
    }

    fn stat_followed(&self, path: &str) -> FaultResult<Metadata> {
        let place = self.at(path);
        self.run("look at", path, async |client: &Client| {
            client
                .fs()
                .metadata(&place)
                .await
                .map(|found| metadata(&found))
        })
    }

    /// Creates the folders that a new file needs, as an object store does.
    fn make_folders(&self, folder: &str) -> FaultResult<()> {
        self.make_places(ancestors(folder).map(|path| self.at(path)).collect())
    }

    /// Each lies in the one before it.
    fn make_places(&self, places: Vec<String>) -> FaultResult<()> {
        // From the deepest one that is there.
        let there = places.iter().rposition(|place| self.holds_folder(place));
        for place in &places[there.map_or(0, |at| at + 1)..] {
            let made = self.run("create the folder", place, async |client: &Client| {
                client.fs().create_dir(place).await
            });
            // Another may have made it meanwhile, or this try's first sending.
            if let Err(fault) = made
                && !self.holds_folder(place)
            {
                return Err(fault);
            }
        }
        Ok(())
    }

    fn is_folder(&self, path: &str) -> bool {
        self.holds_folder(&self.at(path))
    }

    fn holds_folder(&self, place: &str) -> bool {
        let found = self.run("look at", place, async |client: &Client| {
            client.fs().metadata(place).await
        });
        found.is_ok_and(|found| metadata(&found).directory)
    }
}

/// `a`, `a/b` and `a/b/c`; also of a path that begins with a slash.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let inner = path.match_indices('/').map(|(at, _)| at);
    let ends = inner.filter(|at| *at > 0).chain([path.len()]);
    ends.map(|end| &path[..end])
}

impl There {
    fn at(&self, path: &str) -> String {
        match path {
            "" => self.server.path.clone(),
            path => format!("{}/{path}", self.server.path.trim_end_matches('/')),
        }
    }

    async fn step<T>(
        &self,
        time: Duration,
        doing: &str,
        path: &str,
        work: &impl AsyncFn(&Client) -> Result<T, Error>,
    ) -> Result<T, Trouble> {
        let link = self.link().await?;
        let done = tokio::time::timeout(time, work(&link.client)).await;
        self.judge(doing, path, &link, done)
    }

    /// Takes the connection away from further users where it is to blame.
    fn judge<T>(
        &self,
        doing: &str,
        path: &str,
        link: &Arc<Link>,
        done: Result<Result<T, Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, Trouble> {
        let why = match done {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(Error::SftpError(kind, said))) => {
                let (said, _) = said.get();
                return Err(Trouble::lasting(refused(doing, path, &kind, said)));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "there was no answer in time".to_owned(),
        };
        let mut held = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, link)) {
            held.take();
        }
        let server = link::shown(&self.server);
        Err(Trouble::passing(Fault::Failed(format!(
            "cannot {doing} `{path}`: the connection to {server} broke: {why}"
        ))))
    }

    async fn link(&self) -> Result<Arc<Link>, Trouble> {
        let held = || self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = &*held() {
            return Ok(Arc::clone(link));
        }
        let made = Arc::new(Link::open(&self.ssh, &self.server).await?);
        // Another thread may have been quicker; both work, and one is kept.
        Ok(Arc::clone(held().get_or_insert(made)))
    }
}

fn refused(doing: &str, path: &str, kind: &SftpErrorKind, said: &str) -> Fault {
    let text = format!("cannot {doing} `{path}`: the server says: {said}");
    match kind {
        SftpErrorKind::NoSuchFile => Fault::NotFound(text),
        SftpErrorKind::PermDenied => Fault::Failed(format!(
            "{text}: log in as a user that may, or change the mode there"
        )),
        SftpErrorKind::OpUnsupported => Fault::Unsupported(text),
        _ => Fault::Failed(text),
    }
}

fn metadata(found: &openssh_sftp_client::metadata::MetaData) -> Metadata {
    let is = |test: fn(&openssh_sftp_client::metadata::FileType) -> bool| {
        found.file_type().is_some_and(|kind| test(&kind))
    };
    let seconds = found.modified().and_then(|at| {
        at.as_system_time()
            .duration_since(std::time::UNIX_EPOCH)
            .ok()
    });
    let modified = seconds
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .and_then(Instant::from_timestamp_millis);
    Metadata {
        directory: is(|kind| kind.is_dir()),
        size: if is(|kind| kind.is_file()) {
            found.len().unwrap_or(0)
        } else {
            0
        },
        modified,
        etag: None,
    }
}

impl Tree for Sftp {
    fn children(&self, folder: &str) -> FaultResult<Vec<Child>> {
        let place = self.at(folder);
        let found = self.run("list", folder, async |client: &Client| {
            let dir = client.fs().open_dir(&place).await?;
            dir.read_dir().try_collect::<Vec<_>>().await
        })?;
        let mut children = Vec::new();
        for entry in found {
            let name = entry.filename().to_str().ok_or_else(|| {
                Fault::Unsupported(format!(
                    "{:?} in the folder `{folder}` is not UTF-8: rename it",
                    entry.filename()
                ))
            })?;
            if matches!(name, "." | "..") || is_aside(name) {
                continue;
            }
            let kind = entry.file_type();
            children.push(Child {
                name: name.to_owned(),
                folder: kind.is_some_and(|kind| kind.is_dir()),
                metadata: match kind {
                    Some(kind) if !kind.is_symlink() => Some(metadata(&entry.metadata())),
                    _ => None,
                },
            });
        }
        Ok(children)
    }

    fn look(&self, path: &str) -> FaultResult<Metadata> {
        let place = self.at(path);
        self.run("look at", path, async |client: &Client| {
            match client.fs().metadata(&place).await {
                Err(Error::SftpError(..)) => client.fs().symlink_metadata(&place).await,
                found => found,
            }
            .map(|found| metadata(&found))
        })
    }
}

/// Several pieces are under way at the same time, so that a far server is not slow.
async fn read_from(file: &File, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
    let pieces = (0..length.div_ceil(u64::from(CHUNK))).map(|number| {
        let start = number * u64::from(CHUNK);
        let file = file.clone();
        read_piece(file, offset + start, (length - start).min(u64::from(CHUNK)))
    });
    let mut pieces = futures::stream::iter(pieces).buffered(TOGETHER);
    let mut all = Vec::new();
    while let Some(piece) = pieces.try_next().await? {
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

/// Less at the end of the file.
async fn read_piece(mut file: File, offset: u64, length: u64) -> Result<BytesMut, Error> {
    use tokio::io::AsyncSeekExt;
    file.seek(std::io::SeekFrom::Start(offset)).await?;
    let mut piece = BytesMut::new();
    while let Some(left @ 1..) = length.checked_sub(piece.len() as u64) {
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        match file.read(left, BytesMut::new()).await? {
            Some(read) if !read.is_empty() => piece.extend_from_slice(&read),
            _ => break,
        }
    }
    Ok(piece)
}

impl Remote for Sftp {
    fn list(
        &self,
        path: &str,
        recursive: bool,
        after: Option<&str>,
        limit: u32,
    ) -> FaultResult<Vec<Entry>> {
        let limit = check_limit(limit)?;
        listing::list(self, check_folder(path)?, recursive, after, limit)
    }

    fn list_all(&self, path: &str) -> FaultResult<Vec<Entry>> {
        listing::list(self, check_folder(path)?, true, None, usize::MAX)
    }

    fn stat(&self, path: &str) -> FaultResult<Metadata> {
        self.stat_followed(check_folder(path)?)
    }

    fn read(&self, path: &str, offset: u64, length: u32) -> FaultResult<Vec<u8>> {
        self.read_range(path, offset, u64::from(length.min(CHUNK)))
    }

    fn read_range(&self, path: &str, offset: u64, length: u64) -> FaultResult<Vec<u8>> {
        let path = check(path)?;
        let found = self.stat_followed(path)?;
        if found.directory {
            return Err(Fault::Invalid(format!("`{path}` is not a regular file")));
        }
        let length = found.size.saturating_sub(offset).min(length);
        if length == 0 {
            return Ok(Vec::new());
        }
        let place = self.at(path);
        self.carry(length, "read", path, async |client: &Client| {
            let file = client.open(&place).await?;
            let read = read_from(&file, offset, length).await?;
            file.close().await?;
            Ok(read)
        })
    }

    fn write(&self, path: &str) -> FaultResult<Box<dyn Writer>> {
        let aside = writing::Aside::create(self, check(path)?)?;
        Ok(Box::new(aside))
    }

    fn write_all(&self, path: &str, content: &[Bytes]) -> FaultResult<()> {
        writing::put(self, check(path)?, content)
    }

    fn rename(&self, source: &str, target: &str) -> FaultResult<()> {
        let (source, target) = (check(source)?, check(target)?);
        // Looked for first, so that a mistake makes no folder.
        self.look(source)?;
        let folder = split(target).0;
        if !folder.is_empty() {
            self.make_folders(folder)?;
        }
        let (from, to) = (self.at(source), self.at(target));
        self.run("rename", source, async |client: &Client| {
            take_place(client, &from, &to).await
        })
    }

    fn delete(&self, path: &str) -> FaultResult<()> {
        let path = check(path)?;
        let place = self.at(path);
        let deleted = self.run("delete", path, async |client: &Client| {
            let mut fs: Fs = client.fs();
            let found = fs.symlink_metadata(&place).await?;
            match found.file_type().is_some_and(|kind| kind.is_dir()) {
                true => fs.remove_dir(&place).await,
                false => fs.remove_file(&place).await,
            }
        });
        match deleted {
            Err(Fault::NotFound(_)) => Ok(()),
            // The protocol has no code for it.
            Err(fault @ Fault::Failed(_)) if self.is_folder(path) => {
                match self.children(path).is_ok_and(|inside| !inside.is_empty()) {
                    true => Err(Fault::Invalid(format!(
                        "cannot delete `{path}`: the folder is not empty"
                    ))),
                    false => Err(fault),
                }
            }
            deleted => deleted,
        }
    }

    /// The remote's own folder, too: files alone do not bring it back.
    fn create_directory(&self, path: &str) -> FaultResult<()> {
        let path = check(check_folder(path)?)?;
        let root = self.there.server.path.clone();
        let mut places: Vec<String> = ancestors(&root).map(str::to_owned).collect();
        places.extend(ancestors(path).map(|path| self.at(path)));
        self.make_places(places)
    }
}

/// Replaces what is there, in one step where the server can. The first try of a step that
/// is done twice may have succeeded.
async fn take_place(client: &Client, from: &str, to: &str) -> Result<(), Error> {
    let mut fs = client.fs();
    let renamed = match fs.rename(from, to).await {
        Err(Error::SftpError(..)) if !client.support_posix_rename() => {
            // Plain renaming refuses where something is.
            let _ = fs.remove_file(to).await;
            fs.rename(from, to).await
        }
        renamed => renamed,
    };
    match renamed {
        Err(Error::SftpError(SftpErrorKind::NoSuchFile, _))
            if fs.metadata(from).await.is_err() && fs.metadata(to).await.is_ok() =>
        {
            Ok(())
        }
        renamed => renamed,
    }
}
