//! A row's bytes as values.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::node::varint;
use super::pages::Encoding;

/// A value as it is stored; texts are UTF-8, but perhaps not valid.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Field {
    /// A text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

impl ToSql for Field {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A row, or what there is of it.
#[derive(Debug, PartialEq)]
pub struct Decoded {
    pub fields: Vec<Field>,
    /// Whether it is all there, and as long as it says.
    pub whole: bool,
}

/// The most columns that SQLite can be built for.
const MOST_FIELDS: usize = 32767;

/// Decodes a row of `length` bytes, of which `bytes` are there; `None` where its header makes no
/// sense or is not there. Fields that are not there are null.
pub fn decode(bytes: &[u8], length: usize, encoding: Encoding) -> Option<Decoded> {
    let (head, mut at) = varint(bytes, 0, bytes.len())?;
    let head = usize::try_from(head).ok()?;
    if head < at || head > bytes.len() {
        return None;
    }
    let mut fields = Vec::new();
    let (mut place, mut whole) = (head, true);
    while at < head {
        let (kind, next) = varint(bytes, at, head)?;
        at = next;
        let size = size(kind)?;
        if fields.len() >= MOST_FIELDS {
            return None;
        }
        let end = place.checked_add(size)?;
        match bytes.get(place..end) {
            Some(content) if end <= length => fields.push(field(kind, content, encoding)),
            _ => {
                whole = false;
                fields.push(Field::Null);
            }
        }
        place = end;
    }
    whole &= place == length;
    Some(Decoded { fields, whole })
}

fn size(kind: u64) -> Option<usize> {
    Some(match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind as usize,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => usize::try_from((kind - 12) / 2).ok()?,
    })
}

fn field(kind: u64, content: &[u8], encoding: Encoding) -> Field {
    match kind {
        0 => Field::Null,
        8 => Field::Integer(0),
        9 => Field::Integer(1),
        1..=6 => Field::Integer(integer(content)),
        7 => match f64::from_bits(integer(content).cast_unsigned()) {
            // SQLite has no NaN.
            number if number.is_nan() => Field::Null,
            number => Field::Real(number),
        },
        _ if kind.is_multiple_of(2) => Field::Blob(content.to_vec()),
        _ => Field::Text(text(content, encoding)),
    }
}

fn integer(content: &[u8]) -> i64 {
    let negative = content.first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1_i64 } else { 0 };
    content
        .iter()
        .fold(start, |number, byte| (number << 8) | i64::from(*byte))
}

fn text(content: &[u8], encoding: Encoding) -> Vec<u8> {
    let wide = |pair: &[u8]| match encoding {
        Encoding::Utf16Be => u16::from_be_bytes([pair[0], pair[1]]),
        _ => u16::from_le_bytes([pair[0], pair[1]]),
    };
    match encoding {
        Encoding::Utf8 => content.to_vec(),
        _ => char::decode_utf16(content.chunks_exact(2).map(wide))
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect::<String>()
            .into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_whole_cut_and_senseless() {
        let row = [
            &[7, 0, 9, 2, 7, 17, 14][..],
            &[0xff, 0xfe],
            &1.5_f64.to_be_bytes(),
            b"ab\0",
        ]
        .concat();
        let fields = [
            Field::Null,
            Field::Integer(1),
            Field::Integer(-2),
            Field::Real(1.5),
            Field::Text(b"ab".to_vec()),
            Field::Blob(b"\0".to_vec()),
        ];
        let decode = |bytes: &[u8], length| decode(bytes, length, Encoding::Utf8);
        let all = decode(&row, row.len()).unwrap();
        assert_eq!((&all.fields[..], all.whole), (&fields[..], true));
        let cut = decode(&row[..row.len() - 2], row.len()).unwrap();
        assert!(!cut.whole);
        assert_eq!(cut.fields[..4], fields[..4]);
        assert_eq!(cut.fields[4..], [Field::Null, Field::Null]);
        assert!(!decode(&row, row.len() + 1).unwrap().whole);
        for senseless in [&[][..], &[0], &[9, 1], &[2, 10, 1], &[3, 0xff, 0xff]] {
            assert_eq!(decode(senseless, senseless.len()), None, "{senseless:?}");
        }
    }

    #[test]
    fn wide_texts() {
        for (encoding, bytes) in [
            (Encoding::Utf16Le, [0x39, 0x26, 0x61, 0]),
            (Encoding::Utf16Be, [0x26, 0x39, 0, 0x61]),
        ] {
            assert_eq!(text(&bytes, encoding), "☹a".as_bytes());
        }
    }
}
