//! A file that is written piece by piece: each piece is a change, at which a test can let the run crash.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use super::NativeHost;
use crate::Error;

/// See the module.
pub struct Written<'h> {
    host: &'h NativeHost,
    path: String,
    file: File,
}

impl<'h> Written<'h> {
    pub fn new(host: &'h NativeHost, path: &str, file: File) -> Self {
        Self {
            host,
            path: path.to_owned(),
            file,
        }
    }
}

impl Write for Written<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let what = format!("write `{}`", self.path);
        let file = &mut self.file;
        let written = self.host.change(
            || what.clone(),
            || {
                self.host.written(&self.host.path(&self.path));
                let written = file.write_all(bytes);
                written.map_err(|error| Error::from_io(&what, &error))
            },
        );
        written.map(|()| bytes.len()).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Written<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
