//! A remote in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::NativeHost;
use crate::remote::{Entry, Metadata, Remote, Writer};
use crate::{Error, Result};

/// A file with its time, or a folder.
#[derive(Clone)]
pub(super) enum Thing {
    File(Vec<u8>, u64),
    Folder,
}

pub(super) type Things = Rc<RefCell<BTreeMap<String, Thing>>>;

/// Files and folders by path.
#[derive(Clone, Default)]
pub struct FakeRemote(pub(super) Things);

impl FakeRemote {
    pub fn with_file(self, path: &str, content: &[u8], modified: u64) -> Self {
        let file = Thing::File(content.to_vec(), modified);
        self.0.borrow_mut().insert(path.to_owned(), file);
        self
    }

    /// The content of each file.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let things = self.0.borrow();
        let files = things.iter().filter_map(|(path, thing)| match thing {
            Thing::File(content, _) => Some((path.clone(), content.clone())),
            Thing::Folder => None,
        });
        files.collect()
    }
}

pub(super) struct Open<'h> {
    pub fake: Things,
    pub host: &'h NativeHost,
}

impl Open<'_> {
    fn thing(&self, path: &str) -> Result<Thing> {
        let found = self.fake.borrow().get(path).cloned();
        found.ok_or_else(|| Error::NotFound(format!("there is no `{path}` on the remote")))
    }
}

fn described(thing: &Thing) -> Metadata {
    let (directory, size, modified) = match thing {
        Thing::File(content, modified) => (false, content.len() as u64, Some(*modified)),
        Thing::Folder => (true, 0, None),
    };
    Metadata {
        directory,
        size,
        modified,
        etag: None,
    }
}

impl Remote for Open<'_> {
    fn listing(
        &self,
        path: &str,
        recursive: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Entry>> {
        let prefix = match path.trim_matches('/') {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let things = self.fake.borrow();
        let below = things.iter().filter(|(path, _)| {
            let rest = path.strip_prefix(prefix.as_str());
            rest.is_some_and(|rest| recursive || !rest.contains('/'))
                && after.is_none_or(|after| path.as_str() > after)
        });
        let entries = below.map(|(path, thing)| Entry {
            path: path.clone(),
            metadata: described(thing),
        });
        Ok(entries.take(limit as usize).collect())
    }

    fn stat(&self, path: &str) -> Result<Metadata> {
        Ok(described(&self.thing(path)?))
    }

    fn read(&self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>> {
        match self.thing(path)? {
            Thing::File(content, _) => {
                let start = content
                    .len()
                    .min(usize::try_from(offset).unwrap_or(usize::MAX));
                let end = content.len().min(start + length as usize);
                Ok(content[start..end].to_vec())
            }
            Thing::Folder => Err(Error::Invalid(format!("`{path}` is a folder"))),
        }
    }

    fn write(&self, path: &str) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(Writing {
            open: self,
            path: path.to_owned(),
            content: RefCell::default(),
        }))
    }

    fn rename(&self, source: &str, target: &str) -> Result<()> {
        let thing = self.thing(source)?;
        self.host.change(
            || format!("rename `{source}`"),
            || {
                let mut things = self.fake.borrow_mut();
                things.remove(source);
                things.insert(target.to_owned(), thing);
                Ok(())
            },
        )
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.host.change(
            || format!("delete `{path}`"),
            || {
                self.fake.borrow_mut().remove(path);
                Ok(())
            },
        )
    }

    fn create_directory(&self, path: &str) -> Result<()> {
        self.host.change(
            || format!("create `{path}`"),
            || {
                self.fake
                    .borrow_mut()
                    .insert(path.to_owned(), Thing::Folder);
                Ok(())
            },
        )
    }
}

struct Writing<'o> {
    open: &'o Open<'o>,
    path: String,
    content: RefCell<Vec<u8>>,
}

impl Writer for Writing<'_> {
    fn write(&self, data: &[u8]) -> Result<()> {
        self.content.borrow_mut().extend_from_slice(data);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        let content = self.content.take();
        let bytes = content.len() as u64;
        self.open.host.change(
            || format!("write `{}`", self.path),
            || {
                let file = Thing::File(content, self.open.host.now.get());
                self.open.fake.borrow_mut().insert(self.path.clone(), file);
                Ok(bytes)
            },
        )
    }
}
