//! Sizes and durations in configurations, written as people write them and
//! as `mhost.toml` takes them: `10 MiB`, `2s`.

use std::borrow::Cow;
use std::time::Duration;

use mhost_model::{ByteSize, Span as ModelSpan};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Bytes: `4096`, `"100 MB"` (powers of 1000), `"256 MiB"` (powers of 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(ByteSize);

impl Size {
    pub const fn new(bytes: u64) -> Self {
        Self(ByteSize(bytes))
    }

    pub const fn bytes(self) -> u64 {
        self.0.0
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes, or a text such as `100 MB` or `256 MiB`.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^ *[0-9]+ *([kK]|[kKmMgGtT]?[iI]?[bB])? *$" },
            ],
        })
    }
}

/// A length of time: `"500ms"`, `"2s"`, `"1h 30m"`, `"7 days"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(ModelSpan);

impl Span {
    pub const fn new(duration: Duration) -> Self {
        Self(ModelSpan(duration))
    }

    pub const fn duration(self) -> Duration {
        self.0.0
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time, such as `500ms`, `2s`, `1h 30m` or `7 days`.",
            "type": "string",
            "pattern": "^ *[0-9]",
        })
    }
}

/// For people: three significant digits, powers of 1024.
pub fn human_bytes(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_take_units() {
        for (json, bytes) in [("4096", 4096), ("\"10 MiB\"", 10 << 20), ("\"1 kB\"", 1000)] {
            assert_eq!(
                serde_json::from_str::<Size>(json).unwrap(),
                Size::new(bytes)
            );
        }
        for bad in ["-1", "\"\"", "\"10 parsec\"", "true"] {
            assert!(serde_json::from_str::<Size>(bad).is_err(), "{bad}");
        }
        let span: Span = serde_json::from_str("\"1m 30s\"").unwrap();
        assert_eq!(span.duration(), Duration::from_secs(90));
        assert!(serde_json::from_str::<Span>("\"soon\"").is_err());
    }
}
