//! Tables and rows of redb, by name and run-time type.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::ports::database::{Page, Row, TableInfo, Transaction, Value};
use mhost_model::{Fault, FaultResult};
use redb::{
    MultimapTableDefinition, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, TableDefinition, TableError, TableHandle, WriteTransaction,
};
use redb::{MultimapTableHandle, TypeName};

use super::fault::{fault, guarded, no_table};
use super::kind::{Keys, PROBE, Shape, Values};
use super::open::Open;
use crate::live::{Reading, Writing};
use crate::page::{Pager, check_row, weigh};

/// The names of a table's types.
type Types = (TypeName, TypeName);

pub(super) fn definition(table: &str) -> TableDefinition<'_, Keys, Values> {
    TableDefinition::new(table)
}

/// redb tells the types of a table by refusing others.
fn types_of<T>(opened: Result<T, TableError>) -> Result<Types, TableError> {
    match opened {
        Ok(_) => Ok((
            <() as redb::Value>::type_name(),
            <() as redb::Value>::type_name(),
        )),
        Err(TableError::TableTypeMismatch { key, value, .. }) => Ok((key, value)),
        Err(error) => Err(error),
    }
}

/// Every table with its rows counted, ordinary ones first, by name.
pub(super) fn tables(db: &redb::Database, path: &Path) -> FaultResult<Vec<TableInfo>> {
    let transaction = db
        .begin_read()
        .map_err(|error| fault("read", path, error))?;
    list(&transaction).map_err(|error| fault("list the tables of", path, error))
}

fn list(transaction: &ReadTransaction) -> Result<Vec<TableInfo>, redb::Error> {
    let mut tables = Vec::new();
    for handle in transaction.list_tables()? {
        let name = handle.name().to_owned();
        let rows = transaction.open_untyped_table(handle)?.len()?;
        let types = PROBE.with(|| types_of(transaction.open_table(definition(&name))))?;
        tables.push(table_info(name, rows, "", &types));
    }
    for handle in transaction.list_multimap_tables()? {
        let name = handle.name().to_owned();
        let rows = transaction.open_untyped_multimap_table(handle)?.len()?;
        let definition = MultimapTableDefinition::<Keys, Values>::new(&name);
        let types = PROBE.with(|| types_of(transaction.open_multimap_table(definition)))?;
        tables.push(table_info(name, rows, "multimap ", &types));
    }
    Ok(tables)
}

fn table_info(name: String, rows: u64, prefix: &str, types: &Types) -> TableInfo {
    TableInfo {
        name,
        rows,
        shape: format!("{prefix}{} -> {}", types.0.name(), types.1.name()),
        columns: Vec::new(),
    }
}

fn unsupported(table: &str, (key, value): &Types) -> Fault {
    Fault::Unsupported(format!(
        "table `{table}` is of type `{} -> {}`; only byte strings, texts, integers and, as values, `()` can be read and written",
        key.name(),
        value.name()
    ))
}

fn decode(table: &str, shape: Shape, key: &[u8], value: &[u8]) -> FaultResult<Row> {
    let bad = |why| Fault::Damaged(format!("in table `{table}`, {why}"));
    Ok(Row {
        key: vec![shape.key.decode(key).map_err(bad)?],
        columns: vec![shape.value.decode(value).map_err(bad)?],
    })
}

fn single<'v>(table: &str, part: &str, values: &'v [Value]) -> FaultResult<&'v Value> {
    match values {
        [value] => Ok(value),
        _ => Err(Fault::Invalid(format!(
            "a row of redb table `{table}` has one {part}, not {}",
            values.len()
        ))),
    }
}

fn encode_key<'v>(table: &str, shape: Shape, key: &'v [Value]) -> FaultResult<Bytes<'v>> {
    let value = single(table, "key", key)?;
    let wrong = || wrong(table, "key", &shape.key.name(), value);
    shape.key.encode(value).ok_or_else(wrong)
}

fn encode_value<'v>(table: &str, shape: Shape, columns: &'v [Value]) -> FaultResult<Bytes<'v>> {
    let value = single(table, "column", columns)?;
    let wrong = || wrong(table, "value", &shape.value.name(), value);
    shape.value.encode(value).ok_or_else(wrong)
}

type Bytes<'v> = std::borrow::Cow<'v, [u8]>;

fn wrong(table: &str, part: &str, kind: &str, value: &Value) -> Fault {
    let given = match value {
        Value::Null => "null".into(),
        Value::Integer(number) => format!("the integer {number}"),
        Value::Real(_) => "a real number".into(),
        Value::Text(_) => "a text".into(),
        Value::Blob(_) => "a blob".into(),
    };
    Fault::Invalid(format!(
        "the {part} of table `{table}` is of type `{kind}`, which cannot hold {given}"
    ))
}

fn get_row(
    table: &str,
    shape: Shape,
    rows: &impl ReadableTable<Keys, Values>,
    key: &[Value],
) -> FaultResult<Option<Row>> {
    let key = encode_key(table, shape, key)?;
    let found = rows
        .get(key.as_ref())
        .map_err(|error| read_fault(table, error))?;
    found
        .map(|value| {
            check_row(table, key.len() + value.value().len())?;
            decode(table, shape, &key, value.value())
        })
        .transpose()
}

fn read_fault(table: &str, error: redb::StorageError) -> Fault {
    fault("read", Path::new(&format!("table `{table}`")), error)
}

fn page(
    table: &str,
    shape: Shape,
    rows: &impl ReadableTable<Keys, Values>,
    after: Option<&[Value]>,
    limit: u32,
) -> FaultResult<Page> {
    let mut pager = Pager::new(limit)?;
    let after = after.map(|key| encode_key(table, shape, key)).transpose()?;
    let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let range = rows
        .range::<&[u8]>((start, Bound::Unbounded))
        .map_err(|error| read_fault(table, error))?;
    for entry in range {
        let (key, value) = entry.map_err(|error| read_fault(table, error))?;
        let bytes = key.value().len() + value.value().len();
        if !pager.takes(bytes) {
            return Ok(pager.finish(true));
        }
        check_row(table, bytes)?;
        pager.push(decode(table, shape, key.value(), value.value())?, bytes);
    }
    Ok(pager.finish(false))
}

/// Reads every row of every table whose types are known; answers how many rows of
/// how many tables, and the names of the others.
pub(super) fn read_all(db: &redb::Database, path: &Path) -> FaultResult<(u64, u64, Vec<String>)> {
    let transaction = db
        .begin_read()
        .map_err(|error| fault("read", path, error))?;
    let listed = transaction
        .list_tables()
        .map_err(|error| fault("list the tables of", path, error))?;
    let (mut rows, mut tables, mut unknown) = (0, 0, Vec::new());
    for handle in listed {
        match read_shape(&transaction, handle.name(), path) {
            Ok(shape) => {
                rows += shape.with(|| read_table(&transaction, handle.name(), shape, path))?;
                tables += 1;
            }
            Err(Fault::Unsupported(_)) => unknown.push(handle.name().to_owned()),
            Err(error) => return Err(error),
        }
    }
    Ok((rows, tables, unknown))
}

fn read_table(
    transaction: &ReadTransaction,
    table: &str,
    shape: Shape,
    path: &Path,
) -> FaultResult<u64> {
    let opened = transaction
        .open_table(definition(table))
        .map_err(|error| fault("read", path, error))?;
    let mut rows = 0;
    for entry in opened.iter().map_err(|error| read_fault(table, error))? {
        let (key, value) = entry.map_err(|error| read_fault(table, error))?;
        decode(table, shape, key.value(), value.value())?;
        rows += 1;
    }
    Ok(rows)
}

fn read_shape(transaction: &ReadTransaction, table: &str, path: &Path) -> FaultResult<Shape> {
    if table.is_empty() {
        return Err(no_table(table));
    }
    let types = PROBE
        .with(|| types_of(transaction.open_table(definition(table))))
        .map_err(|error| fault("read", path, error))?;
    Shape::find(&types.0, &types.1).ok_or_else(|| unsupported(table, &types))
}

/// A view of one state.
pub(super) struct Read {
    transaction: ReadTransaction,
    shapes: BTreeMap<String, Shape>,
    path: PathBuf,
    // Closing it would end the transaction.
    _db: Arc<Open>,
    // Counted until the file is let go.
    _live: Reading,
}

impl Read {
    pub fn new(transaction: ReadTransaction, db: Arc<Open>, live: Reading, path: &Path) -> Self {
        Self {
            transaction,
            shapes: BTreeMap::new(),
            path: path.to_path_buf(),
            _db: db,
            _live: live,
        }
    }

    fn on<T>(
        &mut self,
        table: &str,
        work: impl FnOnce(Shape, &redb::ReadOnlyTable<Keys, Values>) -> FaultResult<T>,
    ) -> FaultResult<T> {
        let path = self.path.clone();
        guarded("read", &path, || {
            let shape = match self.shapes.get(table) {
                Some(shape) => *shape,
                None => read_shape(&self.transaction, table, &path)?,
            };
            self.shapes.insert(table.to_owned(), shape);
            shape.with(|| {
                let opened = self
                    .transaction
                    .open_table(definition(table))
                    .map_err(|error| fault("read", &path, error))?;
                work(shape, &opened)
            })
        })
    }
}

impl Transaction for Read {
    fn get(&mut self, table: &str, key: &[Value]) -> FaultResult<Option<Row>> {
        self.on(table, |shape, rows| get_row(table, shape, rows, key))
    }

    fn scan(&mut self, table: &str, after: Option<&[Value]>, limit: u32) -> FaultResult<Page> {
        self.on(table, |shape, rows| page(table, shape, rows, after, limit))
    }

    fn put(&mut self, _: &str, _: &[Value], _: &[Value]) -> FaultResult<()> {
        Err(read_only())
    }

    fn delete(&mut self, _: &str, _: &[Value]) -> FaultResult<bool> {
        Err(read_only())
    }

    fn commit(self: Box<Self>) -> FaultResult<()> {
        Ok(())
    }
}

fn read_only() -> Fault {
    Fault::Invalid("this is a read transaction: begin a write transaction to change rows".into())
}

/// Whether there is such a table; one of the other kind is an error.
fn has_table(transaction: &WriteTransaction, table: &str) -> Result<bool, redb::Error> {
    if transaction
        .list_multimap_tables()?
        .any(|handle| handle.name() == table)
    {
        return Err(redb::Error::TableIsMultimap(table.to_owned()));
    }
    let found = transaction
        .list_tables()?
        .any(|handle| handle.name() == table);
    Ok(found)
}

/// A view with its own changes; dropped without a commit, nothing of it stays.
pub(super) struct Write {
    transaction: WriteTransaction,
    shapes: BTreeMap<String, Shape>,
    path: PathBuf,
    _db: Arc<Open>,
    _live: Writing,
}

impl Write {
    pub fn new(transaction: WriteTransaction, db: Arc<Open>, live: Writing, path: &Path) -> Self {
        Self {
            transaction,
            shapes: BTreeMap::new(),
            path: path.to_path_buf(),
            _db: db,
            _live: live,
        }
    }

    /// The shape of a table that exists. redb would create a missing one.
    fn shape(&mut self, table: &str) -> FaultResult<Option<Shape>> {
        if let Some(shape) = self.shapes.get(table) {
            return Ok(Some(*shape));
        }
        let failed = |error: redb::Error| fault("read", &self.path, error);
        if !has_table(&self.transaction, table).map_err(failed)? {
            return Ok(None);
        }
        let types = PROBE
            .with(|| types_of(self.transaction.open_table(definition(table))))
            .map_err(|error| failed(error.into()))?;
        let shape = Shape::find(&types.0, &types.1).ok_or_else(|| unsupported(table, &types))?;
        self.shapes.insert(table.to_owned(), shape);
        Ok(Some(shape))
    }

    /// Works on a table; on a new one of the shape `new`, if it is missing.
    fn on<T>(
        &mut self,
        table: &str,
        new: Option<Shape>,
        work: impl FnOnce(Shape, &mut redb::Table<Keys, Values>) -> FaultResult<T>,
    ) -> FaultResult<T> {
        let path = self.path.clone();
        guarded("write to", &path, || {
            let shape = self.shape(table)?.or(new).ok_or_else(|| no_table(table))?;
            shape.with(|| {
                let mut opened = self
                    .transaction
                    .open_table(definition(table))
                    .map_err(|error| fault("write to", &path, error))?;
                work(shape, &mut opened)
            })
        })
    }
}

impl Transaction for Write {
    fn get(&mut self, table: &str, key: &[Value]) -> FaultResult<Option<Row>> {
        self.on(table, None, |shape, rows| get_row(table, shape, rows, key))
    }

    fn scan(&mut self, table: &str, after: Option<&[Value]>, limit: u32) -> FaultResult<Page> {
        self.on(table, None, |shape, rows| {
            page(table, shape, rows, after, limit)
        })
    }

    fn put(&mut self, table: &str, key: &[Value], columns: &[Value]) -> FaultResult<()> {
        check_row(table, weigh(&[key, columns]))?;
        let first = (
            single(table, "key", key)?,
            single(table, "column", columns)?,
        );
        let new = Shape::of(first.0, first.1).filter(|_| !table.is_empty());
        let known = self.shape(table)?.is_some();
        if !known && new.is_none() {
            return Err(Fault::Invalid(format!(
                "a new table `{table}` needs a name, a key that is a text, a blob or an integer, and a value that is one of these or null"
            )));
        }
        self.on(table, new, |shape, rows| {
            let key = encode_key(table, shape, key)?;
            let value = encode_value(table, shape, columns)?;
            rows.insert(key.as_ref(), value.as_ref())
                .map(drop)
                .map_err(|error| fault("write to", Path::new(&format!("table `{table}`")), error))
        })
    }

    fn delete(&mut self, table: &str, key: &[Value]) -> FaultResult<bool> {
        self.on(table, None, |shape, rows| {
            let key = encode_key(table, shape, key)?;
            rows.remove(key.as_ref())
                .map(|old| old.is_some())
                .map_err(|error| fault("write to", Path::new(&format!("table `{table}`")), error))
        })
    }

    fn commit(self: Box<Self>) -> FaultResult<()> {
        let this = *self;
        let path = this.path;
        guarded("commit to", &path, || {
            this.transaction
                .commit()
                .map_err(|error| fault("commit to", &path, error))
        })
    }
}
