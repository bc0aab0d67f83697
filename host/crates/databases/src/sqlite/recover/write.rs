//! The new file: tables as the schema says, rows as they were found, and `lost_and_found`.

use std::path::{Path, PathBuf};

use mhost_model::ports::database::Around;
use mhost_model::{Fault, FaultResult};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, Error, ErrorCode, ToSql};

use super::pages::{Encoding, Header};
use super::record::Field;
use super::schema::{Entry, Kind};
use super::walk::Found;
use crate::sqlite::connect::open_copy;
use crate::sqlite::fault::fault;

/// Rows of one transaction; a crash leaves a file aside, which nobody reads.
const BATCH: u64 = 10_000;
/// What SQLite is built for, less the columns that say where a row was.
const MOST_COLUMNS: usize = 2000 - 4;

/// How the fields of a stored row become columns of an insertion.
#[derive(Debug, Clone)]
pub struct Shape {
    table: String,
    /// Of each stored field its column; `None` for one that is computed, or is the rowid.
    columns: Vec<Option<String>>,
    /// The name under which the rowid can be set.
    rowid: Option<String>,
    /// Whether it is a table with rowids.
    pub of_table: bool,
}

pub struct Output<'a> {
    db: Connection,
    path: PathBuf,
    around: &'a Around,
    written: u64,
    /// `lost_and_found`, once there is something for it, and how many fields it takes.
    lost: Option<(String, usize)>,
    pub orphans: u64,
}

impl<'a> Output<'a> {
    /// An empty database with the damaged one's settings.
    pub fn create(path: &Path, header: &Header, around: &'a Around) -> FaultResult<Self> {
        let db = open_copy(path)?;
        let encoding = match header.encoding {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf16Le => "UTF-16le",
            Encoding::Utf16Be => "UTF-16be",
        };
        let vacuum = match (header.largest_root, header.incremental) {
            (0, _) => 0,
            (_, false) => 1,
            (_, true) => 2,
        };
        let sql = format!(
            "PRAGMA page_size = {}; PRAGMA encoding = '{encoding}'; PRAGMA auto_vacuum = {vacuum};
             PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA foreign_keys = OFF;
             PRAGMA ignore_check_constraints = ON;
             PRAGMA user_version = {}; PRAGMA application_id = {}; BEGIN",
            header.page_size, header.user_version, header.application_id
        );
        let made = (|| {
            db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
            db.execute_batch(&sql)
        })();
        made.map_err(|error| fault("create", path, error))?;
        Ok(Self {
            db,
            path: path.to_path_buf(),
            around,
            written: 0,
            lost: None,
            orphans: 0,
        })
    }

    /// Creates what an entry says; the reason where that cannot be.
    pub fn create_entry(&mut self, entry: &Entry) -> FaultResult<Result<(), String>> {
        let Some(sql) = &entry.sql else {
            return Ok(Ok(()));
        };
        let made = match entry.kind {
            Kind::Virtual => self.put_in_schema(entry),
            _ => self.execute_schema(sql),
        };
        self.told(made)
    }

    /// One statement of a schema, which may come from anybody: it can make things, and no more.
    fn execute_schema(&mut self, sql: &str) -> Result<(), Error> {
        self.db.authorizer(Some(only_makes))?;
        let made = self.db.execute(sql, []).map(drop);
        self.db
            .authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
        made
    }

    /// A virtual table is not made by its module, whose own tables are recovered as they are.
    fn put_in_schema(&mut self, entry: &Entry) -> Result<(), Error> {
        self.db.execute_batch("PRAGMA writable_schema = ON")?;
        let made = self.db.execute(
            "INSERT INTO sqlite_schema VALUES ('table', ?1, ?1, 0, ?2)",
            (&entry.name, &entry.sql),
        );
        self.db.execute_batch("PRAGMA writable_schema = OFF")?;
        made.map(drop)
    }

    /// A full disk ends the work; anything else is a finding.
    fn told<T>(&self, made: Result<T, Error>) -> FaultResult<Result<T, String>> {
        match made {
            Ok(made) => Ok(Ok(made)),
            Err(error) if ends(&error) => Err(fault("write", &self.path, error)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// How the rows of a table that was created are stored.
    pub fn shape(&self, table: &str) -> FaultResult<Result<Shape, String>> {
        self.told(self.read_shape(table))
    }

    fn read_shape(&self, table: &str) -> Result<Shape, Error> {
        let db = &self.db;
        let without_rowid: bool = db.query_row(
            "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1",
            [table],
            |row| row.get(0),
        )?;
        let own_key: bool = db.query_row(
            "SELECT count(*) > 0 FROM pragma_index_list(?1) WHERE origin = 'pk'",
            [table],
            |row| row.get(0),
        )?;
        let mut statement =
            db.prepare("SELECT name, pk, hidden, type FROM pragma_table_xinfo(?1) ORDER BY cid")?;
        let columns: Vec<(String, i64, i64, String)> = statement
            .query_map([table], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<Result<_, _>>()?;
        // Virtual generated columns are not stored, others are, but cannot be set.
        let stored = columns.iter().filter(|column| column.2 != 2);
        let set = |column: &(String, i64, i64, String)| (column.2 == 0).then(|| column.0.clone());
        if without_rowid {
            let mut key: Vec<_> = stored.clone().filter(|column| column.1 > 0).collect();
            key.sort_by_key(|column| column.1);
            let rest = stored.filter(|column| column.1 == 0);
            return Ok(Shape {
                table: table.to_owned(),
                columns: key.into_iter().chain(rest).map(set).collect(),
                rowid: None,
                of_table: false,
            });
        }
        let keys = columns.iter().filter(|column| column.1 > 0).count();
        let is_rowid = |column: &(String, i64, i64, String)| {
            column.1 > 0 && keys == 1 && !own_key && column.3.eq_ignore_ascii_case("integer")
        };
        let alias = columns.iter().find(|column| is_rowid(column));
        let free = ["rowid", "_rowid_", "oid"].into_iter().find(|name| {
            !columns
                .iter()
                .any(|column| column.0.eq_ignore_ascii_case(name))
        });
        Ok(Shape {
            table: table.to_owned(),
            columns: stored
                .map(|column| if is_rowid(column) { None } else { set(column) })
                .collect(),
            rowid: alias
                .map(|column| column.0.clone())
                .or(free.map(str::to_owned)),
            of_table: true,
        })
    }

    /// Puts a row into its table, or, where it does not fit there, among the orphans. Answers whether it did.
    pub fn insert(&mut self, shape: &Shape, found: Found) -> FaultResult<bool> {
        let fields = &found.row.fields;
        if !found.row.whole || fields.len() > shape.columns.len() {
            self.orphan(&found)?;
            return Ok(false);
        }
        let rowid = found.rowid.map(Field::Integer);
        let pairs = shape.columns.iter().zip(fields);
        let (mut names, mut values): (Vec<&str>, Vec<&dyn ToSql>) = pairs
            .filter_map(|(column, field)| Some((column.as_deref()?, field as &dyn ToSql)))
            .unzip();
        if let (Some(name), Some(rowid)) = (&shape.rowid, &rowid) {
            names.push(name);
            values.push(rowid);
        }
        let inserted = insert(&self.db, &shape.table, &names, &values);
        match self.told(inserted)? {
            Ok(()) => {
                self.count()?;
                Ok(true)
            }
            Err(_) => {
                self.orphan(&found)?;
                Ok(false)
            }
        }
    }

    /// Keeps a row that has no table. Answers nothing: one with more fields than a table can have is cut.
    pub fn orphan(&mut self, found: &Found) -> FaultResult<()> {
        let fields = &found.row.fields[..found.row.fields.len().min(MOST_COLUMNS)];
        let table = self.lost_table(fields.len())?;
        let names: Vec<String> = (0..fields.len()).map(|n| format!("c{n}")).collect();
        let about = ["rootpgno", "pgno", "nfield", "id"];
        let names: Vec<&str> = about
            .into_iter()
            .chain(names.iter().map(String::as_str))
            .collect();
        let number = found.row.fields.len() as i64;
        let mut values: Vec<&dyn ToSql> = vec![&found.root, &found.page, &number, &found.rowid];
        values.extend(fields.iter().map(|field| field as &dyn ToSql));
        let inserted = insert(&self.db, &table, &names, &values);
        inserted.map_err(|error| fault("write", &self.path, error))?;
        self.orphans += 1;
        self.count()
    }

    fn lost_table(&mut self, fields: usize) -> FaultResult<String> {
        let failed = |error| fault("write", &self.path, error);
        let (name, there) = match &self.lost {
            Some((name, there)) => (name.clone(), *there),
            None => {
                let name = free_name(&self.db).map_err(failed)?;
                let sql = format!(
                    "CREATE TABLE {name} (rootpgno INTEGER, pgno INTEGER, nfield INTEGER, id INTEGER)"
                );
                self.db.execute_batch(&sql).map_err(failed)?;
                (name, 0)
            }
        };
        for n in there..fields {
            let sql = format!("ALTER TABLE {name} ADD COLUMN c{n}");
            self.db.execute_batch(&sql).map_err(failed)?;
        }
        self.lost = Some((name.clone(), there.max(fields)));
        Ok(name)
    }

    /// How far a table counts its own ids: never less than what was found.
    pub fn sequence(&mut self, found: &Found) -> FaultResult<bool> {
        let (Some(name), Some(Field::Integer(number))) = (
            found.row.fields.first().and_then(Field::text),
            found.row.fields.get(1),
        ) else {
            return Ok(false);
        };
        let set = self
            .db
            .execute(
                "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
                (name, number),
            )
            .and_then(|changed| match changed {
                0 => self.db.execute(
                    "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 FROM pragma_table_list WHERE schema = 'main' AND name = ?1",
                    (name, number),
                ),
                changed => Ok(changed),
            });
        Ok(self.told(set)?.is_ok())
    }

    fn count(&mut self) -> FaultResult<()> {
        self.written += 1;
        if self.written.is_multiple_of(BATCH) {
            self.around.go_on()?;
            self.db
                .execute_batch("COMMIT; BEGIN")
                .map_err(|error| fault("write", &self.path, error))?;
        }
        Ok(())
    }

    /// Everything is with the file.
    pub fn finish(self) -> FaultResult<u64> {
        let failed = |error| fault("write", &self.path, error);
        self.db.execute_batch("COMMIT").map_err(failed)?;
        self.db
            .close()
            .map_err(|(_, error)| failed(error))
            .map(|()| self.orphans)
    }
}

fn insert(
    db: &Connection,
    table: &str,
    names: &[&str],
    values: &[&dyn ToSql],
) -> Result<(), Error> {
    let quoted: Vec<_> = names.iter().map(|name| quote(name)).collect();
    let sql = match names.is_empty() {
        true => format!("INSERT INTO {} DEFAULT VALUES", quote(table)),
        false => format!(
            "INSERT INTO {} ({}) VALUES ({})",
            quote(table),
            quoted.join(", "),
            vec!["?"; names.len()].join(", ")
        ),
    };
    db.prepare_cached(&sql)?.execute(values).map(drop)
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `lost_and_found`, with a number where the database has that already.
fn free_name(db: &Connection) -> Result<String, Error> {
    let mut name = "lost_and_found".to_owned();
    for number in 0.. {
        let taken: bool = db.query_row(
            "SELECT count(*) > 0 FROM sqlite_schema WHERE lower(name) = ?1",
            [&name],
            |row| row.get(0),
        )?;
        if !taken {
            break;
        }
        name = format!("lost_and_found_{number}");
    }
    Ok(name)
}

/// A schema's statement may make tables, indexes, views and triggers, but not fill a table from a
/// query, which might never end.
fn only_makes(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select
        | AuthAction::Recursive
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::Pragma { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

/// Whether going on has no sense.
fn ends(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
        )
    )
}

/// Takes virtual tables out again that keep the new file from being opened. Answers their names.
pub fn drop_unreadable(path: &Path) -> FaultResult<Vec<String>> {
    let db = open_copy(path)?;
    let opened = db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    if opened.is_ok() {
        return Ok(Vec::new());
    }
    let failed = |error| fault("write", path, error);
    db.execute_batch("PRAGMA writable_schema = ON")
        .map_err(failed)?;
    let names = db
        .prepare("DELETE FROM sqlite_schema WHERE type = 'table' AND rootpage = 0 RETURNING name")
        .and_then(|mut statement| {
            statement
                .query_map([], |row| row.get(0))?
                .collect::<Result<Vec<String>, _>>()
        })
        .map_err(failed)?;
    match names.is_empty() {
        true => Err(Fault::Failed(
            "the new file cannot be opened: nothing was written".into(),
        )),
        false => Ok(names),
    }
}
