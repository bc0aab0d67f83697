//! Sealing single files as restic does: a random nonce of 16 bytes, the text under
//! AES-256 in counter mode, and a Poly1305-AES tag of 16 bytes. See "Keys,
//! Encryption and MAC" in restic's design document.
//!
//! For what this crate writes itself (packs, indexes, snapshots, keys, locks), and for
//! checking packs.

use std::fmt;
use std::io::Read;

use aes256ctr_poly1305aes::aead::{Aead, AeadInPlace};
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce};
use rustic_core::Id;
use rustic_core::repofile::MasterKey;

const NONCE: usize = 16;
const TAG: usize = 16;
/// A lock file is a few hundred bytes; what expands to more than this is none.
const LARGEST: u64 = 1024 * 1024;

/// A repository's key at work.
#[derive(Clone)]
pub struct Sealer(Aes256CtrPoly1305Aes);

impl Sealer {
    pub fn new(key: &MasterKey) -> Self {
        let parts = [&key.encrypt[..], &key.mac.k[..], &key.mac.r[..]].concat();
        Self(Aes256CtrPoly1305Aes::new(Key::from_slice(&parts)))
    }

    /// With what was made of a password.
    pub fn of_password(made: &[u8; 64]) -> Self {
        Self(Aes256CtrPoly1305Aes::new(Key::from_slice(made)))
    }

    /// The bytes of the file.
    pub fn seal(&self, text: &[u8]) -> Option<Vec<u8>> {
        let nonce = random_bytes(NONCE)?;
        let mut sealed = Vec::with_capacity(text.len() + NONCE + TAG);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(text);
        let nonce = Nonce::from_slice(&nonce);
        let tag = self
            .0
            .encrypt_in_place_detached(nonce, &[], &mut sealed[NONCE..]);
        sealed.extend_from_slice(&tag.ok()?);
        Some(sealed)
    }

    /// The bytes under a seal, if it is this key's and unbroken.
    pub fn open_raw(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        self.0.decrypt(Nonce::from_slice(nonce), sealed).ok()
    }

    /// The text of a file; expanded where it is compressed, as files are in
    /// version 2 of the format.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let text = self.open_raw(sealed)?;
        match text.first() {
            Some(b'{' | b'[') => Some(text),
            Some(2) => expand(&text[1..]),
            _ => None,
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

/// At most 32; `rustic_core`'s random ids come from the system's secure generator.
pub fn random_bytes(count: usize) -> Option<Vec<u8>> {
    hex::decode(Id::random().to_hex().as_str().get(..2 * count)?).ok()
}

fn expand(packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let reader = zstd::stream::read::Decoder::new(packed).ok()?;
    reader.take(LARGEST).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_opens_it() {
        let (mine, other) = (
            Sealer::new(&MasterKey::new()),
            Sealer::new(&MasterKey::new()),
        );
        let sealed = mine.seal(b"{\"a\":1}").unwrap();
        assert_eq!(mine.open(&sealed).as_deref(), Some(&b"{\"a\":1}"[..]));
        assert_eq!(other.open(&sealed), None);
        assert_ne!(
            sealed,
            mine.seal(b"{\"a\":1}").unwrap(),
            "the nonce is new each time"
        );
    }

    #[test]
    fn compressed_files_are_expanded() {
        let sealer = Sealer::new(&MasterKey::new());
        let packed = [vec![2], zstd::encode_all(&b"{}"[..], 3).unwrap()].concat();
        let sealed = sealer.seal(&packed).unwrap();
        assert_eq!(sealer.open(&sealed).as_deref(), Some(&b"{}"[..]));
    }

    #[test]
    fn garbage_is_refused() {
        let sealer = Sealer::new(&MasterKey::new());
        let mut sealed = sealer.seal(b"{}").unwrap();
        sealed[20] ^= 1;
        for bytes in [&sealed[..], &[], &[0; 15], &[0; 16], &[0; 40]] {
            assert_eq!(sealer.open(bytes), None, "{} bytes", bytes.len());
        }
    }
}
