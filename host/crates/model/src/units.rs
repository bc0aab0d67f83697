//! Durations and sizes as people write them: `30s`, `7 days`, `256 MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A length of time, written `30s`, `1h 30m`, `7 days`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// Why a text is no [`Span`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{text}` is not a duration ({why}): write a number and a unit, such as `30s`, `10m`, `6h`, `7 days`"
)]
pub struct SpanError {
    text: String,
    why: String,
}

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As chrono's type, which is what instants add; saturates.
    pub fn delta(self) -> chrono::TimeDelta {
        chrono::TimeDelta::from_std(self.0).unwrap_or(chrono::TimeDelta::MAX)
    }
}

impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, SpanError> {
        humantime::parse_duration(text.trim())
            .map(Self)
            .map_err(|error| SpanError {
                text: text.chars().take(80).collect(),
                why: error.to_string(),
            })
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;
    fn try_from(text: String) -> Result<Self, SpanError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// A number of bytes, written `4096`, `100 MB` (powers of 1000) or `256 MiB`
/// (powers of 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "SizeText", into = "String")]
pub struct ByteSize(pub u64);

/// A size may stand as a bare number of bytes too.
#[derive(Deserialize)]
#[serde(untagged)]
enum SizeText {
    Number(u64),
    Text(String),
}

/// Why a text is no [`ByteSize`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a size: write a number and a unit, such as `4096`, `100 MB`, `256 MiB`")]
pub struct SizeError(String);

impl ByteSize {
    /// Mebibytes.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kb", 1_000),
    ("kib", 1 << 10),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
];

impl FromStr for ByteSize {
    type Err = SizeError;
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let error = || SizeError(text.chars().take(80).collect());
        let digits = text.trim_start();
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let number: u64 = digits[..end].parse().map_err(|_| error())?;
        let unit = digits[end..].trim().to_ascii_lowercase();
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(error)?;
        number.checked_mul(*factor).map(Self).ok_or_else(error)
    }
}

impl TryFrom<SizeText> for ByteSize {
    type Error = SizeError;
    fn try_from(text: SizeText) -> Result<Self, SizeError> {
        match text {
            SizeText::Number(bytes) => Ok(Self(bytes)),
            SizeText::Text(text) => text.parse(),
        }
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.exact()
    }
}

impl ByteSize {
    /// The shortest text that says exactly this size.
    fn exact(self) -> String {
        for (unit, factor) in [
            ("TiB", 1 << 40),
            ("GiB", 1 << 30),
            ("MiB", 1 << 20),
            ("KiB", 1 << 10),
        ] {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return format!("{} {unit}", self.0 / factor);
            }
        }
        self.0.to_string()
    }
}

/// For people: three significant digits, powers of 1024.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        let mut unit = "B";
        for next in ["KiB", "MiB", "GiB", "TiB"] {
            if value < 1024.0 {
                break;
            }
            value /= 1024.0;
            unit = next;
        }
        let decimals = if unit == "B" || value >= 100.0 { 0 } else { 1 };
        f.pad(&format!("{value:.decimals$} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("1 kB", 1000),
            ("256 MiB", 256 << 20),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5 GiB", "1 parsec", "99999999999 TiB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
        assert_eq!(ByteSize(1536).to_string(), "1.5 KiB");
        assert_eq!(String::from(ByteSize::mib(256)), "256 MiB");
    }

    proptest::proptest! {
        #[test]
        fn sizes_round_trip(bytes: u64) {
            proptest::prop_assert_eq!(String::from(ByteSize(bytes)).parse(), Ok(ByteSize(bytes)));
        }

        #[test]
        fn spans_round_trip(millis in 0u64..u64::from(u32::MAX)) {
            let span = Span(Duration::from_millis(millis));
            proptest::prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
