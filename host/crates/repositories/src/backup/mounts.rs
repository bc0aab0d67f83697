//! The sources as a tree of where they stand in the snapshot.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};
use std::sync::Arc;

use mhost_model::ports::repository::Source;
use mhost_model::{Fault, FaultResult};

use super::spot::Spot;
use crate::fault;

/// A folder on the way to sources, or a source, or both: a source that has others
/// below it shows them in the place of what lies there.
#[derive(Debug, Default)]
pub struct Mount {
    pub source: Option<Spot>,
    pub children: BTreeMap<OsString, Arc<Mount>>,
}

impl Mount {
    /// Opens all sources; the tree begins at `/`.
    pub fn open(sources: &[Source]) -> FaultResult<Self> {
        if sources.is_empty() {
            return Err(Fault::Invalid(
                "there is nothing to back up: name a source".to_owned(),
            ));
        }
        let mut building = Building::default();
        for source in sources {
            building.add(source)?;
        }
        Ok(building.finish())
    }

    pub fn child(&self, name: &OsStr) -> Option<&Arc<Self>> {
        self.children.get(name)
    }
}

#[derive(Default)]
struct Building {
    source: Option<Spot>,
    children: BTreeMap<OsString, Building>,
}

impl Building {
    fn add(&mut self, source: &Source) -> FaultResult<()> {
        let mut at = self;
        for name in names(&source.stand)? {
            at = at.children.entry(name.to_owned()).or_default();
            if let Some(outer) = &at.source {
                must_be_folder(outer, source)?;
            }
        }
        if at.source.is_some() {
            return Err(Fault::Invalid(format!(
                "two sources stand at {}: each needs a place of its own",
                source.stand.display()
            )));
        }
        let spot = Spot::find(&source.read)
            .map_err(|error| fault::system("backing up", &source.stand, &error))?;
        if !at.children.is_empty() {
            must_be_folder(&spot, source)?;
        }
        at.source = Some(spot);
        Ok(())
    }

    fn finish(self) -> Mount {
        let finish = |(name, child): (_, Self)| (name, Arc::new(child.finish()));
        Mount {
            source: self.source,
            children: self.children.into_iter().map(finish).collect(),
        }
    }
}

fn names(stand: &Path) -> FaultResult<Vec<&OsStr>> {
    let invalid = || {
        Fault::Invalid(format!(
            "a source cannot stand at {}: give an absolute path without `..`, in UTF-8",
            stand.display()
        ))
    };
    let mut components = stand.components();
    if components.next() != Some(Component::RootDir) || stand.to_str().is_none() {
        return Err(invalid());
    }
    components
        .map(|component| match component {
            Component::Normal(name) => Ok(name),
            _ => Err(invalid()),
        })
        .collect()
}

fn must_be_folder(outer: &Spot, source: &Source) -> FaultResult<()> {
    if outer.metadata().is_ok_and(|meta| meta.is_dir()) {
        return Ok(());
    }
    Err(Fault::Invalid(format!(
        "the sources around {} do not fit together: one lies below another that is no folder",
        source.stand.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn source(read: &str, stand: &str) -> Source {
        Source {
            read: PathBuf::from(read),
            stand: PathBuf::from(stand),
        }
    }

    fn check(sources: &[(&str, &str)], expected: Result<(), &str>) {
        let sources: Vec<_> = sources
            .iter()
            .map(|(read, stand)| source(read, stand))
            .collect();
        match (Mount::open(&sources), expected) {
            (Ok(_), Ok(())) => {}
            (Err(fault), Err(word)) => {
                assert!(fault.to_string().contains(word), "{sources:?}: {fault}");
            }
            (got, _) => panic!("{sources:?}: {:?}", got.map(|_| ())),
        }
    }

    #[test]
    fn sources_that_fit_and_that_do_not() {
        check(&[("/etc", "/etc"), ("/etc/passwd", "/etc/passwd")], Ok(()));
        check(&[("/etc/passwd", "/etc/passwd"), ("/etc", "/etc")], Ok(()));
        check(&[("/etc", "/")], Ok(()));
        check(&[], Err("nothing to back up"));
        check(&[("/etc", "/a"), ("/usr", "/a/")], Err("two sources"));
        check(&[("/etc/passwd", "/a"), ("/usr", "/a/b")], Err("no folder"));
        check(&[("/usr", "/a/b"), ("/etc/passwd", "/a")], Err("no folder"));
        check(&[("/etc", "etc")], Err("absolute"));
        check(&[("/etc", "/a/../b")], Err("`..`"));
        check(&[("/no/such", "/a")], Err("/a"));
    }
}
