//! Where the files of blobs lie: `0x<transaction>.blob` in a folder of the object's.

use crate::layout::{Oid, Tid};
use crate::pack::Revision;

/// The file in a blob folder that names its layout.
pub const MARKER: &str = ".layout";

/// How the objects' folders are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One level for each byte of the id: `0x00/…/0x2a`.
    Bushy,
    /// One folder for each object: `0x2a`. Of old databases.
    Lawn,
}

impl Layout {
    /// What the marker says.
    pub fn named(marker: &[u8]) -> Option<Self> {
        match marker.trim_ascii() {
            b"bushy" => Some(Self::Bushy),
            b"lawn" => Some(Self::Lawn),
            _ => None,
        }
    }

    /// An object's folder, relative to the blob folder.
    pub fn folder(self, oid: Oid) -> String {
        match self {
            Self::Bushy => {
                let levels = oid.0.to_be_bytes().map(|byte| format!("{byte:#04x}"));
                levels.join("/")
            }
            Self::Lawn => short(oid),
        }
    }

    /// A revision's file, relative to the blob folder.
    pub fn file(self, revision: Revision) -> String {
        format!("{}/{}", self.folder(revision.oid), name(revision.tid))
    }
}

/// The name of a revision's file in its object's folder.
pub fn name(tid: Tid) -> String {
    format!("0x{tid}.blob")
}

/// Whole bytes without leading zeroes.
fn short(oid: Oid) -> String {
    let digits = format!("{:x}", oid.0);
    match digits.len() % 2 {
        0 => format!("0x{digits}"),
        _ => format!("0x0{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_where_zodb_looks() {
        let revision = Revision {
            oid: Oid(0x1a2b),
            tid: Tid(0x03f5_8e00_0444_4444),
        };
        assert_eq!(
            Layout::Bushy.file(revision),
            "0x00/0x00/0x00/0x00/0x00/0x00/0x1a/0x2b/0x03f58e0004444444.blob"
        );
        assert_eq!(
            Layout::Lawn.file(revision),
            "0x1a2b/0x03f58e0004444444.blob"
        );
        assert_eq!(Layout::Lawn.folder(Oid(0)), "0x00");
        assert_eq!(Layout::named(b"bushy\n"), Some(Layout::Bushy));
        assert_eq!(Layout::named(b"shrub"), None);
    }
}
