//! The SQLite driver: one managed file, a connection of SQLite's for each piece of
//! work, so that reads and writes go side by side as SQLite allows it.
//!
//! A table's key is its primary key's columns, or the rowid where it has none.
//! Views, virtual tables and SQLite's own tables are no tables here; generated
//! columns are left out of rows. An empty file is an empty database, as for SQLite.
//! SQLite has no NaN and would store null in its place: it is refused.

mod connect;
mod fault;
mod recover;
mod restore;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod whole;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mhost_model::ports::database::{
    Around, Database, DatabaseInfo, KeepOld, PackResult, Packed, RecoverOptions, Recovered,
    TableInfo, Transaction, Verdict,
};
use mhost_model::{Fault, FaultResult};

use self::connect::{Access, connect};
use self::fault::fault;
use crate::file;
use crate::live::Live;
use crate::{space, unattended};

/// A managed SQLite file.
pub(crate) struct SqliteDatabase {
    site: Site,
    live: Live,
}

/// Where the file is, and how long to wait for its locks.
#[derive(Debug, Clone)]
struct Site {
    path: PathBuf,
    wait: Duration,
}

impl SqliteDatabase {
    /// Looks whether the file can be read now. One that is missing or damaged is an error
    /// of the verbs that need it, so that it can be restored.
    pub fn open(path: &Path, wait: Duration) -> FaultResult<Self> {
        file::check_regular(path)?;
        let site = Site {
            path: path.to_path_buf(),
            wait,
        };
        match connect(&site, Access::Look) {
            Err(busy @ Fault::Busy(_)) => Err(busy),
            _ => Ok(Self {
                site,
                live: Live::default(),
            }),
        }
    }
}

impl Database for SqliteDatabase {
    fn info(&mut self) -> FaultResult<DatabaseInfo> {
        let connection = connect(&self.site, Access::Read)?;
        let free = whole::pages(&connection, "freelist_count")
            .map_err(|error| fault("inspect", &self.site.path, error))?;
        Ok(DatabaseInfo {
            engine: "sqlite".into(),
            version: rusqlite::version().into(),
            size: whole::size(&self.site.path)?,
            reclaimable: Some(free),
        })
    }

    fn tables(&mut self) -> FaultResult<Vec<TableInfo>> {
        let connection = connect(&self.site, Access::Read)?;
        schema::tables(&connection)
            .map_err(|error| fault("list the tables of", &self.site.path, error))
    }

    fn begin_read(&mut self) -> FaultResult<Box<dyn Transaction>> {
        let connection = connect(&self.site, Access::Read)?;
        rows::Rows::read(connection, self.live.read(), &self.site.path)
    }

    fn begin_write(&mut self) -> FaultResult<Box<dyn Transaction>> {
        let guard = self.live.write()?;
        let connection = connect(&self.site, Access::Write)?;
        rows::Rows::write(connection, guard, &self.site.path)
    }

    fn snapshot(&mut self, target: &Path) -> FaultResult<u64> {
        whole::snapshot(&self.site, target, &mut |_| {})
    }

    fn pack(&mut self) -> FaultResult<Packed> {
        self.pack_keeping(KeepOld::No, &unattended())
            .map(|result| result.packed)
    }

    fn verify(&mut self) -> FaultResult<Verdict> {
        whole::verify(&self.site)
    }

    fn restore(&mut self, source: &Path) -> FaultResult<String> {
        self.live.none("restore")?;
        restore::restore(&self.site, source, &mut |_| {})
    }

    fn pack_keeping(&mut self, keep: KeepOld, around: &Around) -> FaultResult<PackResult> {
        self.live.none("pack")?;
        whole::pack(&self.site, keep, around, &space::free, &mut |_| {})
    }

    fn recover(
        &mut self,
        target: &Path,
        options: RecoverOptions,
        around: &Around,
    ) -> FaultResult<Recovered> {
        self.live.none("recover")?;
        recover::recover(
            &self.site,
            target,
            options,
            around,
            &space::free,
            &mut |_| {},
        )
    }
}
