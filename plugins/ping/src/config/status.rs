//! Which statuses of HTTP are right.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// An expected status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Is(u16),
    /// The first digit.
    Class(u16),
}

impl Status {
    pub fn fits(self, status: u16) -> bool {
        match self {
            Self::Is(expected) => status == expected,
            Self::Class(first) => status / 100 == first,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(first) = text.strip_suffix("xx") {
            let first = first.parse().ok().filter(|first| (1..=5).contains(first));
            return first.map(Self::Class);
        }
        text.parse()
            .ok()
            .filter(|status| (100..=599).contains(status))
            .map(Self::Is)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(status) => write!(f, "{status}"),
            Self::Class(first) => write!(f, "{first}xx"),
        }
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = match &value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is no status: write a number such as 200, or a class such as `2xx`"
            ))
        })
    }
}

impl JsonSchema for Status {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": "^([1-5][0-9][0-9]|[1-5]xx)$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (text, status, fits) in [
            ("200", 200, true),
            ("200", 204, false),
            ("2xx", 204, true),
            ("2xx", 301, false),
        ] {
            assert_eq!(
                Status::parse(text).unwrap().fits(status),
                fits,
                "{text} {status}"
            );
        }
        for bad in ["", "xx", "9xx", "20", "600", "2x"] {
            assert_eq!(Status::parse(bad), None, "{bad}");
        }
    }
}
