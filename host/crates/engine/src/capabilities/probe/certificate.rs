//! What stands in a certificate, for people and for expiry checks.

use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::contract::Certificate;

/// Reads a certificate. One that cannot be read still has its fingerprint, and says
/// so as its subject: it comes from a peer, who may send anything.
pub(super) fn read(der: &[u8]) -> Certificate {
    let fingerprint = hex::encode(Sha256::digest(der));
    match X509Certificate::from_der(der) {
        Ok((_, parsed)) => described(&parsed, fingerprint),
        Err(error) => Certificate {
            subject: format!("(cannot be read: {error})"),
            issuer: String::new(),
            serial: String::new(),
            not_before: 0,
            not_after: 0,
            names: Vec::new(),
            fingerprint,
        },
    }
}

fn described(certificate: &X509Certificate<'_>, fingerprint: String) -> Certificate {
    let validity = certificate.validity();
    Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        serial: hex::encode(certificate.raw_serial()),
        not_before: millis(validity.not_before.timestamp()),
        not_after: millis(validity.not_after.timestamp()),
        names: names(certificate),
        fingerprint,
    }
}

/// Times before 1970 are 1970.
fn millis(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1000)
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names.filter_map(name).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes)
                .ok()
                .map(|v4| std::net::Ipv4Addr::from(v4).to_string()),
            16 => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    proptest::proptest! {
        #[test]
        fn a_peer_may_send_anything(bytes: Vec<u8>) {
            let read = super::read(&bytes);
            proptest::prop_assert_eq!(read.fingerprint.len(), 64);
        }
    }
}
