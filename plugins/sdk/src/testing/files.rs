//! The granted directories in a temporary folder, through std and the system.

mod cache;
mod walk;
mod writing;

use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lzma_rust2::{XzOptions, XzReader, XzWriter};
use mhost_trees::accounts;
use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT};
use sha2::Digest as _;

use super::NativeHost;
use crate::files::{
    Changes, Compressed, Compression, CopyOptions, Drained, Files, HashAlgorithm, Kind, Lock,
    Metadata, Moment, Reading, Space, Walk, WalkOptions, Writing,
};
use crate::{Error, Result};

struct Held {
    _file: File,
}

impl Lock for Held {}

impl NativeHost {
    /// Below the temporary folder, whatever the path says.
    fn at(&self, guest: &str) -> Result<PathBuf> {
        if !guest.starts_with('/') || guest.split('/').any(|name| name == "..") {
            return Err(Error::Invalid(format!("`{guest}` is no guest path")));
        }
        Ok(self.path(guest))
    }

    /// A change of files, with its paths resolved.
    fn edit<T>(
        &self,
        operation: &str,
        paths: &[&str],
        act: impl FnOnce(&[PathBuf]) -> io::Result<T>,
    ) -> Result<T> {
        let what = format!("{operation} `{}`", paths.join("` to `"));
        let local: Vec<_> = paths
            .iter()
            .map(|path| self.at(path))
            .collect::<Result<_>>()?;
        self.change(
            || what.clone(),
            || {
                let value = done(act(&local), &what)?;
                // What is only read does not change.
                let changed = match operation {
                    "compress" | "copy" => &local[1..],
                    _ => &local,
                };
                changed.iter().for_each(|path| self.touched(path));
                Ok(value)
            },
        )
    }

    /// The file system's change times are the machine's; these are the test's.
    fn touched(&self, path: &Path) {
        if let Ok(found) = fs::symlink_metadata(path) {
            let mut changed = self.changed.borrow_mut();
            changed.insert(found.ino(), self.now.get());
        }
    }

    fn described(&self, found: &fs::Metadata) -> Metadata {
        let mut metadata = metadata(found);
        let changed = self.changed.borrow().get(&found.ino()).copied();
        metadata.changed = changed.map_or(metadata.modified, Moment::from_millis);
        metadata
    }
}

fn done<T>(result: io::Result<T>, operation: &str) -> Result<T> {
    result.map_err(|error| Error::from_io(operation, &error))
}

impl Files for NativeHost {
    fn stat(&self, path: &str) -> Result<Metadata> {
        let found = fs::symlink_metadata(self.at(path)?);
        done(found, &format!("look at `{path}`")).map(|found| self.described(&found))
    }

    fn walk(&self, root: &str, options: WalkOptions) -> Result<Box<dyn Walk + '_>> {
        let listed = walk::collect(&self.at(root)?, options, &|found| self.described(found));
        let entries = done(listed, &format!("walk below `{root}`"))?;
        Ok(Box::new(walk::Listed::new(entries)))
    }

    fn set_metadata(&self, path: &str, changes: Changes) -> Result<()> {
        self.edit("set the metadata of", &[path], |local| {
            change_metadata(&local[0], changes)
        })
    }

    fn copy(&self, source: &str, target: &str, options: CopyOptions) -> Result<u64> {
        self.edit("copy", &[source, target], |local| {
            let (source, target) = (&local[0], &local[1]);
            whole(source, target, options.replace, options.preserve, io::copy)
        })
    }

    fn copy_range(
        &self,
        source: &str,
        offset: u64,
        length: Option<u64>,
        target: &str,
        target_offset: u64,
    ) -> Result<u64> {
        self.edit("copy a part of", &[source, target], |local| {
            let mut from = File::open(&local[0])?;
            from.seek(SeekFrom::Start(offset))?;
            self.written(&local[1]);
            let mut to = OpenOptions::new().write(true).open(&local[1])?;
            to.seek(SeekFrom::Start(target_offset))?;
            io::copy(&mut from.take(length.unwrap_or(u64::MAX)), &mut to)
        })
    }

    fn replace(&self, source: &str, target: &str) -> Result<()> {
        self.edit("replace", &[source, target], |local| {
            fs::rename(&local[0], &local[1])?;
            self.renamed(&local[0], &local[1]);
            Ok(())
        })
    }

    fn rename(&self, source: &str, target: &str) -> Result<()> {
        self.edit("rename", &[source, target], |local| {
            vacant(&local[1])?;
            fs::rename(&local[0], &local[1])?;
            self.renamed(&local[0], &local[1]);
            Ok(())
        })
    }

    fn truncate(&self, path: &str, size: u64) -> Result<()> {
        self.edit("truncate", &[path], |local| {
            self.written(&local[0]);
            OpenOptions::new()
                .write(true)
                .open(&local[0])?
                .set_len(size)
        })
    }

    fn sync(&self, path: &str) -> Result<()> {
        self.edit("sync", &[path], |local| File::open(&local[0])?.sync_all())?;
        self.unsynced.borrow_mut().remove(&self.at(path)?);
        Ok(())
    }

    fn hard_link(&self, source: &str, target: &str) -> Result<()> {
        self.edit("link", &[source, target], |local| {
            fs::hard_link(&local[0], &local[1])
        })
    }

    fn symbolic_link(&self, target_text: &str, path: &str) -> Result<()> {
        self.edit("make the link", &[path], |local| {
            std::os::unix::fs::symlink(target_text, &local[0])
        })
    }

    fn free_space(&self, path: &str) -> Result<Space> {
        let local = self.at(path)?;
        if let Some((available, _)) = self.room.get() {
            done(fs::metadata(&local), &format!("look at `{path}`"))?;
            return Ok(Space {
                total: u64::MAX,
                free: available,
                available,
            });
        }
        let found = rustix::fs::statvfs(&local).map_err(io::Error::from);
        let found = done(found, &format!("look at the file system of `{path}`"))?;
        Ok(Space {
            total: found.f_blocks * found.f_frsize,
            free: found.f_bfree * found.f_frsize,
            available: found.f_bavail * found.f_frsize,
        })
    }

    fn kept_free(&self) -> u64 {
        self.room.get().map_or(0, |(_, kept)| kept)
    }

    fn lock(&self, path: &str, exclusive: bool) -> Result<Box<dyn Lock + '_>> {
        let operation = format!("lock `{path}`");
        let file = done(File::open(self.at(path)?), &operation)?;
        let held = if exclusive {
            file.try_lock()
        } else {
            file.try_lock_shared()
        };
        match held {
            Ok(()) => Ok(Box::new(Held { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Busy(format!(
                "cannot {operation}: another process holds it"
            ))),
            Err(fs::TryLockError::Error(error)) => Err(Error::from_io(&operation, &error)),
        }
    }

    fn hash(
        &self,
        path: &str,
        algorithm: HashAlgorithm,
        offset: u64,
        length: Option<u64>,
    ) -> Result<Vec<u8>> {
        let content = File::open(self.at(path)?).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            let mut content = Vec::new();
            file.take(length.unwrap_or(u64::MAX))
                .read_to_end(&mut content)?;
            Ok(content)
        });
        let content = done(content, &format!("hash `{path}`"))?;
        Ok(match algorithm {
            HashAlgorithm::Sha256 => sha2::Sha256::digest(&content).to_vec(),
            HashAlgorithm::Blake3 => blake3::hash(&content).as_bytes().to_vec(),
            HashAlgorithm::Crc32 => crc32fast::hash(&content).to_be_bytes().to_vec(),
        })
    }

    fn compress(
        &self,
        source: &str,
        target: &str,
        format: Compression,
        level: Option<u32>,
    ) -> Result<Compressed> {
        self.edit("compress", &[source, target], |local| {
            let bytes_in = whole(&local[0], &local[1], false, true, |from, to| {
                compress(from, to, format, level)
            })?;
            let bytes_out = fs::metadata(&local[1])?.len();
            Ok(Compressed {
                bytes_in,
                bytes_out,
            })
        })
    }

    fn verify_compressed(&self, path: &str, format: Compression) -> Result<u64> {
        let damaged = |error| Error::Damaged(format!("`{path}` is damaged: {error}"));
        let file = File::open(self.at(path)?);
        let file = done(file, &format!("read `{path}`"))?;
        expand(file, format).map_err(damaged)
    }

    fn compress_xz(&self, source: &str, target: &str, level: Option<u32>) -> Result<Compressed> {
        self.edit("compress", &[source, target], |local| {
            let bytes_in = whole(&local[0], &local[1], false, true, |from, to| {
                let options = XzOptions::with_preset(level.unwrap_or(6));
                let mut encoder = XzWriter::new(to, options)?;
                let bytes = io::copy(from, &mut encoder)?;
                encoder.finish()?;
                Ok(bytes)
            })?;
            let bytes_out = fs::metadata(&local[1])?.len();
            Ok(Compressed {
                bytes_in,
                bytes_out,
            })
        })
    }

    fn verify_xz(&self, path: &str) -> Result<u64> {
        let file = done(File::open(self.at(path)?), &format!("read `{path}`"))?;
        io::copy(&mut XzReader::new(file, true), &mut io::sink())
            .map_err(|error| Error::Damaged(format!("`{path}` is damaged: {error}")))
    }

    fn make_file(&self, path: &str, mode: u32, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        self.edit("make", &[path], |local| {
            let file = File::create_new(&local[0])?;
            std::os::unix::fs::fchown(&file, uid, gid)?;
            file.set_permissions(Permissions::from_mode(mode))
        })
    }

    fn drain(&self, source: &str, copied: u64, target: &str) -> Result<Drained> {
        if self.stat(source)?.size < copied {
            return Err(Error::Busy(format!("`{source}` became shorter")));
        }
        self.edit("empty", &[source, target], |local| {
            let mut from = File::open(&local[0])?;
            from.seek(SeekFrom::Start(copied))?;
            let mut to = OpenOptions::new().append(true).open(&local[1])?;
            let bytes = io::copy(&mut from, &mut to)?;
            OpenOptions::new().write(true).open(&local[0])?.set_len(0)?;
            let window_ns = 1;
            Ok(Drained { bytes, window_ns })
        })
    }

    fn shred(&self, path: &str, passes: u32) -> Result<()> {
        if !(1..=100).contains(&passes) {
            return Err(Error::Invalid(format!("{passes} passes")));
        }
        if self.stat(path)?.links > 1 {
            return Err(Error::Unsupported(format!("`{path}` has other names")));
        }
        self.edit("shred", &[path], |local| fs::remove_file(&local[0]))
    }

    fn user_id(&self, _: &str, name: &str) -> Result<u32> {
        accounts::user(name)
    }

    fn group_id(&self, _: &str, name: &str) -> Result<u32> {
        accounts::group(name)
    }

    fn open_compressed(&self, path: &str, offset: u64) -> Result<Box<dyn io::Read + '_>> {
        let operation = format!("read `{path}`");
        let raw = done(fs::read(self.at(path)?), &operation)?;
        let mut reader: Box<dyn Read> = match raw.as_slice() {
            [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(io::Cursor::new(raw))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                Box::new(done(zstd::Decoder::new(io::Cursor::new(raw)), &operation)?)
            }
            [0xfd, b'7', b'z', b'X', ..] => Box::new(XzReader::new(io::Cursor::new(raw), true)),
            _ => return Err(Error::Unsupported(format!("`{path}` is not compressed"))),
        };
        done(
            io::copy(&mut (&mut reader).take(offset), &mut io::sink()),
            &operation,
        )?;
        Ok(reader)
    }

    fn open(&self, path: &str) -> Result<Box<dyn Reading + '_>> {
        let file = done(File::open(self.at(path)?), &format!("open `{path}`"))?;
        Ok(Box::new(file))
    }

    fn create_open(&self, path: &str) -> Result<Box<dyn Writing + '_>> {
        let file = self.edit("create", &[path], |local| {
            self.written(&local[0]);
            File::create_new(&local[0])
        })?;
        Ok(Box::new(writing::Written::new(self, path, file)))
    }

    fn read(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        let content = done(fs::read(self.at(path)?), &format!("read `{path}`"))?;
        if content.len() as u64 > most {
            let text = format!("cannot read `{path}`: it holds more than {most} bytes");
            return Err(Error::Limit(text));
        }
        Ok(content)
    }

    fn read_range(&self, path: &str, offset: u64, most: u64) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = File::open(self.at(path)?).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.take(most).read_to_end(&mut content)
        });
        done(read, &format!("read `{path}`"))?;
        Ok(content)
    }

    fn create(&self, path: &str, content: &[u8]) -> Result<()> {
        self.edit("create", &[path], |local| {
            self.written(&local[0]);
            File::create_new(&local[0])?.write_all(content)
        })
    }

    fn create_directory(&self, path: &str) -> Result<()> {
        self.edit("create the directory", &[path], |local| {
            fs::create_dir(&local[0])
        })
    }

    fn remove_file(&self, path: &str) -> Result<()> {
        self.edit("remove", &[path], |local| fs::remove_file(&local[0]))
    }

    fn remove_directory(&self, path: &str) -> Result<()> {
        self.edit("remove the directory", &[path], |local| {
            fs::remove_dir(&local[0])
        })
    }
}

/// As the host answers it.
fn metadata(found: &fs::Metadata) -> Metadata {
    let nanos = |value| u32::try_from(value).unwrap_or(0);
    let moment = |seconds, nanoseconds| Moment {
        seconds,
        nanoseconds: nanos(nanoseconds),
    };
    Metadata {
        kind: kind(found.mode()),
        size: found.size(),
        allocated: found.blocks() * 512,
        mode: found.mode() & 0o7777,
        uid: found.uid(),
        gid: found.gid(),
        modified: moment(found.mtime(), found.mtime_nsec()),
        accessed: moment(found.atime(), found.atime_nsec()),
        changed: moment(found.ctime(), found.ctime_nsec()),
        links: found.nlink(),
        device: found.dev(),
        inode: found.ino(),
    }
}

fn kind(mode: u32) -> Kind {
    match mode & 0o170_000 {
        0o040_000 => Kind::Directory,
        0o120_000 => Kind::SymbolicLink,
        0o010_000 => Kind::Fifo,
        0o140_000 => Kind::Socket,
        0o060_000 => Kind::BlockDevice,
        0o020_000 => Kind::CharacterDevice,
        _ => Kind::File,
    }
}

fn change_metadata(path: &Path, changes: Changes) -> io::Result<()> {
    if changes.uid.is_some() || changes.gid.is_some() {
        std::os::unix::fs::lchown(path, changes.uid, changes.gid)?;
    }
    if let Some(mode) = changes.mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    let spec = |moment: Option<Moment>| match moment {
        Some(moment) => Timespec {
            tv_sec: moment.seconds,
            tv_nsec: i64::from(moment.nanoseconds),
        },
        None => Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
    };
    let times = Timestamps {
        last_access: spec(changes.accessed),
        last_modification: spec(changes.modified),
    };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Writes a new file from an old one, which appears whole or not at all.
fn whole(
    source: &Path,
    target: &Path,
    replace: bool,
    preserve: bool,
    fill: impl FnOnce(&mut File, &mut File) -> io::Result<u64>,
) -> io::Result<u64> {
    if !fs::symlink_metadata(source)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    if !replace {
        vacant(target)?;
    }
    let partial = target.with_extension("mhost-partial");
    let mut from = File::open(source)?;
    let mut to = File::create(&partial)?;
    let bytes = fill(&mut from, &mut to)?;
    if preserve {
        let found = from.metadata()?;
        to.set_permissions(found.permissions())?;
        to.set_times(FileTimes::new().set_modified(found.modified()?))?;
    }
    fs::rename(&partial, target)?;
    Ok(bytes)
}

/// The number of a user or a group.
fn vacant(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => Ok(()),
    }
}

fn compress(
    from: &mut File,
    to: &mut File,
    format: Compression,
    level: Option<u32>,
) -> io::Result<u64> {
    match format {
        Compression::Gzip => {
            let level = level.map_or_else(flate2::Compression::default, flate2::Compression::new);
            let mut encoder = flate2::write::GzEncoder::new(to, level);
            let bytes = io::copy(from, &mut encoder)?;
            encoder.finish()?;
            Ok(bytes)
        }
        Compression::Zstd => {
            let level = level.map_or(0, |level| i32::try_from(level).unwrap_or(0));
            let mut encoder = zstd::Encoder::new(to, level)?;
            let bytes = io::copy(from, &mut encoder)?;
            encoder.finish()?;
            Ok(bytes)
        }
    }
}

fn expand(file: File, format: Compression) -> io::Result<u64> {
    let mut reader: Box<dyn Read> = match format {
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Compression::Zstd => Box::new(zstd::Decoder::new(file)?),
    };
    io::copy(&mut reader, &mut io::sink())
}

/// A file's modification time, for tests that make old files.
impl NativeHost {
    /// Makes a file with this content and age, and the directories above it.
    pub fn write_file(&self, guest: &str, content: impl AsRef<[u8]>, modified: u64) {
        let path = self.path(guest);
        let parent = path.parent().expect("a guest path has a parent");
        fs::create_dir_all(parent).expect("directories");
        fs::write(&path, content).expect("a file");
        let time: SystemTime = UNIX_EPOCH + Duration::from_millis(modified);
        let file = File::options().write(true).open(&path).expect("the file");
        file.set_times(FileTimes::new().set_modified(time))
            .expect("its times");
    }
}
