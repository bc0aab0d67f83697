//! Files: the host's verbs, and std over `wasi:filesystem` for the ordinary ones.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use super::Imports;
use crate::bindings::mhost::plugin::files;
use crate::files::{
    Changes, Compressed, Compression, CopyOptions, Drained, Entry, Files, HashAlgorithm, Lock,
    Metadata, Reading, Space, Walk, WalkOptions, Writing,
};
use crate::{Error, Result};

impl Lock for files::FileLock {}

impl Walk for files::Walk {
    fn next(&self, max: u32) -> Result<Vec<Entry>> {
        files::Walk::next(self, max)
    }
}

/// The most that the host hands out at once.
const PIECE: usize = 1 << 20;

impl io::Read for files::Expanding {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = u32::try_from(buffer.len().min(PIECE)).unwrap_or(u32::MAX);
        if most == 0 {
            return Ok(0);
        }
        let piece = files::Expanding::read(self, most).map_err(io::Error::other)?;
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

impl Files for Imports {
    fn stat(&self, path: &str) -> Result<Metadata> {
        files::stat(path)
    }

    fn walk(&self, root: &str, options: WalkOptions) -> Result<Box<dyn Walk + '_>> {
        Ok(Box::new(files::open_walk(root, options)?))
    }

    fn set_metadata(&self, path: &str, changes: Changes) -> Result<()> {
        files::set_metadata(path, changes)
    }

    fn copy(&self, source: &str, target: &str, options: CopyOptions) -> Result<u64> {
        files::copy(source, target, options)
    }

    fn copy_range(
        &self,
        source: &str,
        offset: u64,
        length: Option<u64>,
        target: &str,
        target_offset: u64,
    ) -> Result<u64> {
        files::copy_range(source, offset, length, target, target_offset)
    }

    fn replace(&self, source: &str, target: &str) -> Result<()> {
        files::replace(source, target)
    }

    fn rename(&self, source: &str, target: &str) -> Result<()> {
        files::rename(source, target)
    }

    fn truncate(&self, path: &str, size: u64) -> Result<()> {
        files::truncate(path, size)
    }

    fn sync(&self, path: &str) -> Result<()> {
        files::sync(path)
    }

    fn hard_link(&self, source: &str, target: &str) -> Result<()> {
        files::hard_link(source, target)
    }

    fn symbolic_link(&self, target_text: &str, path: &str) -> Result<()> {
        files::symbolic_link(target_text, path)
    }

    fn free_space(&self, path: &str) -> Result<Space> {
        files::free_space(path)
    }

    fn kept_free(&self) -> u64 {
        files::kept_free()
    }

    fn lock(&self, path: &str, exclusive: bool) -> Result<Box<dyn Lock + '_>> {
        Ok(Box::new(files::lock(path, exclusive)?))
    }

    fn hash(
        &self,
        path: &str,
        algorithm: HashAlgorithm,
        offset: u64,
        length: Option<u64>,
    ) -> Result<Vec<u8>> {
        files::hash(path, algorithm, offset, length)
    }

    fn compress(
        &self,
        source: &str,
        target: &str,
        format: Compression,
        level: Option<u32>,
    ) -> Result<Compressed> {
        files::compress(source, target, format, level)
    }

    fn verify_compressed(&self, path: &str, format: Compression) -> Result<u64> {
        files::verify_compressed(path, format)
    }

    fn compress_xz(&self, source: &str, target: &str, level: Option<u32>) -> Result<Compressed> {
        files::compress_xz(source, target, level)
    }

    fn verify_xz(&self, path: &str) -> Result<u64> {
        files::verify_xz(path)
    }

    fn make_file(&self, path: &str, mode: u32, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        files::make_file(path, mode, uid, gid)
    }

    fn drain(&self, source: &str, copied: u64, target: &str) -> Result<Drained> {
        files::drain(source, copied, target)
    }

    fn shred(&self, path: &str, passes: u32) -> Result<()> {
        files::shred(path, passes)
    }

    fn user_id(&self, path: &str, name: &str) -> Result<u32> {
        files::user_id(path, name)
    }

    fn group_id(&self, path: &str, name: &str) -> Result<u32> {
        files::group_id(path, name)
    }

    fn open_compressed(&self, path: &str, offset: u64) -> Result<Box<dyn io::Read + '_>> {
        Ok(Box::new(files::open_compressed(path, offset)?))
    }

    fn open(&self, path: &str) -> Result<Box<dyn Reading + '_>> {
        let file = done(File::open(path), || format!("open `{path}`"))?;
        Ok(Box::new(file))
    }

    fn create_open(&self, path: &str) -> Result<Box<dyn Writing + '_>> {
        let file = done(File::create_new(path), || format!("create `{path}`"))?;
        Ok(Box::new(file))
    }

    fn read(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = File::open(path)
            .and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut content));
        done(read, || format!("read `{path}`"))?;
        if content.len() as u64 > most {
            let text = format!("cannot read `{path}`: it holds more than {most} bytes");
            return Err(Error::Limit(text));
        }
        Ok(content)
    }

    fn read_range(&self, path: &str, offset: u64, most: u64) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.take(most).read_to_end(&mut content)
        });
        done(read, || format!("read `{path}`"))?;
        Ok(content)
    }

    fn create(&self, path: &str, content: &[u8]) -> Result<()> {
        let created = File::create_new(path).and_then(|mut file| file.write_all(content));
        done(created, || format!("create `{path}`"))
    }

    fn create_directory(&self, path: &str) -> Result<()> {
        done(fs::create_dir(path), || {
            format!("create the directory `{path}`")
        })
    }

    fn remove_file(&self, path: &str) -> Result<()> {
        done(fs::remove_file(path), || format!("remove `{path}`"))
    }

    fn remove_directory(&self, path: &str) -> Result<()> {
        done(fs::remove_dir(path), || {
            format!("remove the directory `{path}`")
        })
    }
}

/// WASI's word for a file system that is read-only, which std has no kind for there.
const READ_ONLY: i32 = 69;

/// In a dry run the directories are read-only, and that is why nothing changes.
fn done<T>(result: io::Result<T>, operation: impl FnOnce() -> String) -> Result<T> {
    result.map_err(|error| {
        let read_only = error.kind() == io::ErrorKind::ReadOnlyFilesystem
            || error.raw_os_error() == Some(READ_ONLY);
        match read_only && super::is_dry_run() {
            true => Error::DryRun(operation()),
            false => Error::from_io(&operation(), &error),
        }
    })
}
