//! Compressed files read piece by piece, without writing what they expand to.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};

use lzma_rust2::XzReader;
use mhost_model::{Fault, FaultResult};

use super::work::{PIECE, Work};
use crate::beneath::{Content, Place};

/// The most bytes of one answer.
const MOST: u32 = 1 << 20;
/// What is read of the file at once.
const BUFFER: usize = 128 << 10;
/// Bytes that tell the longest of the formats.
const LONGEST_MAGIC: u64 = 6;

/// A decoder in the middle of a file.
pub(crate) struct Expander {
    reader: Box<dyn Read + Send>,
    /// The file's path, for errors.
    text: String,
}

impl Expander {
    /// Opens the file, and passes over the first `offset` bytes of what it expands to.
    pub(crate) fn open(work: Work<'_>, place: &Place, offset: u64) -> FaultResult<Self> {
        let (mut file, stat) = place.content(Content::Read)?;
        work.meter.opened();
        let fault = |error| place.fault("read", error);
        let mut magic = Vec::new();
        (&file)
            .take(LONGEST_MAGIC)
            .read_to_end(&mut magic)
            .map_err(fault)?;
        file.seek(SeekFrom::Start(0)).map_err(fault)?;
        work.meter.read(stat.st_size.cast_unsigned());
        let mut expander = Self {
            reader: decoder(file, &magic)
                .map_err(fault)?
                .ok_or_else(|| unknown(place))?,
            text: place.text().to_owned(),
        };
        expander.skip(work, offset)?;
        Ok(expander)
    }

    fn skip(&mut self, work: Work<'_>, mut offset: u64) -> FaultResult<()> {
        let mut buffer = vec![0; PIECE.min(usize::try_from(offset).unwrap_or(PIECE))];
        while offset > 0 {
            work.go_on()?;
            let most = buffer.len().min(usize::try_from(offset).unwrap_or(PIECE));
            match self.fill(&mut buffer[..most])? {
                0 => return Ok(()),
                read => offset -= read as u64,
            }
        }
        Ok(())
    }

    /// The next bytes; none at the end.
    pub(crate) fn read(&mut self, work: Work<'_>, most: u32) -> FaultResult<Vec<u8>> {
        if !(1..=MOST).contains(&most) {
            let text = format!("one read hands out 1 to {MOST} bytes, not {most}");
            return Err(Fault::Invalid(text));
        }
        work.go_on()?;
        let mut piece = vec![0; most as usize];
        let mut filled = 0;
        while filled < piece.len() {
            match self.fill(&mut piece[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        piece.truncate(filled);
        Ok(piece)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> FaultResult<usize> {
        let text = &self.text;
        self.reader
            .read(buffer)
            .map_err(|error| match error.raw_os_error() {
                Some(_) => Fault::Failed(format!("cannot read `{text}`: {error}")),
                None => Fault::Damaged(format!("`{text}` is damaged: {error}")),
            })
    }
}

fn unknown(place: &Place) -> Fault {
    Fault::Unsupported(format!(
        "`{}` is no gzip, zstd or xz file by its first bytes",
        place.text()
    ))
}

/// The decoder that fits the first bytes.
fn decoder(file: File, magic: &[u8]) -> io::Result<Option<Box<dyn Read + Send>>> {
    let reader = BufReader::with_capacity(BUFFER, file);
    Ok(Some(match magic {
        // More than one member may follow another, as `cat` makes them.
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(reader)?),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(XzReader::new(reader, true)),
        _ => return Ok(None),
    }))
}
