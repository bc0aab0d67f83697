//! Pages of a directory tree, in the byte order of whole paths.
//!
//! In that order `a-b` stands between the folder `a` and its file `a/b`, because `-`
//! comes before `/`. So a folder is two things among its siblings: itself, at
//! `a`, and what is below it, at `a/`. A page reads the folders that it touches and
//! those on the way to where the last one ended; no state is kept between pages.

use std::io;

use cap_std::fs::Dir;
use mhost_model::ports::remote::{Entry, Metadata};
use mhost_model::{Fault, FaultResult};

use super::{fault, metadata, open_folder, writing};
use crate::path::join;

/// Lists at most `limit` entries below `folder` whose paths come after `after`.
pub(super) fn list(
    root: &Dir,
    folder: &str,
    recursive: bool,
    after: Option<&str>,
    limit: usize,
) -> FaultResult<Vec<Entry>> {
    let mut page = Page {
        root,
        recursive,
        after: after.unwrap_or(""),
        limit,
        entries: Vec::new(),
    };
    page.walk(folder, true)?;
    Ok(page.entries)
}

struct Page<'r> {
    root: &'r Dir,
    recursive: bool,
    after: &'r str,
    limit: usize,
    entries: Vec<Entry>,
}

impl Page<'_> {
    fn full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    /// Adds what is below a folder. One that vanished meanwhile has nothing, unless
    /// it is the `first`, which was asked for.
    fn walk(&mut self, folder: &str, first: bool) -> FaultResult<()> {
        let points = match self.points(folder) {
            Err(Fault::NotFound(_)) if !first => return Ok(()),
            points => points?,
        };
        for point in points {
            if self.full() {
                break;
            }
            match point.strip_suffix('/') {
                Some(below) => self.walk(below, false)?,
                None => self.add(point)?,
            }
        }
        Ok(())
    }

    /// In order, the paths in a folder that come after, and for each folder in it
    /// its path with a slash if anything below it can.
    fn points(&self, folder: &str) -> FaultResult<Vec<String>> {
        let failed = |error: io::Error| fault("list", folder, &error);
        let dir = open_folder(self.root, folder).map_err(failed)?;
        let mut points = Vec::new();
        for entry in dir.entries().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_string().map_err(|name| {
                Fault::Unsupported(format!(
                    "{name:?} in the folder `{folder}` is not UTF-8: rename it"
                ))
            })?;
            if writing::is_aside(&name) {
                continue;
            }
            let path = join(folder, &name);
            // A link to a folder is listed, but not descended into: it may lead back.
            if self.recursive && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let below = format!("{path}/");
                if below.as_str() > self.after || self.after.starts_with(&below) {
                    points.push(below);
                }
            }
            if path.as_str() > self.after {
                points.push(path);
            }
        }
        points.sort_unstable();
        Ok(points)
    }

    fn add(&mut self, path: String) -> FaultResult<()> {
        let metadata = match self.look(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            looked => looked.map_err(|error| fault("look at", &path, &error))?,
        };
        self.entries.push(Entry { path, metadata });
        Ok(())
    }

    /// What a link points to, as reading it does; a link that leads nowhere or out is
    /// an entry without content.
    fn look(&self, path: &str) -> io::Result<Metadata> {
        let own = self.root.symlink_metadata(path)?;
        if !own.is_symlink() {
            return Ok(metadata(&own));
        }
        let target = self.root.metadata(path);
        Ok(metadata(&target.unwrap_or(own)))
    }
}
