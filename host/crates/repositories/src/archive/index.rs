//! What stands where in packs, as the repository's index files say it.

use serde::Serialize;

/// A pack file.
#[derive(Debug, Clone, Serialize)]
pub struct Pack {
    pub id: String,
    pub blobs: Vec<Blob>,
}

/// A blob in a pack file.
#[derive(Debug, Clone, Serialize)]
pub struct Blob {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub offset: u32,
    pub length: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncompressed_length: Option<u32>,
}

/// An index file.
#[derive(Debug, Serialize)]
pub struct File<'a> {
    pub packs: &'a [Pack],
}
