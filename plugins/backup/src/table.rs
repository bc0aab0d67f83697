//! What a person is shown of an answer. The whole of it stands in the details beside it.

use mhost_sdk::Capped;
use serde_json::{Map, Value, json};

/// So many rows are shown.
const ROWS: usize = 100;

/// Details that show a table: the columns' names, and their texts row by row.
pub fn with<const N: usize>(
    details: Value,
    columns: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Value {
    let mut shown = Capped::default();
    for (index, row) in rows.enumerate() {
        if index >= ROWS {
            shown.omitted += 1;
            continue;
        }
        let cells = columns.iter().zip(row);
        let cells = cells.map(|(column, text)| ((*column).to_owned(), Value::String(text)));
        shown.items.push(cells.collect::<Map<_, _>>());
    }
    let Value::Object(mut details) = details else {
        return details;
    };
    details.insert("table".to_owned(), json!(shown));
    let show = json!({ "list": "table", "columns": columns.as_slice() });
    details.insert("show".to_owned(), show);
    Value::Object(details)
}
