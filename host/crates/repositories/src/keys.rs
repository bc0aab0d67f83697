//! Key files: the repository's key under a password. Making and removing them, and a
//! look at them before a password is tried.
//!
//! They are the only files that are read before anything is authenticated, and say
//! themselves how much memory and time trying a password takes: whoever can write
//! into the repository could exhaust the machine.

mod make;

pub use make::{add, all, remove};

use std::io;

use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::KeyFile;

use crate::place::Place;

/// Sixteen times what restic chooses.
const MOST_MEMORY: u64 = 1 << 30;
const MOST_ROUNDS: u32 = 16;
const MOST_BYTES: u64 = 1 << 20;
/// restic tries twenty.
const MOST_KEYS: usize = 64;

/// Fails where a key file asks for more than a key of restic or rustic ever would.
pub fn are_reasonable(place: &Place) -> FaultResult<()> {
    let failed =
        |error: &io::Error| Fault::Failed(format!("opening {place}: reading its keys: {error}"));
    let files = place.medium.list("keys").map_err(|error| failed(&error))?;
    for (index, (name, size)) in files.into_iter().enumerate() {
        let reason = match index {
            MOST_KEYS.. => Some("there are too many keys".to_owned()),
            _ if size > MOST_BYTES => Some("it is too large".to_owned()),
            _ => unreasonable(place, &name).map_err(|error| failed(&error))?,
        };
        if let Some(reason) = reason {
            return Err(Fault::Damaged(format!(
                "opening {place}: the key file keys/{name} is not to be trusted: {reason}"
            )));
        }
    }
    Ok(())
}

fn unreasonable(place: &Place, name: &str) -> io::Result<Option<String>> {
    let text = place.medium.read(&format!("keys/{name}"))?;
    let Ok(key) = serde_json::from_slice::<KeyFile>(&text) else {
        // The library says what is wrong with it.
        return Ok(None);
    };
    Ok(too_costly(key.n, key.r, key.p))
}

/// scrypt takes `128 · n · r` bytes, `p` times.
fn too_costly(n: u32, r: u32, p: u32) -> Option<String> {
    let memory = 128 * u128::from(n) * u128::from(r);
    let sane = n.is_power_of_two() && r > 0 && (1..=MOST_ROUNDS).contains(&p);
    if sane && memory <= u128::from(MOST_MEMORY) {
        return None;
    }
    Some(format!(
        "trying a password on it would take {memory} bytes of memory, {p} times"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_test_support::scratch;
    use std::fs;

    #[test]
    fn costs() {
        let check = |n, r, p, fine: bool| {
            assert_eq!(too_costly(n, r, p).is_none(), fine, "n {n} r {r} p {p}");
        };
        check(32_768, 8, 5, true); // restic
        check(131_072, 8, 1, true); // rustic
        check(1 << 20, 8, 1, true);
        check(1 << 21, 8, 1, false);
        check(1 << 31, u32::MAX, 1, false);
        check(32_768, 8, 17, false);
        check(0, 8, 1, false);
        check(3, 8, 1, false);
        check(32_768, 0, 1, false);
        check(32_768, 8, 0, false);
    }

    #[test]
    fn a_greedy_key_file_is_named() {
        let dir = scratch("keys");
        let place = Place::at("x".parse().unwrap(), dir.path().to_path_buf());
        fs::create_dir(dir.path().join("keys")).unwrap();
        let write = |n: u32| {
            let text = format!(r#"{{"kdf":"scrypt","N":{n},"r":8,"p":1,"data":"","salt":""}}"#);
            fs::write(dir.path().join("keys/abcd"), text).unwrap();
        };
        write(32_768);
        are_reasonable(&place).unwrap();
        write(1 << 31);
        let Err(Fault::Damaged(text)) = are_reasonable(&place) else {
            panic!("accepted")
        };
        assert!(text.contains("keys/abcd"), "{text}");
    }
}
