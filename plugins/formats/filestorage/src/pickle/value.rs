//! What the machine has on its stack and in its memo.

use super::Unreadable;
use crate::layout::Oid;

/// As much of a value as decides what a reference to it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Eight bytes, which can be an object's id.
    Id(Oid),
    /// A tuple that begins with such.
    Named(Oid),
    /// Weak references and those into other databases are lists.
    List,
    /// Anything else.
    Other,
}

impl Value {
    /// Bytes or a text of so many.
    pub fn of_text(bytes: &[u8]) -> Self {
        match bytes.first_chunk::<8>() {
            Some(eight) if bytes.len() == 8 => Self::Id(Oid(u64::from_be_bytes(*eight))),
            _ => Self::Other,
        }
    }

    /// The tuple that begins with this.
    pub fn tuple(first: Option<Self>) -> Self {
        match first {
            Some(Self::Id(oid)) => Self::Named(oid),
            _ => Self::Other,
        }
    }

    /// The object that is referred to by it, `None` where it does not keep one.
    pub fn reference(self) -> Result<Option<Oid>, Unreadable> {
        match self {
            Self::Id(oid) | Self::Named(oid) => Ok(Some(oid)),
            Self::List => Ok(None),
            Self::Other => Err(Unreadable::Reference),
        }
    }
}
