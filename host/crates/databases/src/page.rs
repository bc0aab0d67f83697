//! The limits of a page of rows, the same for both engines.

use mhost_model::ports::database::{Page, Row, Value};
use mhost_model::{Fault, FaultResult};

/// Rows that may be asked for at once.
const ROWS: std::ops::RangeInclusive<u32> = 1..=10_000;
/// Bytes at which a page ends, unless its first row alone is larger.
const PAGE_BYTES: usize = 256 << 10;
/// Bytes of one row. What is handed to a guest is copied more than once.
const ROW_BYTES: usize = 64 << 20;

/// Gathers rows until the page is full.
#[derive(Debug)]
pub(crate) struct Pager {
    rows: Vec<Row>,
    bytes: usize,
    limit: usize,
}

impl Pager {
    /// A page of at most `limit` rows.
    pub fn new(limit: u32) -> FaultResult<Self> {
        if !ROWS.contains(&limit) {
            return Err(Fault::Invalid(format!(
                "a page holds 1 to 10,000 rows, not {limit}"
            )));
        }
        Ok(Self {
            rows: Vec::new(),
            bytes: 0,
            limit: limit as usize,
        })
    }

    /// Whether a row of so many bytes still belongs on this page.
    pub fn takes(&self, bytes: usize) -> bool {
        self.rows.is_empty()
            || (self.rows.len() < self.limit && self.bytes.saturating_add(bytes) <= PAGE_BYTES)
    }

    pub fn push(&mut self, row: Row, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.rows.push(row);
    }

    /// The row that was added last.
    pub fn last(&self) -> Option<&Row> {
        self.rows.last()
    }

    /// The page; `more` says whether rows follow.
    pub fn finish(self, more: bool) -> Page {
        Page {
            rows: self.rows,
            more,
        }
    }
}

/// Refuses a row that is too large to hand over, before it is copied.
pub(crate) fn check_row(table: &str, bytes: usize) -> FaultResult<()> {
    if bytes > ROW_BYTES {
        return Err(Fault::Limit(format!(
            "a row of table `{table}` has {bytes} bytes; a row may have {ROW_BYTES}"
        )));
    }
    Ok(())
}

/// The bytes of a value, about as it crosses to a guest.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::Null => 1,
        Value::Integer(_) | Value::Real(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    }
}

/// The bytes of a row that is about to be written.
pub(crate) fn weigh(values: &[&[Value]]) -> usize {
    values.iter().flat_map(|v| v.iter()).map(weight).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            key: Vec::new(),
            columns: Vec::new(),
        }
    }

    #[test]
    fn limits_of_a_page() {
        for (limit, good) in [(0, false), (1, true), (10_000, true), (10_001, false)] {
            assert_eq!(Pager::new(limit).is_ok(), good, "{limit}");
        }
        let mut page = Pager::new(2).unwrap();
        assert!(page.takes(10 * PAGE_BYTES), "the first row always fits");
        page.push(row(), 100);
        assert!(page.takes(PAGE_BYTES - 100));
        assert!(!page.takes(PAGE_BYTES - 99), "bytes end a page");
        page.push(row(), 1);
        assert!(!page.takes(1), "rows end a page");
        assert!(page.finish(true).more);
    }

    #[test]
    fn limit_of_a_row() {
        assert!(check_row("t", ROW_BYTES).is_ok());
        assert!(matches!(
            check_row("t", ROW_BYTES + 1),
            Err(Fault::Limit(_))
        ));
    }
}
