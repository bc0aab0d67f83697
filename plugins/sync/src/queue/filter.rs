//! The expression that decides whether an item goes to a target. One that cannot be read,
//! or whose value is not true or false, stops the run: an expression that is broken must
//! not look like one that matches nothing.

use cel::{Context, Program, Value};
use mhost_sdk::Failure;

/// What an expression can speak of.
const NAMES: [&str; 7] = [
    "kind", "key", "name", "size", "modified", "source", "target",
];

/// A compiled expression.
pub struct Filter {
    text: String,
    program: Program,
}

/// What an expression can speak of.
pub struct Facts<'a> {
    pub kind: &'a str,
    pub key: &'a str,
    pub size: u64,
    pub modified: u64,
    pub source: &'a str,
    pub target: &'a str,
}

impl Filter {
    pub fn new(text: &str) -> Result<Self, Failure> {
        let program = Program::compile(text).map_err(|error| {
            Failure::permanent(format!("the filter `{text}` cannot be read: {error}"))
        })?;
        // One that is only looked at for some keys would stop the run some day.
        let references = program.references();
        let unknown = references
            .variables()
            .into_iter()
            .find(|name| !NAMES.contains(name));
        if let Some(name) = unknown {
            return Err(Failure::permanent(format!(
                "the filter `{text}` speaks of `{name}`, which there is not; there are {}",
                NAMES.map(|name| format!("`{name}`")).join(", ")
            )));
        }
        let text = text.to_owned();
        Ok(Self { text, program })
    }

    /// Whether an item goes there.
    pub fn lets(&self, facts: &Facts<'_>) -> Result<bool, Failure> {
        let wrong = |why: String| {
            Failure::permanent(format!(
                "the filter `{}` has no answer for `{}`: {why}",
                self.text, facts.key
            ))
        };
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let name = facts.key.rsplit('/').next().unwrap_or_default();
        let mut context = Context::default();
        context.add_variable_from_value("kind", facts.kind.to_owned());
        context.add_variable_from_value("key", facts.key.to_owned());
        context.add_variable_from_value("name", name.to_owned());
        context.add_variable_from_value("size", number(facts.size));
        context.add_variable_from_value("modified", number(facts.modified));
        context.add_variable_from_value("source", facts.source.to_owned());
        context.add_variable_from_value("target", facts.target.to_owned());
        match self.program.execute(&context) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(other) => Err(wrong(format!("it is {other:?}, neither true nor false"))),
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts<'static> {
        Facts {
            kind: "put-file",
            key: "public/a/b.html",
            size: 12,
            modified: 1_700_000_000_000,
            source: "east",
            target: "west",
        }
    }

    #[test]
    fn expressions_are_true_or_false() {
        for (text, expected) in [
            ("true", true),
            ("key.startsWith('public/')", true),
            ("size > 100 || kind == 'put-object'", false),
            ("name == 'b.html' && source != target", true),
            ("kind in ['put-file', 'delete-file']", true),
        ] {
            let filter = Filter::new(text).unwrap();
            assert_eq!(filter.lets(&facts()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn broken_ones_stop_the_run() {
        for text in [
            "",
            "key ==",
            "(",
            "'unclosed",
            "nonesuch == 1",
            "size > 1 || nonesuch",
        ] {
            let failure = Filter::new(text).err();
            assert!(failure.is_some_and(|failure| !failure.retryable), "{text}");
        }
        for text in ["size + 'x' == 2", "size", "key.nonesuch()"] {
            let failure = Filter::new(text).unwrap().lets(&facts()).err();
            assert!(
                failure.is_some_and(|failure| failure.message.contains(text)),
                "{text}"
            );
        }
    }
}
