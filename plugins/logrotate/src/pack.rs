//! Compression of archives: the original goes only when the copy was read to its end, and
//! when nobody wrote to the original meanwhile.

use mhost_format_logrotate::Format;
use mhost_sdk::files::{Compression, Files};
use mhost_sdk::{Error, Result};

use crate::before::{self, Turn};
use crate::mend::later;
use crate::section::Rotation;

/// Compresses an archive in its place; bytes that were removed.
pub fn pack(rotation: &Rotation<'_, '_>, turn: &Turn, plain: &str) -> Result<u64> {
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
    before::single(rotation, plain)?;
    let packed = format!("{plain}{}", turn.names.suffix);
    if !(ground.has(&packed) && made_already(rotation, turn, format, (plain, &packed))?) {
        let level = compressor.level.map(|level| fitting(format, level));
        let source = ground.guest(plain);
        let text = format!("compress `{plain}` to `{packed}`");
        ground.make(text, &packed, |files, target| {
            compress(files, &source, target, format, level)
        })?;
        ground.stands_for(&packed, plain);
    }
    if ground.context.dry_run() {
        ground.remove(plain, None)?;
        return Ok(0);
    }
    before::remove(rotation, plain)
}

/// Whether what stands where the compressed copy should is that copy, which an interrupted run
/// made. Anything else makes room for it: half a copy of ours goes, what is somebody else's
/// gets another name.
fn made_already(
    rotation: &Rotation<'_, '_>,
    turn: &Turn,
    format: Format,
    (plain, packed): (&str, &str),
) -> Result<bool> {
    let ground = rotation.work.ground;
    let found = ground.look(packed)?;
    let own = turn
        .earlier
        .zip(found)
        .is_some_and(|(earlier, found)| later(&found, earlier.since));
    if own {
        let size = ground.look(plain)?.map_or(0, |found| found.size);
        match verify(ground.files(), &ground.guest(packed), format) {
            // The plain archive may be half overwritten (`shred`), but has its size still.
            Ok(whole) if whole == size => return Ok(true),
            Err(Error::Damaged(_)) => return ground.remove(packed, None).map(|()| false),
            _ => {}
        }
    }
    let hour = rotation.work.clock.now.format("%Y%m%d%H");
    let names = (0_u32..).map(|number| match number {
        0 => format!("{packed}-{hour}.backup"),
        number => format!("{packed}-{hour}-{number}.backup"),
    });
    let mut free = names.skip_while(|name| ground.has(name));
    let backup = free.next().unwrap_or_default();
    ground.warn(&format!(
        "`{packed}` exists already, and is not the compressed `{plain}`: it becomes `{backup}`"
    ));
    ground.rename(packed, &backup)?;
    Ok(false)
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
