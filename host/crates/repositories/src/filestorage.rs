//! A ZODB file storage (`Data.fs`) as a source of backups: up to where it is complete.
//!
//! The format is the library's. Files are read at positions of their own, so that nobody else's reading of
//! the same handle is disturbed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use mhost_filestorage::extent::{Extent, extent};
use mhost_filestorage::{Error, Window};
use mhost_model::ports::repository::StorageState;

/// What a file's beginning says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// A storage, complete up to `end`; `last` is its last transaction's id.
    Complete { end: u64, last: u64 },
    /// A storage that cannot be followed from this position on.
    Broken { at: u64 },
}

/// `None` where the file is no storage. `length` bytes of it are looked at.
pub fn look(file: &File, length: u64) -> io::Result<Option<Storage>> {
    // It may be shorter by now.
    let length = length.min(file.metadata()?.len());
    let mut window = Window::new(Beginning {
        file,
        at: 0,
        length,
    })?;
    match extent(&mut window) {
        Ok(None) => Ok(None),
        Ok(Some(Extent::Complete { end, last })) => {
            Ok(Some(Storage::Complete { end, last: last.0 }))
        }
        Ok(Some(Extent::Broken { at })) => Ok(Some(Storage::Broken { at })),
        Err(Error::Read { source, .. }) => Err(source),
        Err(other) => Err(io::Error::other(other)),
    }
}

/// Whether a file is a storage that is complete to its end.
pub fn state(path: &Path) -> io::Result<StorageState> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok(match look(&file, length)? {
        None => StorageState::No,
        Some(Storage::Complete { end, .. }) if end == length => StorageState::Sound,
        Some(Storage::Complete { end: at, .. } | Storage::Broken { at }) => {
            StorageState::Broken(at)
        }
    })
}

/// So many bytes of a file.
struct Beginning<'f> {
    file: &'f File,
    at: u64,
    length: u64,
}

impl Read for Beginning<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = rest.min(into.len());
        let read = self.file.read_at(&mut into[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Beginning<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The transaction of a blob's file: `0x….blob`.
pub fn blob_transaction(name: &std::ffi::OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_prefix("0x")?.strip_suffix(".blob")?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_test_support::scratch;
    use std::fs;

    const HEADER: u64 = 23;
    const MAGIC: usize = 4;

    /// A transaction without records.
    fn transaction(id: u64, status: u8, text: &str) -> Vec<u8> {
        let size = HEADER + text.len() as u64;
        let mut bytes = [id.to_be_bytes(), size.to_be_bytes()].concat();
        bytes.push(status);
        bytes.extend([0, 0, 0, text.len() as u8, 0, 0]);
        bytes.extend(text.bytes());
        bytes.extend(size.to_be_bytes());
        bytes
    }

    fn check(parts: &[&[u8]], expected: Option<Storage>) {
        let dir = scratch("filestorage");
        let path = dir.path().join("Data.fs");
        let bytes = parts.concat();
        fs::write(&path, &bytes).unwrap();
        let found = look(&File::open(&path).unwrap(), bytes.len() as u64).unwrap();
        assert_eq!(found, expected, "{parts:?}");
    }

    #[test]
    fn where_it_is_complete() {
        let (one, two) = (transaction(1, b' ', "one"), transaction(2, b'p', "two"));
        let open = transaction(3, b'c', "three");
        let end = (MAGIC + one.len() + two.len()) as u64;
        let whole = Some(Storage::Complete { end, last: 2 });
        check(&[b"FS30", &one, &two], whole);
        check(&[b"FS21", &one, &two, &open], whole);
        for cut in 1..open.len() {
            check(&[b"FS30", &one, &two, &open[..cut]], whole);
        }
        let mut written = open.clone();
        written[16] = b' ';
        for cut in 1..written.len() {
            check(&[b"FS30", &one, &two, &written[..cut]], whole);
        }
        check(&[b"FS30"], Some(Storage::Complete { end: 4, last: 0 }));
    }

    #[test]
    fn what_is_none_and_what_is_broken() {
        check(&[b""], None);
        check(&[b"FS3"], None);
        check(&[b"PK\x03\x04"], None);
        let one = transaction(5, b' ', "one");
        let at = Storage::Broken {
            at: (MAGIC + one.len()) as u64,
        };
        check(&[b"FS30", &one, &transaction(5, b' ', "")], Some(at));
        check(&[b"FS30", &one, &transaction(6, b'x', "")], Some(at));
        check(&[b"FS30", &one, &[0; 100]], Some(at));
        let mut other_length = transaction(6, b' ', "");
        *other_length.last_mut().unwrap() += 1;
        check(&[b"FS30", &one, &other_length], Some(at));
        let mut endless = transaction(6, b' ', "");
        endless[8..16].fill(0xff);
        check(&[b"FS30", &one, &endless], Some(at));
    }

    #[test]
    fn large_transactions_reach_over_windows() {
        let text = "x".repeat(60_000);
        let many: Vec<_> = (1..6).flat_map(|id| transaction(id, b' ', &text)).collect();
        let end = (MAGIC + many.len()) as u64;
        check(&[b"FS30", &many], Some(Storage::Complete { end, last: 5 }));
    }

    #[test]
    fn names_of_blobs() {
        let check = |name: &str, expected| {
            assert_eq!(
                blob_transaction(std::ffi::OsStr::new(name)),
                expected,
                "{name}"
            );
        };
        check("0x03f8b1c2d3e4f506.blob", Some(0x03f8_b1c2_d3e4_f506));
        check("0x03.blob", None);
        check("0x03f8b1c2d3e4f50g.blob", None);
        check(".layout", None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let dir = scratch("filestorage");
            let path = dir.path().join("x");
            fs::write(&path, [b"FS30".as_slice(), &bytes].concat()).unwrap();
            look(&File::open(&path).unwrap(), bytes.len() as u64 + 4).unwrap();
        }
    }
}
