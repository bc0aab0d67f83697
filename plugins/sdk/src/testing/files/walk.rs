//! A walk, collected when it starts.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::Result;
use crate::files::{Entry, Metadata, Walk, WalkOptions};

type Describe<'a> = &'a dyn Fn(&fs::Metadata) -> Metadata;

pub struct Listed(RefCell<VecDeque<Entry>>);

impl Listed {
    pub fn new(entries: Vec<Entry>) -> Self {
        Self(RefCell::new(entries.into()))
    }
}

impl Walk for Listed {
    fn next(&self, max: u32) -> Result<Vec<Entry>> {
        let mut rest = self.0.borrow_mut();
        let count = rest.len().min(max as usize);
        Ok(rest.drain(..count).collect())
    }
}

/// Depth first, parents first, names in byte order.
pub fn collect(
    root: &Path,
    options: WalkOptions,
    describe: Describe<'_>,
) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let device = options.one_file_system.then_some(fs::metadata(root)?.dev());
    let limits = Limits { device, describe };
    descend(root, "", options.max_depth, &limits, &mut entries)?;
    Ok(entries)
}

struct Limits<'a> {
    device: Option<u64>,
    describe: Describe<'a>,
}

fn descend(
    directory: &Path,
    prefix: &str,
    depth: Option<u32>,
    limits: &Limits<'_>,
    entries: &mut Vec<Entry>,
) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        let local = directory.join(&name);
        let path = format!("{prefix}{}", name.to_string_lossy());
        let found = fs::symlink_metadata(&local)?;
        entries.push(Entry {
            path: path.clone(),
            raw: name.to_str().is_none().then(|| name.as_bytes().to_vec()),
            metadata: (limits.describe)(&found),
            link_target: fs::read_link(&local)
                .ok()
                .map(|text| text.display().to_string()),
        });
        let below = depth.map(|depth| depth.checked_sub(1));
        let same = limits.device.is_none_or(|device| device == found.dev());
        if found.is_dir() && same && below != Some(None) {
            descend(
                &local,
                &format!("{path}/"),
                below.flatten(),
                limits,
                entries,
            )?;
        }
    }
    Ok(())
}
