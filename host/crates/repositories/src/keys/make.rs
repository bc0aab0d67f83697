//! Making, listing and removing key files. See "Keys, Encryption and MAC" in
//! restic's design document.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use mhost_model::ports::repository::KeyInfo;
use mhost_model::{Fault, FaultResult, Instant};
use rustic_core::repofile::MasterKey;
use rustic_core::{FileType, Id, ReadBackend, WriteBackend};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::crypto::{Sealer, random_bytes};
use crate::fault;
use crate::store::Store;

/// scrypt's costs of a new key: 32 MiB of memory, as restic settles on, where
/// `rustic_core` takes 128 MiB; and so many rounds of them that trying a password
/// costs as much work as is recommended for stored passwords today.
const LOG_N: u8 = 15;
const R: u32 = 8;
const P: u32 = 3;

#[derive(Debug, Serialize, Deserialize)]
struct KeyFile {
    #[serde(default)]
    created: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    hostname: String,
    kdf: String,
    #[serde(rename = "N")]
    n: u32,
    r: u32,
    p: u32,
    data: String,
    salt: String,
}

/// Puts the key under a further password; the new key's id.
pub fn add(store: &Store, key: &MasterKey, password: &str, now: Instant) -> FaultResult<Id> {
    if password.is_empty() {
        return Err(Fault::Invalid(
            "a repository's password must not be empty".to_owned(),
        ));
    }
    let file = sealed(key, password, now)
        .ok_or_else(|| Fault::Failed("making a key failed".to_owned()))?;
    let id = Id::new(Sha256::digest(&file).into());
    store
        .write_bytes(FileType::Key, &id, false, file.into())
        .map_err(|error| fault::rustic("storing a key", &error))?;
    Ok(id)
}

fn sealed(key: &MasterKey, password: &str, now: Instant) -> Option<Vec<u8>> {
    let salt = [random_bytes(32)?, random_bytes(32)?].concat();
    let mut made = [0; 64];
    let params = scrypt::Params::new(LOG_N, R, P).ok()?;
    scrypt::scrypt(password.as_bytes(), &salt, &params, &mut made).ok()?;
    let text = serde_json::to_vec(key).ok()?;
    let user = nix::unistd::User::from_uid(nix::unistd::getuid())
        .ok()
        .flatten();
    let file = KeyFile {
        created: now.to_rfc3339(),
        username: user.map(|user| user.name).unwrap_or_default(),
        hostname: gethostname::gethostname().to_string_lossy().into_owned(),
        kdf: "scrypt".to_owned(),
        n: 1 << LOG_N,
        r: R,
        p: P,
        data: BASE64_STANDARD.encode(Sealer::of_password(&made).seal(&text)?),
        salt: BASE64_STANDARD.encode(salt),
    };
    serde_json::to_vec(&file).ok()
}

/// All keys; `current` is the one that opened the repository.
pub fn all(store: &Store, current: Option<&str>) -> FaultResult<Vec<KeyInfo>> {
    let failed = |error: Box<_>| fault::rustic("reading the keys", &error);
    let mut found = Vec::new();
    for id in store.list(FileType::Key).map_err(failed)? {
        let text = store.read_full(FileType::Key, &id).map_err(failed)?;
        let name = id.to_hex().as_str().to_owned();
        let file: KeyFile = serde_json::from_slice(&text).map_err(|error| {
            Fault::Damaged(format!("the key file keys/{name} cannot be read: {error}"))
        })?;
        let created = chrono::DateTime::parse_from_rfc3339(&file.created);
        found.push(KeyInfo {
            current: current == Some(name.as_str()),
            id: name,
            username: file.username,
            hostname: file.hostname,
            created: created.ok().map(|time| time.to_utc()),
        });
    }
    found.sort_by(|a, b| a.created.cmp(&b.created).then(a.id.cmp(&b.id)));
    Ok(found)
}

/// Removes a key, by its id or the start of it; never the one that is in use, so that
/// one always remains.
pub fn remove(store: &Store, wanted: &str, current: Option<&str>) -> FaultResult<String> {
    let keys = all(store, current)?;
    let mut fitting = keys
        .iter()
        .filter(|key| !wanted.is_empty() && key.id.starts_with(wanted));
    let (Some(key), None) = (fitting.next(), fitting.next()) else {
        return Err(Fault::NotFound(format!(
            "no key, or more than one, begins with `{wanted}`: list the keys, and give more digits"
        )));
    };
    if key.current || keys.len() < 2 {
        return Err(Fault::Invalid(format!(
            "the key {} is the one that this password opens: remove it with another password",
            key.id
        )));
    }
    let id = key
        .id
        .parse::<Id>()
        .map_err(|error| fault::rustic("reading a key's name", &error))?;
    store
        .remove(FileType::Key, &id, false)
        .map_err(|error| fault::rustic("removing a key", &error))?;
    Ok(key.id.clone())
}
