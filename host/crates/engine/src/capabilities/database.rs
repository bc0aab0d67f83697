//! `mhost:plugin/database`: managed databases through the host's drivers. Which verb
//! and which table is granted is asked at each call.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant as Moment;

use mhost_model::grant::{Access, DatabaseVerb};
use mhost_model::ports::database as port;
use mhost_model::ports::run::ProgressState;
use mhost_model::{Fault, FaultResult, Name};
use wasmtime::component::{Linker, Resource};

use crate::beneath;
use crate::bindings::mhost::plugin::database::{
    self, Host, HostConnection, HostTransaction, Info, KeepOld, PackResult, Packed, Page,
    RecoverOptions, Recovered, Row, Table, Value, Verdict,
};
use crate::permits::{DatabaseUse, Permit};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, Shared, enter};

mod values;

use values::size_of;

/// The most rows of one page.
const PAGE: u32 = 10_000;

/// An open database.
pub struct Connection {
    name: Name,
    database: Box<dyn port::Database>,
}

/// A transaction on one. Dropping it undoes what was not committed.
pub struct Transaction {
    permit: Permit<DatabaseUse>,
    /// None once it is committed.
    transaction: Option<Box<dyn port::Transaction>>,
}

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    database::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn open(&mut self, name: String) -> Answer<Resource<Connection>> {
        let permit = self.shared.granter.database_open(&name)?;
        let opened = self.shared.databases.open(&permit.name);
        let connection = Connection {
            name: permit.name.clone(),
            database: opened.inspect_err(|_| permit.tried())?,
        };
        Ok(self.table.push(connection)?)
    }
}

impl Call<'_> {
    /// The database, and the proof that this verb is granted on it. The use is on the
    /// receipt: whatever comes of the verb, the database was asked.
    fn database(
        &mut self,
        connection: &Resource<Connection>,
        verb: DatabaseVerb,
    ) -> Answer<(Arc<Shared>, &mut dyn port::Database, Permit<DatabaseUse>)> {
        let shared = Arc::clone(&self.shared);
        let connection = self.table.get_mut(connection)?;
        let permit = shared.granter.database(connection.name.as_str(), verb)?;
        permit.used();
        Ok((shared, connection.database.as_mut(), permit))
    }

    fn begin(
        &mut self,
        connection: &Resource<Connection>,
        verb: DatabaseVerb,
    ) -> Answer<Resource<Transaction>> {
        let (_, database, permit) = self.database(connection, verb)?;
        let transaction = match verb {
            DatabaseVerb::Write => database.begin_write()?,
            _ => database.begin_read()?,
        };
        let transaction = Transaction {
            permit,
            transaction: Some(transaction),
        };
        Ok(self.table.push(transaction)?)
    }

    /// The transaction, for this verb on this table.
    fn transaction(
        &mut self,
        transaction: &Resource<Transaction>,
        verb: DatabaseVerb,
        table: &str,
    ) -> Answer<(Arc<Shared>, &mut dyn port::Transaction, Permit<DatabaseUse>)> {
        let shared = Arc::clone(&self.shared);
        let transaction = self.table.get_mut(transaction)?;
        let begun = &transaction.permit;
        if verb == DatabaseVerb::Write && begun.verb != verb {
            let text = "rows are changed in a write transaction; this one reads";
            return Err(Fault::Invalid(text.into()).into());
        }
        let permit = if begun.verb == verb {
            begun.clone()
        } else {
            shared.granter.database(begun.name.as_str(), verb)?
        };
        shared.granter.table(&permit, table)?;
        let over = || Fault::Invalid("the transaction is over: it was committed".into());
        let open = transaction.transaction.as_mut().ok_or_else(over)?;
        Ok((shared, open.as_mut(), permit))
    }
}

impl HostConnection for Call<'_> {
    async fn info(&mut self, connection: Resource<Connection>) -> Answer<Info> {
        let (_, database, _) = self.database(&connection, DatabaseVerb::Read)?;
        let info = database.info()?;
        Ok(values::info(info))
    }

    async fn tables(&mut self, connection: Resource<Connection>) -> Answer<Vec<Table>> {
        let (shared, database, permit) = self.database(&connection, DatabaseVerb::Read)?;
        let mut tables = database.tables()?;
        tables.retain(|table| shared.granter.has_table(&permit, &table.name));
        let names = tables.iter().map(|table| table.name.as_str());
        shared.granter.shown(&permit, names);
        Ok(tables.into_iter().map(values::table).collect())
    }

    async fn begin_read(
        &mut self,
        connection: Resource<Connection>,
    ) -> Answer<Resource<Transaction>> {
        self.begin(&connection, DatabaseVerb::Read)
    }

    async fn begin_write(
        &mut self,
        connection: Resource<Connection>,
    ) -> Answer<Resource<Transaction>> {
        self.begin(&connection, DatabaseVerb::Write)
    }

    async fn snapshot(&mut self, connection: Resource<Connection>, target: String) -> Answer<u64> {
        let (shared, database, _) = self.database(&connection, DatabaseVerb::Snapshot)?;
        let place = beneath::locate(&shared, &target, Access::ReadWrite, "snapshot")?;
        let pinned = place.pinned_new("snapshot")?;
        let bytes = snapshot(&shared, database, &pinned.path)?;
        shared.meter.changed(1);
        place.used();
        Ok(bytes)
    }

    async fn pack(&mut self, connection: Resource<Connection>) -> Answer<Packed> {
        let (shared, database, _) = self.database(&connection, DatabaseVerb::Pack)?;
        let packed = database.pack()?;
        shared.meter.read(packed.before);
        shared.meter.wrote(packed.after);
        Ok(values::packed(packed))
    }

    async fn verify(&mut self, connection: Resource<Connection>) -> Answer<Verdict> {
        let (_, database, _) = self.database(&connection, DatabaseVerb::Verify)?;
        let verdict = database.verify()?;
        Ok(values::verdict(verdict))
    }

    async fn restore(
        &mut self,
        connection: Resource<Connection>,
        source: String,
    ) -> Answer<String> {
        let (shared, database, _) = self.database(&connection, DatabaseVerb::Restore)?;
        let place = beneath::locate(&shared, &source, Access::ReadOnly, "restore")?;
        let pinned = place.pinned_by_name("restore")?;
        let old = database.restore(&pinned.path)?;
        place.used();
        Ok(old)
    }

    async fn pack_keeping(
        &mut self,
        connection: Resource<Connection>,
        keep: KeepOld,
    ) -> Answer<PackResult> {
        let (shared, database, permit) = self.database(&connection, DatabaseVerb::Pack)?;
        let result =
            database.pack_keeping(values::keep_old(keep), &around(&shared, &permit.name))?;
        shared.meter.read(result.packed.before);
        shared.meter.wrote(result.packed.after);
        Ok(values::pack_result(result))
    }

    async fn recover(
        &mut self,
        connection: Resource<Connection>,
        target: String,
        options: RecoverOptions,
    ) -> Answer<Recovered> {
        let (shared, database, permit) = self.database(&connection, DatabaseVerb::Recover)?;
        let place = beneath::locate(&shared, &target, Access::ReadWrite, "recover")?;
        let pinned = place.pinned_new("recover")?;
        let recovered = recover(&shared, database, &permit.name, &pinned.path, options)?;
        shared.meter.read(recovered.before);
        shared.meter.changed(1);
        place.used();
        Ok(values::recovered(recovered))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

/// A snapshot at a path that must not exist, within the budget: as much as the
/// database takes is set aside first.
pub(crate) fn snapshot(
    shared: &Shared,
    database: &mut dyn port::Database,
    target: &Path,
) -> FaultResult<u64> {
    let size = database.info()?.size;
    let folder = target.parent().unwrap_or(target);
    let folder = std::fs::File::open(folder)
        .map_err(|error| Fault::Failed(format!("cannot open the snapshot's folder: {error}")))?;
    shared.budget.take(size, &folder)?;
    let taken = database.snapshot(target);
    let written = taken.as_ref().map_or(0, |bytes| *bytes);
    shared.budget.give_back(size.saturating_sub(written));
    taken
}

/// What long work is told of the run.
fn around(shared: &Arc<Shared>, name: &Name) -> port::Around {
    let (run, told) = (Arc::clone(shared), Arc::clone(shared));
    let name = name.clone();
    port::Around {
        now: shared.clock.now(),
        cancelled: Arc::new(move || run.cancel.is_cancelled() || run.is_over()),
        keep_free: shared.budget.floor(),
        progress: Arc::new(move |doing, done, total| {
            let state = ProgressState {
                phase: format!("{doing} the database `{name}`"),
                done,
                total,
                unit: "bytes",
                at: told.clock.now(),
            };
            told.progress.update(state, Moment::now());
        }),
    }
}

/// Recovers to a path that must not exist, within the budget: as much as the damaged file takes
/// is set aside first, what the new one takes beyond that is counted afterwards.
fn recover(
    shared: &Arc<Shared>,
    database: &mut dyn port::Database,
    name: &Name,
    target: &Path,
    options: RecoverOptions,
) -> FaultResult<port::Recovered> {
    let size = shared
        .databases
        .path(name)?
        .metadata()
        .map_or(0, |m| m.len());
    let folder = target.parent().unwrap_or(target);
    let folder = std::fs::File::open(folder)
        .map_err(|error| Fault::Failed(format!("cannot open the new file's folder: {error}")))?;
    shared.budget.take(size, &folder)?;
    let options = port::RecoverOptions {
        deleted: options.deleted,
    };
    let recovered = database.recover(target, options, &around(shared, name));
    let written = recovered.as_ref().map_or(0, |recovered| recovered.after);
    shared.budget.give_back(size.saturating_sub(written));
    shared.budget.take_unplaced(written.saturating_sub(size))?;
    recovered
}

impl HostTransaction for Call<'_> {
    async fn get(
        &mut self,
        transaction: Resource<Transaction>,
        table: String,
        key: Vec<Value>,
    ) -> Answer<Option<Row>> {
        let (shared, open, permit) = self.transaction(&transaction, DatabaseVerb::Read, &table)?;
        let row = open.get(&table, &values::to_port(key)?)?;
        shared.meter.read(row.as_ref().map_or(0, size_of));
        permit.used_part(&table);
        Ok(row.map(values::row))
    }

    async fn scan(
        &mut self,
        transaction: Resource<Transaction>,
        table: String,
        after: Option<Vec<Value>>,
        limit: u32,
    ) -> Answer<Page> {
        let (shared, open, permit) = self.transaction(&transaction, DatabaseVerb::Read, &table)?;
        if !(1..=PAGE).contains(&limit) {
            let text = format!("a scan takes a limit from 1 to {PAGE}, not {limit}");
            return Err(Fault::Invalid(text).into());
        }
        let after = after.map(values::to_port).transpose()?;
        let page = open.scan(&table, after.as_deref(), limit)?;
        shared.meter.read(page.rows.iter().map(size_of).sum());
        permit.used_part(&table);
        Ok(Page {
            rows: page.rows.into_iter().map(values::row).collect(),
            more: page.more,
        })
    }

    async fn put(
        &mut self,
        transaction: Resource<Transaction>,
        table: String,
        key: Vec<Value>,
        columns: Vec<Value>,
    ) -> Answer<()> {
        let (shared, open, permit) = self.transaction(&transaction, DatabaseVerb::Write, &table)?;
        let (key, columns) = (values::to_port(key)?, values::to_port(columns)?);
        let bytes = key.iter().chain(&columns).map(values::weight).sum();
        shared.budget.take_unplaced(bytes)?;
        open.put(&table, &key, &columns)?;
        permit.used_part(&table);
        Ok(())
    }

    async fn delete(
        &mut self,
        transaction: Resource<Transaction>,
        table: String,
        key: Vec<Value>,
    ) -> Answer<bool> {
        let (_, open, permit) = self.transaction(&transaction, DatabaseVerb::Write, &table)?;
        let there = open.delete(&table, &values::to_port(key)?)?;
        permit.used_part(&table);
        Ok(there)
    }

    async fn commit(&mut self, transaction: Resource<Transaction>) -> Answer<()> {
        self.shared.granter.current()?;
        let transaction = self.table.get_mut(&transaction)?;
        match transaction.transaction.take() {
            Some(open) => Ok(open.commit()?),
            None => Err(Fault::Invalid("the transaction was committed already".into()).into()),
        }
    }

    async fn drop(&mut self, transaction: Resource<Transaction>) -> wasmtime::Result<()> {
        self.table.delete(transaction)?;
        Ok(())
    }
}
