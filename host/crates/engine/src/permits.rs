//! Permits are proofs. Opening anything for a guest takes a [`Permit`], and only
//! the [`Granter`] makes one, after it found the grant; so a capability that
//! forgets to check does not compile.
//!
//! What is granted counts as far as the action's manifest declares it: kinds of power that it
//! does not name are taken away when the granter is made, and what it only looks at is not
//! changed. The manifest has no words for other tasks, channels and alerts: there the grant
//! alone decides.
//!
//! A denial carries the line to add to `mhost.toml`, or the option to give, and stands on the receipt. In
//! a dry run a permit to change something is never made: what was asked stands on
//! the receipt as withheld. A run whose claim was taken over gets no permit to
//! change something either.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mhost_model::grant::{
    Access, DatabaseGrant, DatabaseVerb, Grants, Origin, ProcessGrant, RepositoryVerb, SecretSource,
};
use mhost_model::plugin::{Capability, Declared};
use mhost_model::ports::run::FenceCheck;
use mhost_model::{Denial, Fault, FaultResult, Name};

use remedy::Missing;

use crate::api::GrantedBy;
use crate::meter::Meter;

mod declared;
mod permit;
mod remedy;
mod verbs;

/// A kind of power: in a denial's word, and in the manifest's where that has one.
type Kind = (&'static str, Option<Capability>);

const DIRECTORY: Kind = ("directory", Some(Capability::Directories));
const DATABASE: Kind = ("database", Some(Capability::Databases));
const REPOSITORY: Kind = ("repository", Some(Capability::Repositories));
const REMOTE: Kind = ("remote", Some(Capability::Remotes));
const NETWORK: Kind = ("network", Some(Capability::Network));
const SECRET: Kind = ("secret", Some(Capability::Secrets));
const PROCESS: Kind = ("process", Some(Capability::Processes));

/// So many origins are written out in a denial.
const FEW: usize = 16;

pub use permit::Permit;
use verbs::changes_database;
pub use verbs::{ProcessVerb, database_verb, repository_verb};

/// A granted directory, to look at or to change.
#[derive(Debug, Clone)]
pub struct DirectoryUse {
    pub name: Name,
}

/// Something granted by name.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: Name,
}

/// One verb on a granted database.
#[derive(Debug, Clone)]
pub struct DatabaseUse {
    pub name: Name,
    pub verb: DatabaseVerb,
    grant: DatabaseGrant,
}

/// One verb on a granted repository.
#[derive(Debug, Clone)]
pub struct RepositoryUse {
    pub name: Name,
    /// The secret that holds the password.
    pub password: Name,
}

/// A granted remote, to look at or to change.
#[derive(Debug, Clone)]
pub struct RemoteUse {
    pub name: Name,
}

/// A granted origin.
#[derive(Debug, Clone)]
pub struct OriginUse {
    pub origin: Origin,
}

/// A granted secret.
#[derive(Debug, Clone)]
pub struct SecretUse {
    pub name: Name,
    pub source: SecretSource,
}

/// A granted signal or command.
#[derive(Debug, Clone)]
pub struct ProcessUse {
    pub grant: ProcessGrant,
}

/// Changing the alerts of the run's own task.
#[derive(Debug, Clone)]
pub struct AlertUse;

/// Asking who holds a target.
#[derive(Debug, Clone)]
pub struct HoldersUse;

/// What a run is granted, and what its action declares.
pub(crate) struct Basis {
    pub task: String,
    pub action: String,
    pub grants: Grants,
    pub granted_by: GrantedBy,
    pub declared: Declared,
}

/// Makes permits from a task's grants; one for each run.
pub struct Granter {
    basis: Basis,
    /// The grants of the basis as far as they are declared.
    grants: Grants,
    dry_run: bool,
    fence: Arc<dyn FenceCheck>,
    closed: AtomicBool,
    meter: Arc<Meter>,
}

impl Granter {
    pub(crate) fn new(
        basis: Basis,
        dry_run: bool,
        fence: Arc<dyn FenceCheck>,
        meter: Arc<Meter>,
    ) -> Self {
        Self {
            grants: declared::within(&basis.grants, &basis.declared),
            basis,
            dry_run,
            fence,
            closed: AtomicBool::new(false),
            meter,
        }
    }

    /// What was granted and declared.
    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What was granted, declared or not.
    pub(crate) fn granted(&self) -> &Grants {
        &self.basis.grants
    }

    /// Whether nothing may change.
    pub fn dry_run(&self) -> bool {
        self.dry_run
    }

    /// `verb` names what is asked, for people (`read`, `copy`, `hard-link`); `about` is
    /// the guest path for a dry run's receipt.
    pub fn directory(
        &self,
        name: &str,
        access: Access,
        verb: &str,
        about: &str,
    ) -> FaultResult<Permit<DirectoryUse>> {
        let place = format!("dirs.{name}");
        let Some((name, grant)) = self.grants.dirs.get_key_value(name) else {
            let path = None;
            let missing = Missing::Directory { name, path, access };
            return Err(self.denied(DIRECTORY, name, verb, &missing));
        };
        if access == Access::ReadWrite && grant.access == Access::ReadOnly {
            let (name, path) = (name.as_str(), Some(grant.path.as_path()));
            let missing = Missing::Directory { name, path, access };
            return Err(self.denied_change(DIRECTORY, name, verb, &missing));
        }
        self.may_change(access == Access::ReadWrite, || format!("{verb} {about}"))?;
        let what = DirectoryUse { name: name.clone() };
        Ok(self.permit(what, place, verbs::used(access)))
    }

    /// A database of which at least one verb is granted; each verb then needs a permit
    /// of its own.
    pub fn database_open(&self, name: &str) -> FaultResult<Permit<Named>> {
        let Some((name, grant)) = self.grants.databases.get_key_value(name) else {
            let verbs = vec!["read"];
            return Err(self.denied(DATABASE, name, "open", &Missing::Database { name, verbs }));
        };
        let first = grant.verbs.first().copied();
        let word = first.map_or("open", database_verb);
        Ok(self.permit(
            Named { name: name.clone() },
            format!("databases.{name}"),
            word,
        ))
    }

    /// Whether a verb on a database is granted; nothing is recorded but a denial.
    pub fn database_granted(&self, name: &str, verb: DatabaseVerb) -> FaultResult<()> {
        self.database_grant(name, verb).map(|_| ())
    }

    fn database_grant(
        &self,
        name: &str,
        verb: DatabaseVerb,
    ) -> FaultResult<(&Name, &DatabaseGrant)> {
        let word = database_verb(verb);
        let Some((name, grant)) = self.grants.databases.get_key_value(name) else {
            let verbs = vec![word];
            return Err(self.denied(DATABASE, name, word, &Missing::Database { name, verbs }));
        };
        let allowed = grant.verbs.contains(&verb);
        if !allowed || changes_database(verb) && !self.declares_changes(DATABASE) {
            let verbs = grant.verbs.iter().chain([&verb]);
            let verbs = verbs.map(|verb| database_verb(*verb)).collect();
            let name = name.as_str();
            let missing = Missing::Database { name, verbs };
            return Err(match allowed {
                true => self.denied_change(DATABASE, name, word, &missing),
                false => self.denied(DATABASE, name, word, &missing),
            });
        }
        Ok((name, grant))
    }

    /// One verb on a database.
    pub fn database(&self, name: &str, verb: DatabaseVerb) -> FaultResult<Permit<DatabaseUse>> {
        let word = database_verb(verb);
        let (name, grant) = self.database_grant(name, verb)?;
        self.may_change(changes_database(verb), || format!("{word} database {name}"))?;
        let what = DatabaseUse {
            name: name.clone(),
            verb,
            grant: grant.clone(),
        };
        Ok(self.permit(what, format!("databases.{name}"), word))
    }

    /// Whether the permit's grant covers a table; nothing is recorded.
    pub fn has_table(&self, permit: &Permit<DatabaseUse>, table: &str) -> bool {
        let tables = permit.grant.tables.as_ref();
        tables.is_none_or(|tables| tables.contains(table))
    }

    /// Puts on the receipt which tables were shown, where the grant names them one by one.
    pub fn shown<'t>(&self, permit: &Permit<DatabaseUse>, tables: impl Iterator<Item = &'t str>) {
        permit.used();
        if permit.grant.tables.is_some() {
            tables.for_each(|table| permit.used_part(table));
        }
    }

    /// Refuses a table that the permit's grant does not cover.
    pub fn table(&self, permit: &Permit<DatabaseUse>, table: &str) -> FaultResult<()> {
        if self.has_table(permit, table) {
            return Ok(());
        }
        let granted = permit.grant.tables.iter().flatten().map(String::as_str);
        let tables = granted.chain([table]).collect();
        let name = &permit.name;
        let target = format!("{name}/{}", verbs::clip(table));
        let missing = Missing::Tables { name, tables };
        Err(self.denied(DATABASE, &target, permit.verb_word(), &missing))
    }

    /// A repository of which at least one verb is granted; each verb then needs a
    /// permit of its own.
    pub fn repository_open(&self, name: &str) -> FaultResult<Permit<RepositoryUse>> {
        let granted = self.grants.repositories.get(name);
        let first = granted.and_then(|grant| grant.verbs.first().copied());
        self.repository(name, first.unwrap_or(RepositoryVerb::Read), false)
    }

    /// What a policy would forget, removing nothing.
    pub fn repository_judge(&self, name: &str) -> FaultResult<Permit<RepositoryUse>> {
        let granted = self.grants.repositories.get(name);
        let reads = granted.is_some_and(|grant| grant.verbs.contains(&RepositoryVerb::Read));
        let verb = if reads {
            RepositoryVerb::Read
        } else {
            RepositoryVerb::Forget
        };
        self.repository(name, verb, false)
    }

    /// One verb on a repository; `changes` says whether this use of it changes
    /// something.
    pub fn repository(
        &self,
        name: &str,
        verb: RepositoryVerb,
        changes: bool,
    ) -> FaultResult<Permit<RepositoryUse>> {
        let word = repository_verb(verb);
        let Some((name, grant)) = self.grants.repositories.get_key_value(name) else {
            let verbs = vec![word];
            let missing = Missing::Repository { name, verbs };
            return Err(self.denied(REPOSITORY, name, word, &missing));
        };
        let allowed = grant.verbs.contains(&verb);
        if !allowed || changes && !self.declares_changes(REPOSITORY) {
            let verbs = grant.verbs.iter().chain([&verb]);
            let verbs = verbs.map(|verb| repository_verb(*verb)).collect();
            let name = name.as_str();
            let missing = Missing::Repository { name, verbs };
            return Err(match allowed {
                true => self.denied_change(REPOSITORY, name, word, &missing),
                false => self.denied(REPOSITORY, name, word, &missing),
            });
        }
        self.may_change(changes, || format!("{word} in repository {name}"))?;
        let what = RepositoryUse {
            name: name.clone(),
            password: grant.password.clone(),
        };
        Ok(self.permit(what, format!("repositories.{name}"), word))
    }

    /// Access to a remote; `verb` and `about` as for [`Self::directory`].
    pub fn remote(
        &self,
        name: &str,
        access: Access,
        verb: &str,
        about: &str,
    ) -> FaultResult<Permit<RemoteUse>> {
        let missing = Missing::Remote { name, access };
        let granted = self.grants.remotes.get_key_value(name);
        let covers = |grant: Access| access == Access::ReadOnly || grant == Access::ReadWrite;
        let Some((name, _)) = granted.filter(|(_, grant)| covers(grant.access)) else {
            let missing = &missing;
            return Err(match granted.is_some() {
                true => self.denied_change(REMOTE, name, verb, missing),
                false => self.denied(REMOTE, name, verb, missing),
            });
        };
        self.may_change(access == Access::ReadWrite, || {
            format!("{verb} {about} on remote {name}")
        })?;
        let what = RemoteUse { name: name.clone() };
        Ok(self.permit(what, format!("remotes.{name}"), verbs::used(access)))
    }

    /// A peer; `verb` is the HTTP method or `connect`, `handshake`, `resolve`.
    /// `changes` says whether a dry run must hold it back; `about` is then the target.
    pub fn origin(
        &self,
        origin: &Origin,
        verb: &str,
        changes: bool,
        about: &str,
    ) -> FaultResult<Permit<OriginUse>> {
        if !self.grants.net.contains(origin) {
            // A long list would only be cut off, the new one with it.
            let more = self.grants.net.len() > FEW;
            let granted = self.grants.net.iter().take(if more { 0 } else { FEW });
            let (wanted, granted) = (origin.to_string(), granted.map(Origin::to_string).collect());
            let missing = Missing::Origin {
                wanted,
                granted,
                more,
            };
            return Err(self.denied(NETWORK, &origin.to_string(), verb, &missing));
        }
        self.may_change(changes, || format!("{verb} {about}"))?;
        let what = OriginUse {
            origin: origin.clone(),
        };
        Ok(self.permit(what, "net".to_owned(), verb))
    }

    /// A secret.
    pub fn secret(&self, name: &str) -> FaultResult<Permit<SecretUse>> {
        let Some((name, source)) = self.grants.secrets.get_key_value(name) else {
            return Err(self.denied(SECRET, name, "read", &Missing::Secret { name }));
        };
        Ok(self.secret_use(name, source))
    }

    /// The password of a permitted repository. It is the host's to read and never the
    /// plugin's, which need not declare it.
    pub fn password(&self, permit: &Permit<RepositoryUse>) -> FaultResult<Permit<SecretUse>> {
        let granted = self.basis.grants.secrets.get_key_value(&permit.password);
        let Some((name, source)) = granted else {
            let name = permit.password.as_str();
            let missing = Missing::Secret { name };
            return Err(self.denied(("secret", None), name, "read", &missing));
        };
        Ok(self.secret_use(name, source))
    }

    fn secret_use(&self, name: &Name, source: &SecretSource) -> Permit<SecretUse> {
        let what = SecretUse {
            name: name.clone(),
            source: source.clone(),
        };
        self.permit(what, format!("secrets.{name}"), "read")
    }

    /// A signal or a command.
    pub fn process(&self, name: &str, verb: ProcessVerb) -> FaultResult<Permit<ProcessUse>> {
        let found = self.grants.processes.get_key_value(name);
        let Some((name, grant)) = found.filter(|(_, grant)| verb.fits(grant)) else {
            let missing = Missing::Process { name, verb };
            return Err(self.denied(PROCESS, name, verb.as_str(), &missing));
        };
        let changes = verb != ProcessVerb::Find;
        if changes && !self.declares_changes(PROCESS) {
            let name = name.as_str();
            let missing = Missing::Process { name, verb };
            return Err(self.denied_change(PROCESS, name, verb.as_str(), &missing));
        }
        self.may_change(changes, || format!("{} process {name}", verb.as_str()))?;
        let what = ProcessUse {
            grant: grant.clone(),
        };
        Ok(self.permit(what, format!("processes.{name}"), verb.as_str()))
    }

    /// Raising or taking back an alert; `about` is its key. Where it goes is the
    /// operator's, so there is nothing to grant.
    pub fn alert(&self, verb: &str, about: &str) -> FaultResult<Permit<AlertUse>> {
        self.may_change(true, || format!("{verb} alert {about}"))?;
        Ok(self.permit(AlertUse, "alerts".to_owned(), verb))
    }

    /// Sending through a channel; `about` is the message's id.
    pub fn channel(&self, name: &str, about: &str) -> FaultResult<Permit<Named>> {
        let named = self.listed("channel", &self.grants.channels, name, "send")?;
        self.may_change(true, || format!("send {about} through {name}"))?;
        Ok(self.permit(named, format!("channels.{name}"), "send"))
    }

    /// Looking at another task.
    pub fn task(&self, name: &str) -> FaultResult<Permit<Named>> {
        let named = self.listed("task", &self.grants.tasks, name, "read")?;
        Ok(self.permit(named, format!("tasks.{name}"), "read"))
    }

    /// Asking who holds a target: a hold is declared for others to see.
    pub fn holders(&self) -> Permit<HoldersUse> {
        self.permit(HoldersUse, "holds".to_owned(), "read")
    }

    /// A member of a grant that is a list of names.
    fn listed(
        &self,
        capability: &'static str,
        granted: &BTreeSet<Name>,
        name: &str,
        verb: &str,
    ) -> FaultResult<Named> {
        if let Some(name) = granted.get(name) {
            return Ok(Named { name: name.clone() });
        }
        let missing = Missing::Listed {
            list: capability,
            wanted: name,
            granted: granted.iter().map(Name::as_str).collect(),
        };
        Err(self.denied((capability, None), name, verb, &missing))
    }

    fn declares_changes(&self, (_, kind): Kind) -> bool {
        kind.is_none_or(|kind| self.basis.declared.changes(kind))
    }

    /// Whether something may change now: not in a dry run, and not by a run whose
    /// claim was taken over.
    fn may_change(&self, changes: bool, what: impl FnOnce() -> String) -> FaultResult<()> {
        if !changes {
            return Ok(());
        }
        if self.dry_run {
            let what = verbs::clip(&what()).to_owned();
            self.meter.withheld(&what);
            return Err(Fault::DryRun(what));
        }
        self.current()
    }

    /// Makes no permit to change something from now on: the run is over.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// Fails when this run's claim is no longer the newest, or the run is over and its
    /// thread lingers.
    pub fn current(&self) -> FaultResult<()> {
        if self.closed.load(Relaxed) {
            let text = "the run is over; nothing it does now counts";
            return Err(Fault::TimedOut(text.into()));
        }
        if self.fence.current() {
            Ok(())
        } else {
            Err(Fault::Failed(
                "a newer claim of this task has begun; this run may no longer change anything"
                    .into(),
            ))
        }
    }

    fn permit<C>(&self, what: C, place: String, verb: &str) -> Permit<C> {
        Permit {
            what,
            place,
            verb: verb.to_owned(),
            meter: Arc::clone(&self.meter),
        }
    }

    /// The grant is missing, unless no grant would help.
    fn denied(&self, kind: Kind, target: &str, verb: &str, missing: &Missing) -> Fault {
        let Basis {
            task,
            action,
            granted_by,
            declared,
            ..
        } = &self.basis;
        let remedy = match kind.1.filter(|kind| !declared.asks(*kind)) {
            Some(kind) => declared::no_kind(action, kind),
            None => missing.remedy(granted_by, task),
        };
        self.told(kind, target, verb, remedy)
    }

    /// There is a grant, and it allows no change, or the action declares none.
    fn denied_change(&self, kind: Kind, target: &str, verb: &str, missing: &Missing) -> Fault {
        match kind.1.filter(|_| !self.declares_changes(kind)) {
            Some(kind_) => {
                let remedy = declared::no_change(&self.basis.action, kind_);
                self.told(kind, target, verb, remedy)
            }
            None => self.denied(kind, target, verb, missing),
        }
    }

    fn told(&self, (capability, _): Kind, target: &str, verb: &str, remedy: String) -> Fault {
        let denial = Denial {
            capability: capability.to_owned(),
            target: verbs::clip(target).to_owned(),
            verb: verb.to_owned(),
            remedy,
        };
        self.meter.denied(denial.clone());
        Fault::Denied(denial)
    }
}
