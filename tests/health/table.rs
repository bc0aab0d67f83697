//! A table of targets with what is expected of each, checked in one run.

use serde_json::{Value, json};

use super::home::{Home, findings};
use super::servers::{Bad, http, serve};

/// Targets with what is expected of them, and the origins that they need.
#[derive(Default)]
pub struct Table {
    targets: Vec<Value>,
    net: Vec<String>,
    expected: Vec<(String, &'static str, &'static str)>,
}

impl Table {
    pub fn add(
        &mut self,
        name: &str,
        origin: String,
        mut target: Value,
        state: &'static str,
        why: &'static str,
    ) {
        let fields = target.as_object_mut().unwrap();
        fields.insert("name".into(), json!(name));
        fields.entry("timeout").or_insert(json!("1s"));
        self.targets.push(target);
        self.net.push(origin);
        self.expected.push((name.to_owned(), state, why));
    }

    pub fn http(
        &mut self,
        name: &str,
        bad: Bad,
        settings: Value,
        state: &'static str,
        why: &'static str,
    ) {
        let origin = format!("http://127.0.0.1:{}", serve(bad));
        let target = with(json!({ "http": format!("{origin}/") }), &settings);
        self.add(name, origin, target, state, why);
    }

    pub fn tcp(
        &mut self,
        name: &str,
        bad: Bad,
        settings: Value,
        state: &'static str,
        why: &'static str,
    ) {
        let peer = format!("127.0.0.1:{}", serve(bad));
        let target = with(json!({ "tcp": peer }), &settings);
        self.add(name, format!("tcp://{peer}"), target, state, why);
    }

    /// Runs all, and compares.
    pub fn run(self, home: &Home, more: &[&str]) -> Value {
        let (code, run) = home.check(&self.net, &json!({ "targets": self.targets }), more);
        assert_eq!(code, 1, "{run:#}");
        let found = findings(&run);
        for (name, state, why) in &self.expected {
            let one = &found[name];
            assert_eq!(one["state"], *state, "{one:#}");
            assert_eq!(
                one["up"],
                json!(matches!(*state, "up" | "degraded")),
                "{one:#}"
            );
            let error = one["error"].as_str().unwrap_or_default();
            assert!(
                error.contains(why),
                "{name}: `{error}` does not say `{why}`"
            );
        }
        assert_eq!(found.len(), self.expected.len());
        run
    }
}

fn with(mut target: Value, settings: &Value) -> Value {
    let fields = target.as_object_mut().unwrap();
    fields.extend(settings.as_object().unwrap().clone());
    target
}

/// A server that answers so.
pub fn answers(status: &str, headers: &str, body: &str) -> Bad {
    Bad::Answers(http(status, headers, body))
}
