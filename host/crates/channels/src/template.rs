//! Templates of webhooks: minijinja, within bounds. Where the content is JSON, a value is
//! written as JSON with its quotation marks, so that no text can break out of its place.

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Value, json};

/// The steps that a template may take.
const FUEL: u64 = 100_000;

fn environment(content_type: &str) -> Environment<'static> {
    let json = content_type.contains("json");
    let mut environment = Environment::empty();
    language(&mut environment);
    environment.set_auto_escape_callback(move |_| match json {
        true => AutoEscape::Json,
        false => AutoEscape::None,
    });
    // A name that is misspelt is found when the configuration is applied.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}

/// The filters and tests that belong to the language; nothing that reaches out.
fn language(environment: &mut Environment<'static>) {
    environment.add_filter("upper", minijinja::filters::upper);
    environment.add_filter("lower", minijinja::filters::lower);
    environment.add_filter("trim", minijinja::filters::trim);
    environment.add_filter("replace", minijinja::filters::replace);
    environment.add_filter("length", minijinja::filters::length);
    environment.add_filter("join", minijinja::filters::join);
    environment.add_filter("default", minijinja::filters::default);
    environment.add_filter("tojson", minijinja::filters::tojson);
    environment.add_filter("safe", minijinja::filters::safe);
    environment.add_test("defined", minijinja::tests::is_defined);
    environment.add_test("none", minijinja::tests::is_none);
}

pub fn render(template: &str, content_type: &str, context: &Value) -> Result<String, String> {
    let environment = environment(content_type);
    let said = environment.render_str(template, context);
    said.map_err(|error| {
        let line = error.line().map(|line| format!("line {line}: "));
        let detail = error.detail().map(|detail| format!(": {detail}"));
        format!(
            "{}{}{}",
            line.unwrap_or_default(),
            error.kind(),
            detail.unwrap_or_default()
        )
    })
}

/// Tries a template with one event and with two.
pub fn check(template: &str, content_type: &str) -> Result<(), String> {
    for count in [1, 2] {
        let said = render(template, content_type, &sample(count))?;
        if content_type.contains("json") {
            let parsed = serde_json::from_str::<Value>(&said);
            parsed.map_err(|error| {
                format!("what it makes is no JSON ({error}); text stands there with its quotation marks already, as in `{{\"text\": {{{{ title }}}}}}`")
            })?;
        }
    }
    Ok(())
}

/// Every name that there is, with text that is hard to quote.
fn sample(count: usize) -> Value {
    let text = "a \"quoted\" line\nand another";
    let event = json!({
        "id": 1, "kind": "failed", "severity": "critical", "resolved": false,
        "at": "2026-12-01T02:00:00Z", "since": "2026-12-01T02:00:00Z", "task": "task",
        "key": "key", "title": text, "text": text, "run": 1, "repeated": 0, "details": null,
        "files": [],
    });
    json!({
        "id": "1", "channel": "channel", "machine": "machine", "title": text, "text": text,
        "events": vec![event; count],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json() {
        let template = "{\"text\": {{ title }}, \"tasks\": [{% for e in events %}{{ e.task }}{% if not loop.last %},{% endif %}{% endfor %}]}";
        check(template, "application/json").unwrap();
        let said = render(template, "application/json", &sample(2)).unwrap();
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["tasks"], json!(["task", "task"]));
        assert_eq!(said["text"], "a \"quoted\" line\nand another");
    }

    #[test]
    fn plain_text_is_plain() {
        let said = render(
            "{{ machine }}: {{ title | upper }}",
            "text/plain",
            &sample(1),
        )
        .unwrap();
        assert_eq!(said, "machine: A \"QUOTED\" LINE\nAND ANOTHER");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (template, words) in [
            ("{{ titel }}", "undefined"),
            ("{{ title", "line 1"),
            ("{\"text\": \"{{ title }}\"}", "no JSON"),
            ("{% for a in range(10) %}{% endfor %}", "range"),
            ("{% include 'etc' %}", "include"),
        ] {
            let why = check(template, "application/json").unwrap_err();
            assert!(why.contains(words), "{template}: {why}");
        }
    }

    #[test]
    fn no_template_runs_for_ever() {
        let loops = "{% for a in title %}".repeat(6) + &"{% endfor %}".repeat(6);
        let why = render(&loops, "text/plain", &sample(1)).unwrap_err();
        assert!(why.contains("fuel"), "{why}");
    }
}
