//! A task's settings against the JSON Schema of its action: the validator is `jsonschema`'s;
//! here its errors become mistakes at the right key.

use std::collections::BTreeMap;

use jsonschema::Validator;
use jsonschema::error::{ValidationError, ValidationErrorKind as Kind};
use serde_json::{Map, Value as Json};

use super::{Finding, Show};
use crate::config::mistake::Refusal;
use crate::config::path::{KeyPath, Step};
use crate::config::scalar::short;
use crate::config::suggest;

/// A schema, compiled, or why it cannot be.
pub(in crate::config) struct Schema {
    text: Json,
    compiled: Result<Validator, String>,
}

impl Schema {
    pub fn new(text: &Json) -> Self {
        let compiled = jsonschema::validator_for(text).map_err(|error| error.to_string());
        Self {
            text: text.clone(),
            compiled,
        }
    }
}

/// Everything that the schema refuses; paths are below the task.
pub(super) fn judge(schema: &Schema, config: &Map<String, Json>) -> Vec<Finding> {
    let validator = match &schema.compiled {
        Ok(validator) => validator,
        Err(why) => {
            let message = format!("the plugin's own schema is wrong ({})", short(why));
            let refusal = Refusal::new(
                message,
                "this is the plugin's mistake: install one that is right",
            );
            return vec![Finding::error(
                KeyPath::keys(&["action"]),
                Show::Value,
                refusal,
            )];
        }
    };
    let config = Json::Object(config.clone());
    validator
        .iter_errors(&config)
        .flat_map(|error| explain(&schema.text, &error))
        .collect()
}

/// Where in the settings, from a JSON pointer.
fn place(config: &str) -> KeyPath {
    let mut path = KeyPath::keys(&["config"]);
    for step in config.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        path.0.push(match step.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Key(step),
        });
    }
    path
}

fn explain(schema: &Json, error: &ValidationError) -> Vec<Finding> {
    let path = place(error.instance_path().as_str());
    // The subschema whose keyword refused.
    let within = error
        .schema_path()
        .as_str()
        .rsplit_once('/')
        .map_or("", |(within, _)| within);
    let subschema = schema.pointer(within).unwrap_or(&Json::Null);
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let unknown = |name: &String| unknown(&path, subschema, name);
            unexpected.iter().map(unknown).collect()
        }
        Kind::Required { property } => vec![missing(path, subschema, property)],
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            match likeliest(error.instance_path().as_str(), context) {
                Some(errors) => errors
                    .iter()
                    .flat_map(|error| explain(schema, error))
                    .collect(),
                None => vec![unfit(path, subschema, error, context)],
            }
        }
        _ => vec![refused(path, subschema, said(error))],
    }
}

/// None of the alternatives; where they are words, those are the remedy.
fn unfit(
    path: KeyPath,
    subschema: &Json,
    error: &ValidationError,
    context: &[Vec<ValidationError<'static>>],
) -> Finding {
    let mut words = Vec::new();
    collect_words(context, &mut words);
    if words.is_empty() {
        let message = "this has none of the forms that the plugin takes";
        return refused(path, subschema, message.to_owned());
    }
    let message = match error.instance().as_str() {
        Some(word) => format!("the plugin takes no `{}` here", short(word)),
        None => "this is none of the words that the plugin takes".to_owned(),
    };
    let help = format!("write {}", suggest::list(words).replace(" and ", " or "));
    Finding::error(path, Show::Value, Refusal::new(message, help))
}

fn collect_words<'a>(context: &'a [Vec<ValidationError<'static>>], words: &mut Vec<&'a str>) {
    for error in context.iter().flatten() {
        match error.kind() {
            Kind::Constant { expected_value } => words.extend(expected_value.as_str()),
            Kind::Enum { options } => {
                words.extend(
                    options
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Json::as_str),
                );
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                collect_words(context, words);
            }
            _ => {}
        }
    }
}

/// The alternative that was meant: the only one that is of the value's type, or the only one
/// that fits it but for something deeper down. None where that leaves a choice.
fn likeliest<'a>(
    here: &str,
    context: &'a [Vec<ValidationError<'static>>],
) -> Option<&'a [ValidationError<'static>]> {
    let at = |error: &ValidationError| error.instance_path().as_str().len() <= here.len();
    let kind = |error: &ValidationError| {
        matches!(
            error.kind(),
            Kind::Type { .. } | Kind::Constant { .. } | Kind::Enum { .. }
        )
    };
    let only = |fits: &dyn Fn(&ValidationError) -> bool| {
        let mut meant = context.iter().filter(|errors| errors.iter().all(fits));
        meant.next().filter(|_| meant.next().is_none())
    };
    let meant = only(&|error| !at(error)).or_else(|| only(&|error| !(at(error) && kind(error))));
    meant.map(Vec::as_slice)
}

/// The validator's own words, without a value that would fill the screen.
fn said(error: &ValidationError) -> String {
    let value = error.instance().to_string();
    let text = match value.len() {
        0..=80 => error.to_string(),
        _ => error.masked_with("this").to_string(),
    };
    text.replace('\n', " ")
}

fn description(subschema: &Json) -> Option<&str> {
    let text = subschema.get("description")?.as_str()?;
    text.split("\n\n").next().filter(|text| !text.is_empty())
}

fn refused(path: KeyPath, subschema: &Json, message: String) -> Finding {
    let help = match description(subschema) {
        Some(text) => format!("the plugin says of it: {}", text.replace('\n', " ")),
        None => "`mhost plugin inspect` shows what the action takes".to_owned(),
    };
    Finding::error(path, Show::Value, Refusal::new(message, help))
}

/// In the order of their names, whatever order the plugin gave them.
fn properties(subschema: &Json) -> BTreeMap<&str, &Json> {
    let properties = subschema.get("properties").and_then(Json::as_object);
    let properties = properties.into_iter().flatten();
    properties
        .map(|(name, schema)| (name.as_str(), schema))
        .collect()
}

fn unknown(path: &KeyPath, subschema: &Json, name: &str) -> Finding {
    let properties = properties(subschema);
    let known = || properties.keys().copied();
    let help = suggest::remedy(name, known(), || {
        format!("the plugin takes {}", suggest::list(known()))
    });
    let message = format!("the plugin takes no `{}` here", short(name));
    Finding::error(path.key(name), Show::Key, Refusal::new(message, help))
}

fn missing(path: KeyPath, subschema: &Json, property: &Json) -> Finding {
    let name = property.as_str().unwrap_or_default();
    let about = properties(subschema)
        .get(name)
        .copied()
        .and_then(description);
    let about = about.map(|text| text.replace('\n', " "));
    let help = match about {
        Some(text) => format!("add `{name} = …`: {text}"),
        None => format!("add `{name} = …`"),
    };
    let message = format!("the plugin needs `{name}` here");
    Finding::error(path, Show::Key, Refusal::new(message, help))
}
