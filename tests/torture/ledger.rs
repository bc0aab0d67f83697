//! The ledger against the clock, against itself, and against the witness.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::arena::{Arena, EVERY, TASKS, at_most_once, name};

/// Rows that were over when somebody looked.
#[derive(Default)]
pub struct Settled(BTreeMap<u64, Value>);

impl Settled {
    /// Nothing that was settled is settled again.
    pub fn look(&mut self, arena: &Arena) {
        for row in rows(arena) {
            let id = row["run"].as_u64().unwrap();
            if let Some(known) = self.0.get(&id) {
                assert_eq!(*known, row, "a row that was settled changed");
            } else if row["outcome"].is_string() {
                self.0.insert(id, row);
            }
        }
    }
}

fn rows(arena: &Arena) -> Vec<Value> {
    match arena.json(&["runs", "list", "-n", "10000000"]) {
        Value::Array(rows) => rows,
        other => panic!("{other}"),
    }
}

/// Milliseconds since 1970.
fn millis(time: &Value) -> i64 {
    let at: chrono::DateTime<chrono::Utc> = time.as_str().unwrap().parse().unwrap();
    at.timestamp_millis()
}

/// Checks all; answers what there is, in words.
pub fn check(arena: &Arena) -> String {
    let rows = rows(arena);
    let mut by_task: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for row in &rows {
        assert!(row["outcome"].is_string(), "not over: {row}");
        by_task
            .entry(row["task"].as_str().unwrap())
            .or_default()
            .push(row);
    }
    for task in 0..TASKS {
        let name = name(task);
        let rows = by_task.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        chain(arena, &name, rows);
        starts(arena, task, rows);
    }
    let findings = arena.json(&["doctor"]);
    let sound = |finding: &Value| finding["weight"] != "error";
    assert!(findings.as_array().unwrap().iter().all(sound), "{findings}");
    outcomes(&rows)
}

/// Rule 1: from the task's creation to its next due time, each due time has one row.
fn chain(arena: &Arena, name: &str, rows: &[&Value]) {
    let shown = arena.json(&["task", "show", name]);
    let created = millis(&shown["created_at"]);
    let next = millis(&shown["progress"]["next_due"]);
    let expected: BTreeSet<i64> = (1..)
        .map(|n| created + n * EVERY)
        .take_while(|due| *due < next)
        .collect();
    let found: BTreeSet<i64> = rows.iter().map(|row| millis(&row["fire_at"])).collect();
    assert_eq!(found.len(), rows.len(), "{name}: a fire has two rows");
    assert_eq!(found, expected, "{name}: fires and rows differ");
}

/// Rule 7, as the witness saw it.
fn starts(arena: &Arena, task: usize, rows: &[&Value]) {
    let name = name(task);
    let calls = arena.witness.calls(&name);
    let attempts = |row: &&&Value| row["attempt"].as_u64().unwrap();
    let started = rows.iter().filter(|row| attempts(row) > 0).count();
    let succeeded = rows.iter().filter(|row| row["outcome"] == "succeeded");
    let succeeded = succeeded.count();
    assert!(
        calls >= succeeded,
        "{name}: {succeeded} runs succeeded, but {calls} asked"
    );
    if at_most_once(task) {
        let again = rows.iter().find(|row| attempts(row) > 1);
        assert!(again.is_none(), "{name} runs at most once: {again:?}");
        assert!(
            calls <= started,
            "{name} runs at most once: {started} fires were started, {calls} asked"
        );
    }
}

fn outcomes(rows: &[Value]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(row["outcome"].as_str().unwrap()).or_default() += 1;
    }
    let again = rows.iter().filter(|row| row["attempt"].as_u64() > Some(1));
    format!(
        "{} rows: {counts:?}, {} tried again",
        rows.len(),
        again.count()
    )
}
