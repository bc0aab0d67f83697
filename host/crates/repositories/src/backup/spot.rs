//! Something on the disk that cannot be exchanged between two looks at it: an
//! entry of an open folder, or an open thing itself.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::folder::{Folder, open_quietly};

/// See the module.
#[derive(Debug, Clone)]
pub enum Spot {
    Entry { folder: Folder, name: OsString },
    Open(Arc<File>),
}

impl Spot {
    /// What a source's path names. A path directly below `/proc/self/fd` is the
    /// open thing itself; elsewhere a symbolic link is a symbolic link.
    pub fn find(path: &Path) -> io::Result<Self> {
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if !is_descriptors(parent) => {
                let folder = Folder::pin(parent)?;
                let name = name.to_owned();
                folder.metadata(&name)?;
                Ok(Self::Entry { folder, name })
            }
            _ => {
                let file = OpenOptions::new()
                    .read(true)
                    .custom_flags(OFlags::PATH.bits().cast_signed())
                    .open(path)?;
                Ok(Self::Open(Arc::new(file)))
            }
        }
    }

    pub fn entry(folder: &Folder, name: &OsStr) -> Self {
        let (folder, name) = (folder.clone(), name.to_owned());
        Self::Entry { folder, name }
    }

    pub fn metadata(&self) -> io::Result<Metadata> {
        match self {
            Self::Entry { folder, name } => folder.metadata(name),
            Self::Open(file) => file.metadata(),
        }
    }

    pub fn folder(&self) -> io::Result<Folder> {
        match self {
            Self::Entry { folder, name } => folder.child(name),
            Self::Open(_) => Folder::open(&self.path()),
        }
    }

    pub fn file(&self) -> io::Result<File> {
        match self {
            Self::Entry { folder, name } => folder.file(name),
            Self::Open(_) => open_quietly(&self.path(), OFlags::empty()),
        }
    }

    /// What a symbolic link says.
    pub fn link_target(&self) -> io::Result<PathBuf> {
        fs::read_link(self.path())
    }

    /// Extended attributes. What cannot be read of them counts as absent: not every
    /// file system has them, and some are for root alone.
    pub fn attributes(&self) -> Vec<(OsString, Vec<u8>)> {
        let path = self.path();
        let names = self.attribute_names();
        let values = names.iter().map(|name| self.attribute(&path, name));
        values.flatten().collect()
    }

    /// Their names alone.
    pub fn attribute_names(&self) -> Vec<OsString> {
        let path = self.path();
        let names = match self {
            Self::Entry { .. } => whole(|buffer| rustix::fs::llistxattr(&path, buffer)),
            Self::Open(_) => whole(|buffer| rustix::fs::listxattr(&path, buffer)),
        };
        let names = names.unwrap_or_default();
        let names = names.split(|byte| *byte == 0);
        let names = names.filter(|name| !name.is_empty());
        names
            .map(|name| OsStr::from_bytes(name).to_owned())
            .collect()
    }

    fn attribute(&self, path: &Path, name: &OsStr) -> Option<(OsString, Vec<u8>)> {
        let value = match self {
            Self::Entry { .. } => whole(|buffer| rustix::fs::lgetxattr(path, name, buffer)),
            Self::Open(_) => whole(|buffer| rustix::fs::getxattr(path, name, buffer)),
        };
        Some((name.to_owned(), value?))
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Entry { folder, name } => folder.at(name),
            Self::Open(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
        }
    }
}

fn is_descriptors(folder: &Path) -> bool {
    let own = format!("/proc/{}/fd", std::process::id());
    ["/proc/self/fd", "/dev/fd", &own]
        .iter()
        .any(|known| folder == Path::new(known))
}

/// Most files have no attributes, most attributes are small, and none is larger
/// than 64 KiB.
fn whole(call: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Option<Vec<u8>> {
    let small = &mut [0; 256];
    match call(small) {
        Ok(length) => Some(small[..length].to_vec()),
        Err(rustix::io::Errno::RANGE) => {
            let mut large = vec![0; 64 * 1024];
            let length = call(&mut large).ok()?;
            large.truncate(length);
            Some(large)
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_test_support::scratch;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_descriptor_is_the_thing_itself() {
        let dir = scratch("spot");
        fs::write(dir.path().join("file"), "content").unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        let file = File::open(dir.path().join("file")).unwrap();
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        assert!(
            Spot::find(Path::new(&path))
                .unwrap()
                .metadata()
                .unwrap()
                .is_file()
        );
        let link = Spot::find(&dir.path().join("link")).unwrap();
        assert!(link.metadata().unwrap().is_symlink());
        assert_eq!(link.link_target().unwrap(), Path::new("file"));
    }

    #[test]
    fn a_folder_by_descriptor_and_what_lies_below() {
        let dir = scratch("spot");
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/file"), "").unwrap();
        let open = File::open(dir.path()).unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
        let root = Spot::find(&path).unwrap();
        assert_eq!(root.folder().unwrap().names().unwrap(), ["sub"]);
        let below = Spot::find(&path.join("sub")).unwrap();
        assert_eq!(below.folder().unwrap().names().unwrap(), ["file"]);
    }

    #[test]
    fn what_is_not_there_is_found_out_at_once() {
        let error = Spot::find(Path::new("/no/such/thing")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(
            Spot::find(Path::new("/"))
                .unwrap()
                .metadata()
                .unwrap()
                .is_dir()
        );
    }
}
