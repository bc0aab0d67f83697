//! Compression of archives: the original goes only when the copy was read to its end, and
//! when nobody wrote to the original meanwhile.

use mhost_format_logrotate::{Format, Names};
use mhost_sdk::files::{Compression, Files};
use mhost_sdk::{Error, Result};

use crate::before;
use crate::section::Rotation;

/// Compresses an archive in its place; bytes that were removed.
pub fn pack(rotation: &Rotation<'_, '_>, names: &Names, plain: &str) -> Result<u64> {
    let ground = rotation.work.ground;
    let compressor = &rotation.section.options.compressor;
    let format = match &compressor.format {
        Ok(format) => *format,
        Err(command) => {
            return Err(Error::Unsupported(format!(
                "`compresscmd` is `{command}`, and mhost itself writes gzip, zstd and xz: set \
                 `compresscmd` to one of them"
            )));
        }
    };
    let packed = format!("{plain}{}", names.suffix);
    let level = compressor.level.map(|level| fitting(format, level));
    let source = ground.guest(plain);
    if ground.has(&packed) {
        leftover(rotation, format, plain, &packed)?;
    } else {
        let text = format!("compress `{plain}` to `{packed}`");
        ground.make(text, &packed, |files, target| {
            compress(files, &source, target, format, level)
        })?;
    }
    if ground.context.dry_run() {
        ground.remove(plain, None)?;
        return Ok(0);
    }
    before::remove(rotation, plain)
}

/// A compressed copy that an interrupted run made: kept if it is whole and of this very
/// file.
fn leftover(rotation: &Rotation<'_, '_>, format: Format, plain: &str, packed: &str) -> Result<()> {
    let ground = rotation.work.ground;
    let (source, target) = (ground.guest(plain), ground.guest(packed));
    let size = ground.files().stat(&source)?.size;
    match verify(ground.files(), &target, format) {
        Ok(whole) if whole == size => Ok(()),
        Ok(_) => Err(Error::Exists(format!(
            "`{packed}` exists already, and is not the compressed `{plain}`: move one of them away"
        ))),
        Err(Error::Damaged(_)) => {
            ground.remove(packed, None)?;
            let level = rotation.section.options.compressor.level;
            let level = level.map(|level| fitting(format, level));
            ground.make(
                format!("compress `{plain}` to `{packed}`"),
                packed,
                |files, target| compress(files, &source, target, format, level),
            )
        }
        Err(error) => Err(error),
    }
}

/// The level, within what the format has.
fn fitting(format: Format, level: u32) -> u32 {
    match format {
        Format::Gzip => level.clamp(1, 9),
        Format::Zstd => level.clamp(1, 19),
        Format::Xz => level.min(9),
    }
}

fn compress(
    files: &dyn Files,
    source: &str,
    target: &str,
    format: Format,
    level: Option<u32>,
) -> Result<()> {
    match format {
        Format::Gzip => files.compress(source, target, Compression::Gzip, level),
        Format::Zstd => files.compress(source, target, Compression::Zstd, level),
        Format::Xz => files.compress_xz(source, target, level),
    }?;
    let whole = verify(files, target, format)?;
    if files.stat(source)?.size == whole {
        return Ok(());
    }
    files.remove_file(target)?;
    Err(Error::Busy(format!(
        "`{source}` was written to while it was compressed, and stays as it is: its writer has not \
         reopened the log; name it in `postrotate`, or set `delaycompress`"
    )))
}

/// Reads a compressed file to its end; what it expands to, bytes.
pub fn verify(files: &dyn Files, path: &str, format: Format) -> Result<u64> {
    match format {
        Format::Gzip => files.verify_compressed(path, Compression::Gzip),
        Format::Zstd => files.verify_compressed(path, Compression::Zstd),
        Format::Xz => files.verify_xz(path),
    }
}
