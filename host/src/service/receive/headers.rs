//! What the headers of a piece say.

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Refusal;
use crate::exit::Problem;

/// Which bytes of the item a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first byte and their number; none where only is asked how much is here.
    pub bytes: Option<(u64, u64)>,
    /// Of the whole item.
    pub size: u64,
}

/// `content-range: bytes 0-99/1000`, or `bytes */1000`.
pub fn range(headers: &HeaderMap) -> Result<Range, Refusal> {
    let value = headers
        .get("content-range")
        .and_then(|value| value.to_str().ok());
    value.and_then(parse_range).ok_or_else(|| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            Problem::usage("a piece needs a header `content-range: bytes FIRST-LAST/SIZE`"),
        )
    })
}

fn parse_range(text: &str) -> Option<Range> {
    let (bytes, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let size = number(size).filter(|size| *size > 0)?;
    if bytes == "*" {
        return Some(Range { bytes: None, size });
    }
    let (first, last) = bytes.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last && last < size).then(|| Range {
        bytes: Some((first, last - first + 1)),
        size,
    })
}

/// Digits alone: `+5` is a number for Rust.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The SHA-256 of `repr-digest: sha-256=:BASE64:`, which is that of the whole item.
pub fn digest(headers: &HeaderMap) -> Result<[u8; 32], Refusal> {
    let value = headers
        .get("repr-digest")
        .and_then(|value| value.to_str().ok());
    value.and_then(parse_digest).ok_or_else(|| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            Problem::usage("an item needs a header `repr-digest: sha-256=:BASE64:` of all of it"),
        )
    })
}

fn parse_digest(text: &str) -> Option<[u8; 32]> {
    let mut members = text.split(',').map(str::trim);
    let encoded = members.find_map(|member| member.strip_prefix("sha-256=:")?.strip_suffix(':'))?;
    STANDARD.decode(encoded).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let range = |bytes, size| Some(Range { bytes, size });
        for (text, expected) in [
            ("bytes 0-99/1000", range(Some((0, 100)), 1000)),
            ("bytes 999-999/1000", range(Some((999, 1)), 1000)),
            ("bytes */7", range(None, 7)),
            ("bytes 0-1000/1000", None),
            ("bytes 5-4/10", None),
            ("bytes 0-0/0", None),
            ("bytes */0", None),
            ("bytes 0-1/*", None),
            ("bytes +0-1/2", None),
            ("bytes 0-1", None),
            ("items 0-1/2", None),
            ("bytes 0-18446744073709551615/18446744073709551616", None),
            ("", None),
        ] {
            assert_eq!(parse_range(text), expected, "{text}");
        }
    }

    #[test]
    fn digests() {
        let whole = format!("sha-256=:{}:", STANDARD.encode([7; 32]));
        assert_eq!(parse_digest(&whole), Some([7; 32]));
        assert_eq!(
            parse_digest(&format!("sha-512=:x:, {whole}")),
            Some([7; 32])
        );
        let short = format!("sha-256=:{}:", STANDARD.encode([7; 31]));
        for bad in ["", "sha-256=", "sha-256=:!!:", &short, "md5=:AA==:"] {
            assert_eq!(parse_digest(bad), None, "{bad}");
        }
    }
}
