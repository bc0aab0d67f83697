//! Digests against published values and against hashing at once.

use super::super::hash::{Algorithm, hash};
use super::bench::{Bench, kind};

/// SHA-256 of "abc" from FIPS 180-2, CRC-32 of "123456789" from the catalogue of
/// CRCs, BLAKE3 of nothing from its test vectors.
#[test]
fn published_values() {
    for (content, algorithm, expected) in [
        (
            "abc",
            Algorithm::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        ("123456789", Algorithm::Crc32, "cbf43926"),
        (
            "",
            Algorithm::Blake3,
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        ),
    ] {
        let bench = Bench::new();
        bench.write("logs/a", content);
        let digest = hash(
            bench.work(),
            &bench.to_read("/logs/a").unwrap(),
            algorithm,
            0,
            None,
        );
        assert_eq!(hex::encode(digest.unwrap()), expected);
    }
}

#[test]
fn ranges_and_pieces() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..(2 << 20) + 77_u32).map(|n| n as u8).collect();
    bench.write("logs/a", &bytes);
    let place = bench.to_read("/logs/a").unwrap();
    for (offset, length) in [
        (0, None),
        (1, None),
        (100, Some(2 << 20)),
        (100, Some(0)),
        (bytes.len() as u64 - 3, Some(100)),
        (bytes.len() as u64 + 3, None),
        (u64::MAX, Some(u64::MAX)),
    ] {
        let start = offset.min(bytes.len() as u64) as usize;
        let end = start
            .saturating_add(length.unwrap_or(u64::MAX) as usize)
            .min(bytes.len());
        let digest = hash(bench.work(), &place, Algorithm::Blake3, offset, length).unwrap();
        assert_eq!(
            digest,
            blake3::hash(&bytes[start..end]).as_bytes(),
            "{offset} {length:?}"
        );
    }
    let missing = bench.to_read("/logs/b").unwrap();
    assert_eq!(
        kind(&hash(bench.work(), &missing, Algorithm::Crc32, 0, None)),
        "not-found"
    );
}
