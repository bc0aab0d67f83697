//! Opening the file: whose it is, whether it is sound, which format it has, and which node
//! comes next. What a file may answer that is not ours, broken or newer is turned into
//! an error here, before anything of it is believed.

use std::cell::Cell;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use mhost_model::NodeId;
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend, StorageError,
    TableError,
};

use super::caught::caught;
use super::migrate::{self, FORMAT};
use super::record::{Counters, Number, get};
use super::tables::{META, Tables};
use super::trouble::{Res, Trouble};
use crate::{StoreError, StoreResult};

const OPERATION: &str = "open the store";
/// Pages kept in memory, bytes.
const CACHE: usize = 64 << 20;

/// What an opening found.
pub struct Opened {
    /// After all whose writing is in the file; the first change writes it down.
    pub node: NodeId,
    pub counters: Counters,
}

/// Opens the file, with its lock; where asked to, it is made first.
pub fn file(path: &Path, create: bool) -> StoreResult<Database> {
    if create {
        make(path)?;
    }
    let file = open_file(path)?;
    database(path, |builder| builder.create_file(file))
}

/// Opens a database in memory, or wherever the backend keeps it.
pub fn backend(path: &Path, backend: impl StorageBackend) -> StoreResult<Database> {
    database(path, |builder| builder.create_with_backend(backend))
}

/// Makes the file where there is none: aside, whole and synced, and then under its name, so
/// that a crash leaves a store or none.
fn make(path: &Path) -> StoreResult<()> {
    let empty = match path.metadata() {
        Ok(found) if found.is_file() && found.len() == 0 => true,
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(failed(error)),
    };
    let prefix = aside(path);
    // Readable by its owner alone: the store holds configurations and plugin state.
    let new = tempfile::Builder::new()
        .prefix(&prefix)
        .tempfile_in(folder(path));
    let new = new.map_err(failed)?;
    let file = new.reopen().map_err(failed)?;
    let made = database(path, |builder| builder.create_file(file))?;
    initialise(&made, None).map_err(|trouble| trouble.during(OPERATION, path))?;
    drop(made);
    new.as_file().sync_all().map_err(failed)?;
    let named = match empty {
        true => new.persist(path),
        false => new.persist_noclobber(path),
    };
    match named {
        Ok(_) => {}
        // Somebody else was faster.
        Err(_) if path.metadata().is_ok_and(|found| found.len() > 0) => {}
        Err(error) => return Err(failed(error.error)),
    }
    clear_away(path, &prefix);
    sync_folder(path)
}

/// How the names of unfinished files begin.
fn aside(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(".{name}.new-")
}

/// What crashes left; whoever is still at it finds the finished file.
fn clear_away(path: &Path, prefix: &str) {
    let entries = std::fs::read_dir(folder(path)).into_iter().flatten();
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn open_file(path: &Path) -> StoreResult<File> {
    let file = File::options().read(true).write(true).open(path);
    let file = file.map_err(|error| match error.kind() {
        ErrorKind::NotFound => StoreError::NotFound {
            kind: "store",
            name: path.display().to_string(),
        },
        _ => failed(error),
    })?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(damaged(path, "it is not a file"));
    }
    if metadata.len() == 0 {
        return Err(damaged(path, "the file is empty"));
    }
    Ok(file)
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::Failed {
        operation: OPERATION,
        why: error.to_string(),
    }
}

fn damaged(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        path: path.display().to_string(),
        why: why.into(),
    }
}

/// A broken file may trip an assertion inside the database: that is damage, not a
/// reason to fall over.
fn database(
    path: &Path,
    open: impl FnOnce(&mut redb::Builder) -> Result<Database, DatabaseError>,
) -> StoreResult<Database> {
    let opened = caught(|| open(Database::builder().set_cache_size(CACHE)));
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) => Err(classify(path, error)),
        Err(_) => Err(damaged(path, "its pages contradict each other")),
    }
}

fn classify(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Busy {
            path: path.display().to_string(),
        },
        DatabaseError::Storage(StorageError::Io(error))
            if !matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData
            ) =>
        {
            failed(error)
        }
        other => damaged(path, other.to_string()),
    }
}

/// Checks the format and makes what is missing. A sound file of this format is not
/// written to: whoever only reads can do so on a full disk, too.
pub fn prepare(database: &Database, path: &Path, create: bool) -> StoreResult<Opened> {
    let prepared = caught(|| {
        match found(database)? {
            Found::Nothing if !create => {
                return Err(Trouble::Damaged("there is nothing in it".into()));
            }
            Found::Nothing => initialise(database, None)?,
            Found::Format(found) if found > FORMAT => return Err(too_new(path, found)),
            Found::Format(found) => initialise(database, Some(found))?,
        }
        next_life(database)
    });
    match prepared {
        Ok(prepared) => prepared.map_err(|trouble| trouble.during(OPERATION, path)),
        Err(_) => Err(damaged(path, "its pages contradict each other")),
    }
}

fn too_new(path: &Path, found: u32) -> Trouble {
    Trouble::Told(StoreError::TooNew {
        path: path.display().to_string(),
        found,
        known: FORMAT,
    })
}

enum Found {
    /// A database without a table: nobody got further than making it.
    Nothing,
    Format(u32),
}

fn found(database: &Database) -> Res<Found> {
    let txn = database.begin_read()?;
    let meta = match txn.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return nothing(&txn),
        Err(error) => return Err(error.into()),
    };
    let format = meta.get("format")?;
    let bytes: Option<[u8; 4]> = format.and_then(|bytes| bytes.value().try_into().ok());
    match bytes.map(u32::from_le_bytes) {
        Some(format) if format > 0 => Ok(Found::Format(format)),
        _ => Err(Trouble::Damaged("it does not say its format".into())),
    }
}

fn nothing(txn: &ReadTransaction) -> Res<Found> {
    let mut tables = txn.list_tables()?;
    match tables.next() {
        None => Ok(Found::Nothing),
        Some(_) => Err(Trouble::Damaged(
            "it is a redb database, but not a store of mhost".into(),
        )),
    }
}

fn initialise(database: &Database, found: Option<u32>) -> Res<()> {
    if found == Some(FORMAT) {
        return Ok(());
    }
    let txn = database.begin_write()?;
    match found {
        Some(found) => migrate::upgrade(&txn, found)?,
        None => migrate::write_format(&txn, FORMAT)?,
    }
    Tables::open(&txn, &Cell::new(false))?;
    txn.commit()?;
    Ok(())
}

fn next_life(database: &Database) -> Res<Opened> {
    let (former, counters) = life(database)?;
    Ok(Opened {
        node: NodeId(former + 1),
        counters,
    })
}

/// The newest node that wrote anything, and the counters.
fn life(database: &Database) -> Res<(u64, Counters)> {
    let txn = database.begin_read()?;
    let meta = txn.open_table(META)?;
    let newest: Option<Number> = get(&meta, "node")?;
    let Number(newest) = newest.unwrap_or(Number(0));
    Ok((newest, get(&meta, "counters")?.unwrap_or_default()))
}

/// Goes on in the same life after the database was opened again: only if nobody else
/// has written to it meanwhile. `born` says whether this life has.
pub fn rejoin(database: &Database, path: &Path, node: NodeId, born: bool) -> StoreResult<Counters> {
    let read = || {
        let (newest, counters) = life(database)?;
        if newest != node.0 - u64::from(!born) {
            return Err(Trouble::Database(
                "another process has had it meanwhile: restart mhost".into(),
            ));
        }
        Ok(counters)
    };
    read().map_err(|trouble| trouble.during("open the store again", path))
}

/// A new file is only there for sure once its folder is synced.
fn sync_folder(path: &Path) -> StoreResult<()> {
    File::open(folder(path))
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}
