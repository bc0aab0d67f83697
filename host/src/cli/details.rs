//! The details of a report for a person. A plugin says which list of them makes a table,
//! and of which keys its columns are: `"show": { "list": "targets", "columns": ["name",
//! "state"] }`.

use serde_json::Value;

use super::output;

/// So many rows are shown; all of them stand in the JSON.
const ROWS: usize = 100;
/// A cell is cut after so many characters.
const WIDEST: usize = 100;

/// The table, if the details name one.
pub fn table(details: &Value) -> Option<String> {
    let show = details.get("show")?;
    let list = details.get(show.get("list")?.as_str()?)?;
    // A list that was cut says what it lacks.
    let rows = list.get("items").unwrap_or(list).as_array()?;
    let omitted = list.get("omitted").and_then(Value::as_u64).unwrap_or(0);
    let columns = show.get("columns")?.as_array()?.iter();
    let columns: Vec<&str> = columns.filter_map(Value::as_str).collect();
    if rows.is_empty() || columns.is_empty() {
        return None;
    }
    let titles = columns.iter().map(|column| column.to_uppercase());
    let mut lines = vec![titles.collect::<Vec<_>>().join("\t")];
    for row in rows.iter().take(ROWS) {
        let cells = columns.iter().map(|column| cell(row.get(column)));
        lines.push(cells.collect::<Vec<_>>().join("\t"));
    }
    let mut text = output::columns(&lines, "  ");
    let more = rows.len().saturating_sub(ROWS) as u64 + omitted;
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    Some(text)
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    output::brief(&output::one_line(&text), WIDEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_becomes_a_table() {
        let details = json!({
            "show": { "list": "targets", "columns": ["name", "state"] },
            "targets": [
                { "name": "a\u{1b}[2J", "state": "up", "more": 1 },
                { "name": "b" },
            ],
        });
        let shown = table(&details).unwrap();
        assert_eq!(shown, "  NAME   STATE\n  a [2J  up\n  b      -\n");
    }

    #[test]
    fn a_list_that_was_cut_says_so() {
        let details = json!({
            "show": { "list": "t", "columns": ["name"] },
            "t": { "items": [{ "name": "a" }], "omitted": 7 },
        });
        assert_eq!(table(&details).unwrap(), "  NAME\n  a\n  and 7 more\n");
    }

    #[test]
    fn what_names_no_table_shows_none() {
        for details in [
            json!(null),
            json!([]),
            json!({ "show": 1 }),
            json!({ "show": { "list": "targets", "columns": ["name"] } }),
            json!({ "show": { "list": "t", "columns": ["name"] }, "t": [] }),
            json!({ "show": { "list": "t", "columns": "name" }, "t": [1] }),
        ] {
            assert_eq!(table(&details), None, "{details}");
        }
    }
}
