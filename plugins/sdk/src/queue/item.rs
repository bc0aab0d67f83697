//! One item: a file with a line that vouches for the header, the header as a line of
//! JSON, and the payload. An operator reads it with `head -n 2`.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::files::{Files, HashAlgorithm};
use crate::{Error, Result};

/// What the first line begins with.
const MARK: &str = "mhost-item 1 ";
/// A header is no longer.
const MOST_HEADER: u64 = 256 << 10;

/// What an item is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noun {
    File,
    /// A row of a database's table.
    Record,
    /// An object of a Zope.
    Object,
    /// Something that another plugin applies; see [`Noun::other`].
    Other(String),
}

impl Noun {
    /// The noun of a name: letters in lower case, digits and `-`, at most 32 of them, the first
    /// a letter. None where it is no such name.
    pub fn new(name: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        Some(match name {
            "file" => Self::File,
            "record" => Self::Record,
            "object" => Self::Object,
            _ => {
                let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
                let good = begins && name.len() <= 32 && name.chars().all(plain);
                Self::Other(good.then(|| name.to_owned())?)
            }
        })
    }

    pub fn name(&self) -> &str {
        match self {
            Self::File => "file",
            Self::Record => "record",
            Self::Object => "object",
            Self::Other(name) => name,
        }
    }
}

/// What an item asks for: `put-file`, `delete-record`, `put-mail`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind {
    pub noun: Noun,
    /// It is to go; else it is to be as the item says.
    pub deletes: bool,
}

impl Kind {
    pub const fn put(noun: Noun) -> Self {
        Self {
            noun,
            deletes: false,
        }
    }

    pub const fn delete(noun: Noun) -> Self {
        Self {
            noun,
            deletes: true,
        }
    }

    /// `put-file`.
    pub fn name(&self) -> String {
        let verb = if self.deletes { "delete" } else { "put" };
        format!("{verb}-{}", self.noun.name())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl TryFrom<String> for Kind {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        let known = text.split_once('-').and_then(|(verb, noun)| {
            let noun = Noun::new(noun)?;
            match verb {
                "put" => Some(Self::put(noun)),
                "delete" => Some(Self::delete(noun)),
                _ => None,
            }
        });
        known.ok_or_else(|| format!("`{text}` is no kind of an item: `put-NOUN` or `delete-NOUN`"))
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.name()
    }
}

/// What an item says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The end that it comes from.
    pub source: String,
    /// Grows within a source and queue: of two items for one key the greater is newer.
    pub sequence: u64,
    pub kind: Kind,
    /// What it is about: a path, `TABLE/KEY`, an object's path.
    pub key: String,
    /// Milliseconds.
    pub created: u64,
    /// Bytes of the payload, and their SHA-256.
    pub size: u64,
    pub sha256: String,
    /// Of a file: permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Of a file: seconds and nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<(i64, u32)>,
}

impl Header {
    /// The file's name: items sort by their sequence.
    pub fn file_name(&self) -> String {
        let key = hex::encode(&Sha256::digest(self.key.as_bytes())[..6]);
        format!("{:020}-{}-{key}.item", self.sequence, self.kind.name())
    }

    /// The two lines before the payload.
    pub fn lines(&self) -> Result<Vec<u8>> {
        let header = serde_json::to_string(self)
            .map_err(|error| Error::Invalid(format!("cannot write an item's header: {error}")))?;
        let sum = hex::encode(Sha256::digest(header.as_bytes()));
        Ok(format!("{MARK}{sum}\n{header}\n").into_bytes())
    }
}

/// An item that was opened: what it says, and where its payload begins.
#[derive(Debug, Clone)]
pub struct Opened {
    pub header: Header,
    pub payload: u64,
}

/// Writes an item with a small payload, to a file that must not exist.
pub fn write(files: &dyn Files, path: &str, header: &Header, payload: &[u8]) -> Result<()> {
    let mut content = header.lines()?;
    content.extend_from_slice(payload);
    files.create(path, &content)
}

/// Writes an item whose payload is a file, to a file that must not exist.
pub fn write_file(files: &dyn Files, path: &str, header: &Header, payload: &str) -> Result<()> {
    let lines = header.lines()?;
    files.create(path, &lines)?;
    files.copy_range(payload, 0, Some(header.size), path, lines.len() as u64)?;
    check(files, path, &open(files, path)?)
}

/// Reads the header; `damaged` where it does not vouch for itself.
pub fn open(files: &dyn Files, path: &str) -> Result<Opened> {
    let start = beginning(files, path)?;
    parse(&start).ok_or_else(|| {
        Error::Damaged(format!(
            "`{path}` is no whole item: its header is cut or was changed"
        ))
    })
}

/// The first bytes of an item, at least the header.
fn beginning(files: &dyn Files, path: &str) -> Result<Vec<u8>> {
    let size = files.stat(path)?.size;
    if size <= MOST_HEADER {
        return files.read(path, MOST_HEADER);
    }
    files.read_start(path, MOST_HEADER)
}

fn parse(start: &[u8]) -> Option<Opened> {
    let (sum, header, payload) = lines(start)?;
    (sum == hex::encode(Sha256::digest(header)).as_bytes()).then_some(())?;
    Some(Opened {
        header: serde_json::from_slice(header).ok()?,
        payload,
    })
}

/// The sum of the first line, the header, and where the payload begins.
fn lines(start: &[u8]) -> Option<(&[u8], &[u8], u64)> {
    let first = start.iter().position(|byte| *byte == b'\n')?;
    let second = first + 1 + start[first + 1..].iter().position(|byte| *byte == b'\n')?;
    let sum = start[..first].strip_prefix(MARK.as_bytes())?;
    Some((sum, &start[first + 1..second], second as u64 + 1))
}

/// Lets an item vouch for what is in it now, after somebody repaired its header or payload.
/// It is written to `aside`, which must not exist, and replaces the item whole.
pub fn reseal(files: &dyn Files, path: &str, aside: &str) -> Result<()> {
    let start = beginning(files, path)?;
    let repaired = lines(&start).and_then(|(_, header, payload)| {
        let header: Header = serde_json::from_slice(header).ok()?;
        Some((header, payload))
    });
    let Some((mut header, payload)) = repaired else {
        return Err(Error::Damaged(format!(
            "`{path}` cannot be sealed anew: its second line must be the header, a line of JSON"
        )));
    };
    header.size = files.stat(path)?.size.saturating_sub(payload);
    header.sha256 = hex::encode(files.hash(path, HashAlgorithm::Sha256, payload, None)?);
    let lines = header.lines()?;
    files.create(aside, &lines)?;
    files.copy_range(path, payload, Some(header.size), aside, lines.len() as u64)?;
    check(files, aside, &open(files, aside)?)?;
    files.sync(aside)?;
    files.replace(aside, path)
}

/// Checks the payload: its size and its digest.
pub fn check(files: &dyn Files, path: &str, opened: &Opened) -> Result<()> {
    let size = files.stat(path)?.size;
    if size.checked_sub(opened.payload) != Some(opened.header.size) {
        return Err(Error::Damaged(format!(
            "`{path}` is no whole item: it has {size} bytes, and its payload should have {} after the first {}",
            opened.header.size, opened.payload
        )));
    }
    let found = files.hash(path, HashAlgorithm::Sha256, opened.payload, None)?;
    if hex::encode(found) != opened.header.sha256 {
        return Err(Error::Damaged(format!(
            "`{path}` is no whole item: its payload was changed"
        )));
    }
    Ok(())
}

/// A payload that is small enough to be held.
pub fn payload(files: &dyn Files, path: &str, opened: &Opened, most: u64) -> Result<Vec<u8>> {
    let content = files.read(path, opened.payload + most)?;
    Ok(content
        .get(opened.payload as usize..)
        .unwrap_or_default()
        .to_vec())
}

/// The digest of something in memory, as headers have it.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names() {
        for (text, expected) in [
            ("put-file", Some(Kind::put(Noun::File))),
            ("delete-object", Some(Kind::delete(Noun::Object))),
            (
                "put-mail-box",
                Some(Kind::put(Noun::Other("mail-box".to_owned()))),
            ),
            ("put-", None),
            ("put", None),
            ("make-file", None),
            ("put-Mail", None),
            ("put-1", None),
            ("put-a/b", None),
        ] {
            let found = Kind::try_from(text.to_owned()).ok();
            assert_eq!(found, expected, "{text}");
            if let Some(kind) = found {
                assert_eq!(kind.name(), text);
            }
        }
        let long = format!("put-{}", "x".repeat(33));
        assert!(Kind::try_from(long).is_err());
    }
}
