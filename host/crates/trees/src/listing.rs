//! A listing in progress: a thread of its own walks ahead, so that two trees are
//! listed at the same time and the reader seldom waits.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use mhost_model::{Fault, FaultResult};

use crate::walk::{WalkOptions, Walker};
use crate::{Watch, attributes, pack};

/// A page is handed out once it has so many bytes.
const PAGE: usize = 256 << 10;
/// Pages that wait for the reader.
const AHEAD: usize = 4;

/// See the module. Dropping it ends the walk.
#[derive(Debug)]
pub struct Listing {
    pages: Receiver<FaultResult<Vec<u8>>>,
}

impl Listing {
    /// Lists the directory itself and everything below it; `text` is its path for
    /// messages.
    pub fn start(
        root: OwnedFd,
        text: &str,
        options: WalkOptions,
        watch: Arc<dyn Watch>,
    ) -> FaultResult<Self> {
        let attributes = match options.attributes {
            true => attributes::digest_at(&root, c"."),
            false => 0,
        };
        let walker = Walker::new(root, text, options)?;
        let (sender, pages) = sync_channel(AHEAD);
        let walk = move || list(walker, attributes, &*watch, &sender);
        std::thread::Builder::new()
            .name("mhost-listing".to_owned())
            .spawn(walk)
            .map_err(|error| Fault::Failed(format!("cannot list `{text}`: {error}")))?;
        Ok(Self { pages })
    }

    /// The next page, as [`pack`] says; an empty one is the end.
    pub fn next_page(&mut self) -> FaultResult<Vec<u8>> {
        self.pages.recv().unwrap_or(Ok(Vec::new()))
    }
}

fn list(
    mut walker: Walker,
    attributes: u64,
    watch: &dyn Watch,
    pages: &SyncSender<FaultResult<Vec<u8>>>,
) {
    let mut page = Vec::with_capacity(PAGE + PAGE / 8);
    pack::root(&mut page, walker.root(), attributes);
    loop {
        match walker.step(watch) {
            Ok(None) => break,
            Ok(Some(entry)) => pack::entry(&mut page, &entry),
            Err(trouble) if trouble.end => {
                // Whoever dropped the listing does not want to know.
                let _ = pages.send(Err(trouble.fault));
                return;
            }
            Err(trouble) => pack::trouble(&mut page, &trouble),
        }
        if page.len() >= PAGE {
            let full = std::mem::replace(&mut page, Vec::with_capacity(PAGE + PAGE / 8));
            if pages.send(Ok(full)).is_err() {
                return;
            }
        }
    }
    let _ = pages.send(Ok(page));
}
