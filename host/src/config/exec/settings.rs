//! `--set KEY=VALUE …` or `--config FILE.json`: the settings of the action.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::Wrong;
use crate::config::file;
use crate::config::mistake::{ConfigError, Mistake, Refusal};
use crate::config::scalar::short;
use crate::config::source::Source;

/// Keys nest no deeper, as in a file.
const DEEPEST: usize = 80;

/// The settings from `--set` options, or from a file. A value that is JSON is taken as such, any
/// other as a string; a dotted key sets a member of a table.
pub fn exec_config(set: &[String], file: Option<&Path>) -> Result<Map<String, Json>, ConfigError> {
    match file {
        None => from_options(set),
        Some(path) if set.is_empty() => from_file(path),
        Some(_) => Err(ConfigError::one(Mistake::outside(
            "--set",
            Refusal::new("`--set` and `--config` are both given", "keep one of them"),
        ))),
    }
}

fn from_options(set: &[String]) -> Result<Map<String, Json>, ConfigError> {
    let mut settings = Map::new();
    let mut mistakes = Vec::new();
    for text in set {
        if let Err(wrong) = one(&mut settings, text) {
            mistakes.push(wrong.told("--set", "KEY=VALUE", text));
        }
    }
    ConfigError::of(mistakes).map_or(Ok(settings), Err)
}

fn one(settings: &mut Map<String, Json>, text: &str) -> Result<(), Wrong> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(Wrong::new(
            0..text.len(),
            "there is no `=`",
            "write a key, `=` and a value",
        ));
    };
    let extent = 0..key.len();
    let steps: Vec<&str> = key.split('.').collect();
    if steps.iter().any(|step| step.is_empty()) {
        return Err(Wrong::new(
            extent,
            "a part of the key is empty",
            "write names with single dots between",
        ));
    }
    if steps.len() > DEEPEST {
        return Err(Wrong::new(
            extent,
            "the key has too many parts",
            "nest no deeper than 80 levels",
        ));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Json::from(value));
    match insert(settings, &steps, value) {
        Ok(()) => Ok(()),
        Err(message) => Err(Wrong::new(extent, message, "set each key once")),
    }
}

fn insert(settings: &mut Map<String, Json>, steps: &[&str], value: Json) -> Result<(), String> {
    let [step, rest @ ..] = steps else {
        return Ok(());
    };
    let taken = || Err(format!("`{}` is set already", short(step)));
    if rest.is_empty() {
        return match settings.insert((*step).to_owned(), value) {
            None => Ok(()),
            Some(_) => taken(),
        };
    }
    let below = settings
        .entry(*step)
        .or_insert_with(|| Json::Object(Map::new()));
    match below {
        Json::Object(below) => insert(below, rest, value),
        _ => taken(),
    }
}

fn from_file(path: &Path) -> Result<Map<String, Json>, ConfigError> {
    let text = file::text(path, "name another one")?;
    let name = path.display().to_string();
    let one = |refusal| Mistake::outside(name.as_str(), refusal);
    match serde_json::from_str(&text) {
        Ok(Json::Object(settings)) => Ok(settings),
        Ok(_) => Err(ConfigError::one(one(Refusal::new(
            "the settings are not a JSON object",
            "write `{ \"key\": value, … }`",
        )))),
        Err(error) => {
            let at = position(&text, error.line(), error.column());
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let refusal = Refusal::new(format!("this is not JSON: {message}"), "correct the file");
            let source = Source::new(name.clone(), text);
            Err(ConfigError::one(
                one(refusal).in_text(&source, &(at..at + 1)),
            ))
        }
    }
}

/// The byte of a line and a column, both from 1.
fn position(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    before + column.saturating_sub(1)
}
