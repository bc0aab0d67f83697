//! Pages of a tree of folders, in the byte order of whole paths.
//!
//! In that order `a-b` stands between the folder `a` and its file `a/b`, because `-`
//! comes before `/`. So a folder is two things among its siblings: itself, at
//! `a`, and what is below it, at `a/`. A page reads the folders that it touches and
//! those on the way to where the last one ended; no state is kept between pages.

use mhost_model::ports::remote::{Entry, Metadata};
use mhost_model::{Fault, FaultResult};

use crate::path::join;

/// What lies in a folder.
pub(crate) struct Child {
    pub name: String,
    /// Whether to look below it. A link to a folder is listed, but not descended into: it
    /// may lead back.
    pub folder: bool,
    /// Where it came along with the name.
    pub metadata: Option<Metadata>,
}

/// A tree that is listed folder by folder.
pub(crate) trait Tree {
    /// Everything in a folder, in any order; empty for the root.
    fn children(&self, folder: &str) -> FaultResult<Vec<Child>>;
    /// What a link points to, as reading it does; a link that leads nowhere or out is an
    /// entry without content.
    fn look(&self, path: &str) -> FaultResult<Metadata>;
}

/// Lists at most `limit` entries below `folder` whose paths come after `after`.
pub(crate) fn list(
    tree: &impl Tree,
    folder: &str,
    recursive: bool,
    after: Option<&str>,
    limit: usize,
) -> FaultResult<Vec<Entry>> {
    let mut page = Page {
        tree,
        recursive,
        after: after.unwrap_or(""),
        limit,
        entries: Vec::new(),
    };
    page.walk(folder, true)?;
    Ok(page.entries)
}

struct Page<'t, T> {
    tree: &'t T,
    recursive: bool,
    after: &'t str,
    limit: usize,
    entries: Vec<Entry>,
}

impl<T: Tree> Page<'_, T> {
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
        for (point, metadata) in points {
            if self.full() {
                break;
            }
            match point.strip_suffix('/') {
                Some(below) => self.walk(below, false)?,
                None => self.add(point, metadata)?,
            }
        }
        Ok(())
    }

    /// In order, the paths in a folder that come after, and for each folder in it
    /// its path with a slash if anything below it can.
    fn points(&self, folder: &str) -> FaultResult<Vec<(String, Option<Metadata>)>> {
        let mut points = Vec::new();
        for child in self.tree.children(folder)? {
            let path = join(folder, &child.name);
            if self.recursive && child.folder {
                let below = format!("{path}/");
                if below.as_str() > self.after || self.after.starts_with(&below) {
                    points.push((below, None));
                }
            }
            if path.as_str() > self.after {
                points.push((path, child.metadata));
            }
        }
        points.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(points)
    }

    fn add(&mut self, path: String, known: Option<Metadata>) -> FaultResult<()> {
        let metadata = match known.map_or_else(|| self.tree.look(&path), Ok) {
            Err(Fault::NotFound(_)) => return Ok(()),
            looked => looked?,
        };
        self.entries.push(Entry { path, metadata });
        Ok(())
    }
}
