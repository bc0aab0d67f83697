//! Finding where a ZODB file storage (`Data.fs`) is complete.
//!
//! Its owner appends to it at any time: a transaction is written with the status
//! `c`, and is complete once that byte becomes a blank. What stands before the last
//! complete transaction never changes, so the file up to there is a state that
//! existed. The format is described in ZODB's `FileStorage/format.py`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use mhost_model::ports::repository::StorageState;

/// Length of a transaction's header, without its texts.
const HEADER: u64 = 23;
const MAGIC: usize = 4;
/// Read at once: most transactions are smaller.
const WINDOW: usize = 64 * 1024;

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
    let mut window = Window {
        file,
        start: 0,
        bytes: Vec::new(),
    };
    let magic = window.read(0, MAGIC)?;
    if !matches!(magic, b"FS30" | b"FS21") {
        return Ok(None);
    }
    let (mut at, mut last) = (MAGIC as u64, 0);
    loop {
        match step(&mut window, at, length, last)? {
            Step::Next { end, id } => (at, last) = (end, id),
            Step::Open => return Ok(Some(Storage::Complete { end: at, last })),
            Step::Broken => return Ok(Some(Storage::Broken { at })),
        }
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

enum Step {
    Next {
        end: u64,
        id: u64,
    },
    /// The end, or a transaction that is being written.
    Open,
    Broken,
}

fn step(window: &mut Window<'_>, at: u64, length: u64, last: u64) -> io::Result<Step> {
    if at + HEADER > length {
        return Ok(Step::Open);
    }
    let header = window.read(at, HEADER as usize)?;
    if header.len() < HEADER as usize {
        return Ok(Step::Open);
    }
    let (id, size, status) = (number(&header[..8]), number(&header[8..16]), header[16]);
    let texts: u64 = header[17..].chunks(2).map(number).sum();
    if status == b'c' {
        return Ok(Step::Open);
    }
    let plausible = matches!(status, b' ' | b'p' | b'u') && id > last && size >= HEADER + texts;
    let Some(end) = at.checked_add(size).and_then(|end| end.checked_add(8)) else {
        return Ok(Step::Broken);
    };
    if !plausible {
        return Ok(Step::Broken);
    }
    if end > length {
        return Ok(Step::Open);
    }
    let again = window.read(end - 8, 8)?;
    Ok(match again.len() {
        8 if number(again) == size => Step::Next { end, id },
        8 => Step::Broken,
        _ => Step::Open,
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

struct Window<'a> {
    file: &'a File,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Fewer bytes at the file's end.
    fn read(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let within = at
            .checked_sub(self.start)
            .and_then(|from| usize::try_from(from).ok());
        let held = within.is_some_and(|from| from + length <= self.bytes.len());
        if !held {
            self.bytes.resize(WINDOW.max(length), 0);
            let read = read_full(self.file, &mut self.bytes, at)?;
            self.bytes.truncate(read);
            self.start = at;
        }
        let from = usize::try_from(at - self.start)
            .unwrap_or(usize::MAX)
            .min(self.bytes.len());
        Ok(&self.bytes[from..self.bytes.len().min(from + length)])
    }
}

fn read_full(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(&mut into[read..], at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
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
