//! A place in the content of a file, by which the file is known again under another name,
//! copied or compressed.

use std::io::Read;

use mhost_sdk::{Error, Result};
use serde::{Deserialize, Serialize};

/// Bytes at the beginning, and before the place, that must be the same.
const SAMPLE: u64 = 256;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Of the file in which the place was last: device and inode.
    pub file: (u64, u64),
    /// Bytes before the place.
    pub offset: u64,
    /// Of the first bytes, and of those before the place.
    head: u64,
    tail: u64,
    /// The next bytes belong to a line that was given up.
    #[serde(default)]
    pub skipping: bool,
}

impl Marker {
    /// Marks `offset` in content that `open` reads from any offset on.
    pub fn new<'a>(
        file: (u64, u64),
        offset: u64,
        skipping: bool,
        open: impl Fn(u64) -> Result<Box<dyn Read + 'a>>,
    ) -> Result<Self> {
        let (head, tail) = samples(offset, &open)?.ok_or_else(|| {
            Error::Busy("it became shorter while it was read; try again".to_owned())
        })?;
        Ok(Self {
            file,
            offset,
            head,
            tail,
            skipping,
        })
    }

    /// Whether content has this place in it, as far as can be told.
    pub fn is_in<'a>(&self, open: impl Fn(u64) -> Result<Box<dyn Read + 'a>>) -> Result<bool> {
        Ok(samples(self.offset, &open)? == Some((self.head, self.tail)))
    }
}

/// The digests of the samples; `None` where the content is shorter.
fn samples<'a>(
    offset: u64,
    open: &impl Fn(u64) -> Result<Box<dyn Read + 'a>>,
) -> Result<Option<(u64, u64)>> {
    let length = offset.min(SAMPLE);
    if length == 0 {
        return Ok(Some((0, 0)));
    }
    let read = |from: u64| -> Result<Option<u64>> {
        let mut sample = Vec::new();
        let got = open(from)?.take(length).read_to_end(&mut sample);
        got.map_err(|error| Error::from_io("read a log", &error))?;
        Ok((sample.len() as u64 == length).then(|| digest(&sample)))
    };
    let Some(head) = read(0)? else {
        return Ok(None);
    };
    Ok(read(offset - length)?.map(|tail| (head, tail)))
}

/// FNV-1a with 64 bits: it need not withstand anybody, only tell files apart, and be the
/// same in every version.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(content: &'static [u8], offset: u64) -> Marker {
        Marker::new((1, 2), offset, false, reader(content)).unwrap()
    }

    fn reader(content: &'static [u8]) -> impl Fn(u64) -> Result<Box<dyn Read>> {
        move |from| {
            let from = usize::try_from(from).unwrap().min(content.len());
            Ok(Box::new(&content[from..]))
        }
    }

    #[test]
    fn content_is_known_again() {
        let marker = mark(b"one two three", 7);
        for (content, expected) in [
            (b"one two three".as_slice(), true),
            (b"one two", true),
            (b"one two and more", true),
            (b"one twx", false),
            (b"xne two", false),
            (b"one tw", false),
            (b"", false),
        ] {
            assert_eq!(marker.is_in(reader(content)).unwrap(), expected);
        }
        assert!(mark(b"abc", 0).is_in(reader(b"")).unwrap());
        assert!(Marker::new((1, 2), 4, false, reader(b"abc")).is_err());
    }

    /// The published values of the function.
    #[test]
    fn the_digest_is_what_it_says() {
        for (text, expected) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(digest(text.as_bytes()), expected, "{text}");
        }
    }
}
