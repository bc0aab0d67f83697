//! Compression of files into files, and the check of compressed ones.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use lzma_rust2::{XzOptions, XzReader, XzWriter};
use mhost_model::{Fault, FaultResult};
use rustix::fs::{Mode, Stat};

use super::aside::{Aside, Existing};
use super::metadata::carry_over;
use super::work::{PIECE, Work};
use crate::beneath::{Content, Place};

/// The format of a compressed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Gzip,
    Zstd,
    Xz,
}

/// What compressing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compressed {
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// Compresses a regular file into a new one, which takes over the metadata.
pub(crate) fn compress(
    work: Work<'_>,
    source: &Place,
    target: &Place,
    format: Format,
    level: Option<u32>,
) -> FaultResult<Compressed> {
    const VERB: &str = "compress to";
    let level = check_level(format, level)?;
    let (from, stat) = source.content(Content::Read)?;
    work.meter.opened();
    let mode = Mode::from_raw_mode(0o600);
    let aside = Aside::create(target.leaf(VERB)?, mode, Existing::Keep, VERB)?;
    let writer = Paced::new(work, &aside.file);
    let done =
        pump(work, &from, &stat, writer, format, level).map_err(|error| unpack(error, target))?;
    carry_over(&stat, &aside.file).map_err(|error| target.fault(VERB, error))?;
    work.change()?;
    aside.commit(Existing::Keep, VERB)?;
    work.meter.changed(1);
    Ok(done)
}

fn check_level(format: Format, level: Option<u32>) -> FaultResult<u32> {
    let (name, usual, levels) = match format {
        Format::Gzip => ("gzip", 6, 1..=9),
        Format::Zstd => ("zstd", 3, 1..=19),
        Format::Xz => ("xz", 6, 0..=9),
    };
    match level.unwrap_or(usual) {
        level if levels.contains(&level) => Ok(level),
        level => Err(Fault::Invalid(format!(
            "{name} has no level {level}: write {} to {}",
            levels.start(),
            levels.end()
        ))),
    }
}

fn pump(
    work: Work<'_>,
    from: &File,
    stat: &Stat,
    writer: Paced<'_>,
    format: Format,
    level: u32,
) -> io::Result<Compressed> {
    let (bytes_in, writer) = match format {
        Format::Gzip => {
            let mut encoder = flate2::GzBuilder::new()
                .mtime(u32::try_from(stat.st_mtime).unwrap_or(0))
                .write(writer, flate2::Compression::new(level));
            let bytes = feed(work, from, &mut encoder)?;
            (bytes, encoder.finish()?)
        }
        Format::Zstd => {
            let mut encoder = zstd::Encoder::new(writer, level.cast_signed())?;
            encoder.include_checksum(true)?;
            let bytes = feed(work, from, &mut encoder)?;
            (bytes, encoder.finish()?)
        }
        Format::Xz => {
            let mut encoder = XzWriter::new(writer, XzOptions::with_preset(level))?;
            let bytes = feed(work, from, &mut encoder)?;
            (bytes, encoder.finish()?)
        }
    };
    let bytes_out = writer.written;
    Ok(Compressed {
        bytes_in,
        bytes_out,
    })
}

fn feed(work: Work<'_>, mut from: &File, encoder: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; PIECE];
    let mut total = 0;
    loop {
        work.go_on().map_err(pack)?;
        match from.read(&mut buffer)? {
            0 => return Ok(total),
            read => {
                encoder.write_all(&buffer[..read])?;
                work.meter.read(read as u64);
                total += read as u64;
            }
        }
    }
}

/// A writer that asks the run's budget before each piece.
struct Paced<'a> {
    work: Work<'a>,
    file: &'a File,
    written: u64,
}

impl<'a> Paced<'a> {
    fn new(work: Work<'a>, file: &'a File) -> Self {
        Self {
            work,
            file,
            written: 0,
        }
    }
}

impl Write for Paced<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        self.work
            .write(piece.len() as u64, self.file)
            .map_err(pack)?;
        self.file.write_all(piece)?;
        self.written += piece.len() as u64;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A fault on its way through an encoder.
fn pack(fault: Fault) -> io::Error {
    io::Error::other(fault)
}

fn unpack(error: io::Error, place: &Place) -> Fault {
    match error.downcast::<Fault>() {
        Ok(fault) => fault,
        Err(error) => place.fault("compress to", error),
    }
}

/// Reads a compressed file to its end; returns the bytes that it expands to.
pub(crate) fn verify(work: Work<'_>, place: &Place, format: Format) -> FaultResult<u64> {
    let (file, stat) = place.content(Content::Read)?;
    work.meter.opened();
    if stat.st_size == 0 {
        return Err(damaged(place, "it is empty"));
    }
    let reader = BufReader::with_capacity(PIECE, file);
    let drained = match format {
        // More than one member may follow another, as `cat` makes them.
        Format::Gzip => drain(work, flate2::bufread::MultiGzDecoder::new(reader)),
        Format::Zstd => zstd::Decoder::with_buffer(reader).and_then(|decoder| drain(work, decoder)),
        Format::Xz => drain(work, XzReader::new(reader, true)),
    };
    let bytes = drained.map_err(|error| match error.downcast::<Fault>() {
        Ok(fault) => fault,
        Err(error) if error.raw_os_error().is_some() => place.fault("read", error),
        Err(error) => damaged(place, &error.to_string()),
    })?;
    work.meter.read(stat.st_size.cast_unsigned());
    Ok(bytes)
}

fn drain(work: Work<'_>, mut decoder: impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; PIECE];
    let mut total: u64 = 0;
    loop {
        work.go_on().map_err(pack)?;
        match decoder.read(&mut buffer)? {
            0 => return Ok(total),
            read => total += read as u64,
        }
    }
}

fn damaged(place: &Place, why: &str) -> Fault {
    Fault::Damaged(format!("`{}` is damaged: {why}", place.text()))
}
