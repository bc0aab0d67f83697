//! A database in memory.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::NativeHost;
use crate::database::{
    Database, Info, KeepOld, PackResult, Packed, Page, RecoverOptions, Recovered, Row, Table,
    Transaction, Value, Verdict,
};
use crate::{Error, Result};

type Tables = BTreeMap<String, Vec<Row>>;

/// Tables of rows, and figures that a test chooses.
pub struct FakeDatabase {
    info: RefCell<Info>,
    verdict: Verdict,
    tables: RefCell<Tables>,
}

impl FakeDatabase {
    /// An empty, sound database of this engine, with so many bytes of which a pack
    /// gives some back.
    pub fn new(engine: &str, size: u64, reclaimable: u64) -> Self {
        Self {
            info: RefCell::new(Info {
                engine: engine.to_owned(),
                version: "1".to_owned(),
                size,
                reclaimable: Some(reclaimable),
            }),
            verdict: Verdict {
                sound: true,
                findings: vec!["every page was read".to_owned()],
            },
            tables: RefCell::default(),
        }
    }

    /// A database that `verify` finds damaged.
    pub fn damaged(mut self, finding: &str) -> Self {
        self.verdict = Verdict {
            sound: false,
            findings: vec![finding.to_owned()],
        };
        self
    }

    pub fn with_row(self, table: &str, key: Vec<Value>, columns: Vec<Value>) -> Self {
        put(&mut self.tables.borrow_mut(), table, Row { key, columns });
        self
    }
}

pub struct Open<'h> {
    pub fake: &'h FakeDatabase,
    pub host: &'h NativeHost,
}

impl Database for Open<'_> {
    fn info(&self) -> Result<Info> {
        Ok(self.fake.info.borrow().clone())
    }

    fn tables(&self) -> Result<Vec<Table>> {
        let tables = self.fake.tables.borrow();
        let described = tables.iter().map(|(name, rows)| Table {
            name: name.clone(),
            rows: rows.len() as u64,
            shape: "any".to_owned(),
            columns: Vec::new(),
        });
        Ok(described.collect())
    }

    fn begin_read(&self) -> Result<Box<dyn Transaction + '_>> {
        let view = RefCell::new(self.fake.tables.borrow().clone());
        Ok(Box::new(View {
            open: self,
            view,
            writes: false,
        }))
    }

    fn begin_write(&self) -> Result<Box<dyn Transaction + '_>> {
        let view = RefCell::new(self.fake.tables.borrow().clone());
        Ok(Box::new(View {
            open: self,
            view,
            writes: true,
        }))
    }

    fn snapshot(&self, target: &str) -> Result<u64> {
        let text = format!("{:?}", self.fake.tables.borrow());
        self.host.files_create(target, text.as_bytes())?;
        Ok(text.len() as u64)
    }

    fn pack(&self) -> Result<Packed> {
        self.host.change(
            || "pack the database".to_owned(),
            || {
                let mut info = self.fake.info.borrow_mut();
                let before = info.size;
                info.size -= info.reclaimable.replace(0).unwrap_or(0);
                Ok(Packed {
                    before,
                    after: info.size,
                })
            },
        )
    }

    fn verify(&self) -> Result<Verdict> {
        Ok(self.fake.verdict.clone())
    }

    fn restore(&self, source: &str) -> Result<String> {
        crate::files::Files::stat(self.host, source)?;
        self.host.change(
            || "restore the database".to_owned(),
            || Ok(format!("{source}.before")),
        )
    }

    fn pack_keeping(&self, keep: KeepOld) -> Result<PackResult> {
        let packed = self.pack()?;
        let old = match keep {
            KeepOld::No => None,
            KeepOld::UntilNext => Some("db.old".to_owned()),
            KeepOld::Seconds(_) => Some("db.old-20260131T040000Z".to_owned()),
        };
        Ok(PackResult {
            before: packed.before,
            after: packed.after,
            old,
            forgotten: Vec::new(),
        })
    }

    /// Every row is found; the findings are those of `verify`.
    fn recover(&self, target: &str, _: RecoverOptions) -> Result<Recovered> {
        let after = self.snapshot(target)?;
        let tables = self.fake.tables.borrow();
        Ok(Recovered {
            before: self.fake.info.borrow().size,
            after,
            tables: tables.len() as u64,
            rows: tables.values().map(|rows| rows.len() as u64).sum(),
            orphans: 0,
            rows_lost: 0,
            pages_lost: 0,
            findings: self.fake.verdict.findings.clone(),
        })
    }
}

impl NativeHost {
    fn files_create(&self, path: &str, content: &[u8]) -> Result<()> {
        crate::files::Files::create(self, path, content)
    }
}

struct View<'o> {
    open: &'o Open<'o>,
    view: RefCell<Tables>,
    writes: bool,
}

impl View<'_> {
    fn writable(&self) -> Result<()> {
        if self.writes {
            return Ok(());
        }
        Err(Error::Invalid("this is a read transaction".to_owned()))
    }
}

impl Transaction for View<'_> {
    fn get(&self, table: &str, key: &[Value]) -> Result<Option<Row>> {
        let view = self.view.borrow();
        let rows = view.get(table).map(Vec::as_slice).unwrap_or_default();
        Ok(find(rows, key).ok().map(|at| rows[at].clone()))
    }

    fn scan(&self, table: &str, after: Option<&[Value]>, limit: u32) -> Result<Page> {
        let view = self.view.borrow();
        let rows = view
            .get(table)
            .ok_or_else(|| Error::NotFound(format!("there is no table `{table}`")))?;
        let start = match after {
            Some(key) => find(rows, key).map_or_else(|at| at, |at| at + 1),
            None => 0,
        };
        let end = rows.len().min(start + limit as usize);
        Ok(Page {
            rows: rows[start..end].to_vec(),
            more: end < rows.len(),
        })
    }

    fn put(&self, table: &str, key: &[Value], columns: &[Value]) -> Result<()> {
        self.writable()?;
        let row = Row {
            key: key.to_vec(),
            columns: columns.to_vec(),
        };
        put(&mut self.view.borrow_mut(), table, row);
        Ok(())
    }

    fn delete(&self, table: &str, key: &[Value]) -> Result<bool> {
        self.writable()?;
        let mut view = self.view.borrow_mut();
        let Some(rows) = view.get_mut(table) else {
            return Ok(false);
        };
        let found = find(rows, key);
        if let Ok(at) = found {
            rows.remove(at);
        }
        Ok(found.is_ok())
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.writable()?;
        self.open.host.change(
            || "commit".to_owned(),
            || {
                self.open.fake.tables.replace(self.view.take());
                Ok(())
            },
        )
    }
}

fn put(tables: &mut Tables, table: &str, row: Row) {
    let rows = tables.entry(table.to_owned()).or_default();
    match find(rows, &row.key) {
        Ok(at) => rows[at] = row,
        Err(at) => rows.insert(at, row),
    }
}

fn find(rows: &[Row], key: &[Value]) -> std::result::Result<usize, usize> {
    rows.binary_search_by(|row| {
        let pairs = row.key.iter().zip(key);
        pairs
            .map(|(a, b)| order(a, b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| row.key.len().cmp(&key.len()))
    })
}

/// SQLite's order of types; within a type its own.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.total_cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Integer(_) => 1,
        Value::Real(_) => 2,
        Value::Text(_) => 3,
        Value::Blob(_) => 4,
    }
}
