//! Files in the making on an SFTP server: beside their places, as `.NAME.NUMBER.mhost-tmp`.

use std::sync::Arc;

use bytes::Bytes;
use mhost_model::ports::remote::{Remote as _, Writer};
use mhost_model::{Fault, FaultResult};
use openssh_sftp_client::file::File;
use openssh_sftp_client::{Error, Sftp as Client};

use super::link::Link;
use super::{STEP, Sftp, take_place};
use crate::path::{aside_path, lost, split};
use crate::worker::Trouble;

/// Pieces that are under way at the same time.
const PIECE: usize = 32 << 10;

/// A file in the making; dropping it removes it.
pub(super) struct Aside {
    remote: Sftp,
    link: Arc<Link>,
    file: Option<File>,
    aside: String,
    path: String,
    written: u64,
}

impl Aside {
    pub fn create(remote: &Sftp, path: &str) -> FaultResult<Self> {
        let aside = aside_path(path)?;
        let folder = split(path).0;
        if !folder.is_empty() {
            remote.make_folders(folder)?;
        }
        let there = Arc::clone(&remote.there);
        let place = remote.at(&aside);
        let opened = there.worker.run(async {
            let link = there.link().await?;
            let opened = tokio::time::timeout(STEP, link.client.create(&place)).await;
            let file = there.judge("write", path, &link, opened)?;
            Ok((link, file))
        })?;
        let (link, file) = opened.map_err(|trouble: Trouble| trouble.fault)?;
        Ok(Self {
            remote: remote.clone(),
            link,
            file: Some(file),
            aside,
            path: path.to_owned(),
            written: 0,
        })
    }

    fn file(&mut self) -> FaultResult<File> {
        self.file.take().ok_or_else(|| lost(&self.path))
    }
}

impl Writer for Aside {
    fn write(&mut self, data: &[u8]) -> FaultResult<()> {
        let mut file = self.file()?;
        let there = Arc::clone(&self.remote.there);
        let sent = there.worker.run(async {
            let sent = tokio::time::timeout(STEP, file.write_all(data)).await;
            there.judge("write", &self.path, &self.link, sent)
        })?;
        sent.map_err(|trouble| trouble.fault)?;
        self.file = Some(file);
        self.written += data.len() as u64;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> FaultResult<u64> {
        let file = self.file()?;
        let there = Arc::clone(&self.remote.there);
        let (from, to) = (self.remote.at(&self.aside), self.remote.at(&self.path));
        let placed = there.worker.run(async {
            let client = &self.link.client;
            let placed = tokio::time::timeout(STEP, async {
                settle(client, file).await?;
                take_place(client, &from, &to).await
            });
            there.judge("write", &self.path, &self.link, placed.await)
        })?;
        placed.map_err(|trouble| trouble.fault)?;
        self.aside.clear();
        Ok(self.written)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.aside.is_empty() {
            return;
        }
        let (link, file) = (Arc::clone(&self.link), self.file.take());
        let place = self.remote.at(&self.aside);
        if let Ok(runtime) = self.remote.there.worker.runtime() {
            // Not waited for: this may be an async thread.
            runtime.spawn(async move {
                drop(file);
                let _ = link.client.fs().remove_file(&place).await;
            });
        }
    }
}

/// Durable, where the server can, and closed.
async fn settle(client: &Client, mut file: File) -> Result<(), Error> {
    if client.support_fsync() {
        file.sync_all().await?;
    }
    file.close().await
}

/// Puts a whole file in its place; sent again where the connection breaks.
pub(super) fn put(remote: &Sftp, path: &str, content: &[Bytes]) -> FaultResult<()> {
    let aside = aside_path(path)?;
    let (from, to) = (remote.at(&aside), remote.at(path));
    let wanted: usize = content.iter().map(Bytes::len).sum();
    let send = || {
        remote.carry(wanted as u64, "write", path, async |client: &Client| {
            let sent = match client.create(&from).await {
                Ok(file) => fill(client, file, content).await,
                Err(error) => Err(error),
            };
            match sent {
                Ok(()) => take_place(client, &from, &to).await,
                Err(error) => {
                    // A full disk there keeps nothing of it.
                    let _ = client.fs().remove_file(&from).await;
                    Err(error)
                }
            }
        })
    };
    let folder = split(path).0;
    match send() {
        Err(Fault::NotFound(_)) if !folder.is_empty() => {
            remote.make_folders(folder)?;
            send()
        }
        sent => sent,
    }?;
    let found = remote.stat(path)?.size;
    match found == wanted as u64 {
        true => Ok(()),
        false => Err(Fault::Failed(format!(
            "`{path}`: {found} bytes were stored instead of {wanted}"
        ))),
    }
}

/// Many pieces are on their way at the same time, so that a far server is not slow.
async fn fill(client: &Client, file: File, content: &[Bytes]) -> Result<(), Error> {
    use openssh_sftp_client::file::TokioCompatFile;
    use tokio::io::AsyncWriteExt;
    let mut file = std::pin::pin!(TokioCompatFile::new(file));
    for piece in content.iter().flat_map(|bytes| bytes.chunks(PIECE)) {
        file.write_all(piece).await?;
    }
    file.flush().await?;
    let inner = file.as_mut().as_mut_file();
    if client.support_fsync() {
        inner.sync_all().await?;
    }
    Ok(())
}
