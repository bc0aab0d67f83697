//! Databases, repositories and remotes: the traits over the contract's resources.

use crate::Result;
use crate::bindings::mhost::plugin::{database, remote, repository};
use crate::database::{
    Database, Info, KeepOld, PackResult, Packed, Page, RecoverOptions, Recovered, Row, Table,
    Transaction, Value, Verdict,
};
use crate::remote::{Entry, Metadata, Remote, Writer};
use crate::repository::{
    BackupOptions, BackupResult, BackupRules, BackupSummary, Comparison, Difference, Found, Judged,
    Keep, Key, Lock, Node, PruneSummary, Repository, RestoreOptions, RestorePlan, RestoreResult,
    RestoreRules, RestoreSummary, Share, Snapshot, Source, Verdict as CheckVerdict,
};

impl Transaction for database::Transaction {
    fn get(&self, table: &str, key: &[Value]) -> Result<Option<Row>> {
        database::Transaction::get(self, table, key)
    }

    fn scan(&self, table: &str, after: Option<&[Value]>, limit: u32) -> Result<Page> {
        database::Transaction::scan(self, table, after, limit)
    }

    fn put(&self, table: &str, key: &[Value], columns: &[Value]) -> Result<()> {
        database::Transaction::put(self, table, key, columns)
    }

    fn delete(&self, table: &str, key: &[Value]) -> Result<bool> {
        database::Transaction::delete(self, table, key)
    }

    fn commit(self: Box<Self>) -> Result<()> {
        database::Transaction::commit(&self)
    }
}

impl Database for database::Connection {
    fn info(&self) -> Result<Info> {
        database::Connection::info(self)
    }

    fn tables(&self) -> Result<Vec<Table>> {
        database::Connection::tables(self)
    }

    fn begin_read(&self) -> Result<Box<dyn Transaction + '_>> {
        Ok(Box::new(database::Connection::begin_read(self)?))
    }

    fn begin_write(&self) -> Result<Box<dyn Transaction + '_>> {
        Ok(Box::new(database::Connection::begin_write(self)?))
    }

    fn snapshot(&self, target: &str) -> Result<u64> {
        database::Connection::snapshot(self, target)
    }

    fn pack(&self) -> Result<Packed> {
        database::Connection::pack(self)
    }

    fn verify(&self) -> Result<Verdict> {
        database::Connection::verify(self)
    }

    fn restore(&self, source: &str) -> Result<String> {
        database::Connection::restore(self, source)
    }

    fn pack_keeping(&self, keep: KeepOld) -> Result<PackResult> {
        database::Connection::pack_keeping(self, keep)
    }

    fn recover(&self, target: &str, options: RecoverOptions) -> Result<Recovered> {
        database::Connection::recover(self, target, options)
    }
}

impl Repository for repository::Handle {
    fn id(&self) -> String {
        repository::Handle::id(self)
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>> {
        repository::Handle::snapshots(self)
    }

    fn backup(&self, sources: &[Source], options: &BackupOptions) -> Result<BackupSummary> {
        repository::Handle::backup(self, sources, options)
    }

    fn restore(
        &self,
        snapshot: &str,
        target: &str,
        options: &RestoreOptions,
    ) -> Result<RestoreSummary> {
        repository::Handle::restore(self, snapshot, target, options)
    }

    fn listing(&self, snapshot: &str, path: &str, limit: u32) -> Result<Vec<Node>> {
        repository::Handle::listing(self, snapshot, path, limit)
    }

    fn forget(&self, policy: &Keep, apply: bool) -> Result<Vec<Judged>> {
        repository::Handle::forget(self, policy, apply)
    }

    fn prune(&self) -> Result<PruneSummary> {
        repository::Handle::prune(self)
    }

    fn check(&self, percent: u32) -> Result<CheckVerdict> {
        repository::Handle::check(self, percent)
    }

    fn backup_with(
        &self,
        others: &[&dyn Repository],
        sources: &[Source],
        options: &BackupOptions,
        rules: &BackupRules,
    ) -> Result<Vec<Result<BackupResult>>> {
        let mut handles = vec![self];
        handles.extend(others.iter().filter_map(|other| other.handle()));
        repository::backup_to(&handles, sources, options, rules)
    }

    fn restore_with(
        &self,
        snapshot: &str,
        target: &str,
        rules: &RestoreRules,
    ) -> Result<RestoreResult> {
        repository::restore_with(self, snapshot, target, rules)
    }

    fn plan_restore(
        &self,
        snapshot: &str,
        target: Option<&str>,
        rules: &RestoreRules,
    ) -> Result<RestorePlan> {
        repository::plan_restore(self, snapshot, target, rules)
    }

    fn plan_prune(&self) -> Result<PruneSummary> {
        repository::plan_prune(self)
    }

    fn compare(&self, snapshot: &str, target: &str, rules: &RestoreRules) -> Result<Comparison> {
        repository::compare(self, snapshot, target, rules)
    }

    fn check_share(&self, share: Share) -> Result<CheckVerdict> {
        repository::check_share(self, share)
    }

    fn diff(&self, before: &str, after: &str, limit: u32) -> Result<Difference> {
        repository::diff(self, before, after, limit)
    }

    fn find(&self, patterns: &[String], snapshots: &[String], limit: u32) -> Result<Vec<Found>> {
        repository::find(self, patterns, snapshots, limit)
    }

    fn keys(&self) -> Result<Vec<Key>> {
        repository::keys(self)
    }

    fn add_key(&self, secret: &str) -> Result<String> {
        repository::add_key(self, secret)
    }

    fn remove_key(&self, key: &str) -> Result<String> {
        repository::remove_key(self, key)
    }

    fn locks(&self) -> Result<Vec<Lock>> {
        repository::locks(self)
    }

    fn unlock(&self, all: bool) -> Result<Vec<Lock>> {
        repository::unlock(self, all)
    }

    fn handle(&self) -> Option<&repository::Handle> {
        Some(self)
    }
}

impl Writer for remote::Writer {
    fn write(&self, data: &[u8]) -> Result<()> {
        remote::Writer::write(self, data)
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        remote::Writer::finish(&self)
    }
}

impl Remote for remote::Store {
    fn listing(
        &self,
        path: &str,
        recursive: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Entry>> {
        remote::Store::listing(self, path, recursive, after, limit)
    }

    fn stat(&self, path: &str) -> Result<Metadata> {
        remote::Store::stat(self, path)
    }

    fn read(&self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>> {
        remote::Store::read(self, path, offset, length)
    }

    fn write(&self, path: &str) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(remote::Store::write(self, path)?))
    }

    fn rename(&self, source: &str, target: &str) -> Result<()> {
        remote::Store::rename(self, source, target)
    }

    fn delete(&self, path: &str) -> Result<()> {
        remote::Store::delete(self, path)
    }

    fn create_directory(&self, path: &str) -> Result<()> {
        remote::Store::create_directory(self, path)
    }
}
