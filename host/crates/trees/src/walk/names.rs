//! The names of one directory in byte order, in bounded memory: the directory is
//! read as often as it has batches of [`KEPT`] names, and each reading keeps the
//! least names behind the last one handed out. Most directories take one reading.

use std::collections::BinaryHeap;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{RawDir, SeekFrom};

/// Names that are held at one time.
const KEPT: usize = 1 << 16;

/// Hands out the names of a directory.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// In reverse order, so that the next is the last.
    ready: Vec<CString>,
    /// The greatest name of the readings so far.
    last: Option<CString>,
    /// The last reading kept every name.
    complete: bool,
}

impl Names {
    /// The next name; `.` and `..` are none.
    pub(super) fn next(&mut self, directory: &OwnedFd) -> rustix::io::Result<Option<CString>> {
        if self.ready.is_empty() && !self.complete {
            self.read(directory, KEPT)?;
        }
        Ok(self.ready.pop())
    }

    fn read(&mut self, directory: &OwnedFd, kept: usize) -> rustix::io::Result<()> {
        rustix::fs::seek(directory, SeekFrom::Start(0))?;
        let mut least = BinaryHeap::new();
        self.complete = true;
        let mut buffer = [const { MaybeUninit::uninit() }; 32 << 10];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            let handed_out = self.last.as_deref().is_some_and(|last| name <= last);
            if handed_out || matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if least.len() < kept {
                least.push(name.to_owned());
                continue;
            }
            self.complete = false;
            if let Some(mut greatest) = least.peek_mut()
                && name < greatest.as_c_str()
            {
                *greatest = name.to_owned();
            }
        }
        self.ready = least.into_sorted_vec();
        self.last = self.ready.last().cloned().or(self.last.take());
        self.ready.reverse();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]
        #[test]
        fn every_name_once_in_order_whatever_fits(count in 0usize..60, kept in 1usize..70) {
            let directory = tempfile::tempdir().unwrap();
            let mut expected: Vec<_> = (0..count).map(|n| format!("{:x}", n * 7919)).collect();
            for name in &expected {
                std::fs::write(directory.path().join(name), "").unwrap();
            }
            expected.sort();
            let handle = OwnedFd::from(std::fs::File::open(directory.path()).unwrap());
            let mut names = Names::default();
            let mut found = Vec::new();
            loop {
                if names.ready.is_empty() && !names.complete {
                    names.read(&handle, kept).unwrap();
                }
                match names.ready.pop() {
                    Some(name) => found.push(name.into_string().unwrap()),
                    None => break,
                }
            }
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
