//! Compression and its check.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::super::compress::{Format, compress, verify};
use super::bench::{Bench, kind};

const FORMATS: [Format; 3] = [Format::Gzip, Format::Zstd, Format::Xz];

fn expand(format: Format, bytes: &[u8]) -> Vec<u8> {
    let mut expanded = Vec::new();
    match format {
        Format::Gzip => flate2::read::GzDecoder::new(bytes)
            .read_to_end(&mut expanded)
            .map(drop),
        Format::Zstd => zstd::stream::copy_decode(bytes, &mut expanded),
        Format::Xz => lzma_rust2::XzReader::new(bytes, true)
            .read_to_end(&mut expanded)
            .map(drop),
    }
    .unwrap();
    expanded
}

#[test]
fn what_is_compressed_expands_and_keeps_its_metadata() {
    for format in FORMATS {
        for level in [None, Some(1), Some(9)] {
            let bench = Bench::new();
            let content = "a line of a log\n".repeat(200_000);
            bench.write("logs/a", &content);
            std::fs::set_permissions(bench.host("logs/a"), PermissionsExt::from_mode(0o640))
                .unwrap();
            let (from, to) = (
                bench.to_read("/logs/a").unwrap(),
                bench.to_write("/logs/a.z").unwrap(),
            );
            let done = compress(bench.work(), &from, &to, format, level).unwrap();
            let written = bench.read("logs/a.z");
            assert_eq!(
                (done.bytes_in, done.bytes_out),
                (content.len() as u64, written.len() as u64)
            );
            assert!(done.bytes_out * 20 < done.bytes_in);
            assert!(expand(format, &written) == content.as_bytes());
            let (a, z) = (
                std::fs::metadata(bench.host("logs/a")).unwrap(),
                std::fs::metadata(bench.host("logs/a.z")).unwrap(),
            );
            assert_eq!(
                (a.mode(), a.uid(), a.mtime(), a.mtime_nsec()),
                (z.mode(), z.uid(), z.mtime(), z.mtime_nsec())
            );
            assert_eq!(verify(bench.work(), &to, format), Ok(content.len() as u64));
        }
    }
}

#[test]
fn a_target_that_exists_and_a_level_that_does_not() {
    let bench = Bench::new();
    bench.write("logs/a", "content");
    bench.write("logs/a.gz", "precious");
    let (from, to) = (
        bench.to_read("/logs/a").unwrap(),
        bench.to_write("/logs/a.gz").unwrap(),
    );
    assert_eq!(
        kind(&compress(bench.work(), &from, &to, Format::Gzip, None)),
        "exists"
    );
    assert_eq!(bench.read("logs/a.gz"), b"precious");
    for (format, level) in [
        (Format::Gzip, 0),
        (Format::Gzip, 10),
        (Format::Zstd, 20),
        (Format::Zstd, u32::MAX),
    ] {
        assert_eq!(
            kind(&compress(bench.work(), &from, &to, format, Some(level))),
            "invalid"
        );
    }
}

#[test]
fn every_damage_is_found() {
    for format in FORMATS {
        let bench = Bench::new();
        bench.write(
            "logs/a",
            "some content that is long enough to be worth it".repeat(50),
        );
        let (from, to) = (
            bench.to_read("/logs/a").unwrap(),
            bench.to_write("/logs/a.z").unwrap(),
        );
        compress(bench.work(), &from, &to, format, None).unwrap();
        let whole = bench.read("logs/a.z");
        for length in 0..whole.len() {
            bench.write("logs/a.z", &whole[..length]);
            assert_eq!(
                kind(&verify(bench.work(), &to, format)),
                "damaged",
                "{format:?} cut at {length}"
            );
        }
        // The first ten bytes of gzip hold a time and a system, which nothing protects.
        for at in 10..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            bench.write("logs/a.z", bytes);
            assert_eq!(
                kind(&verify(bench.work(), &to, format)),
                "damaged",
                "{format:?} changed at {at}"
            );
        }
        bench.write(
            "logs/a.z",
            [whole.clone(), b"garbage behind the end".to_vec()].concat(),
        );
        assert_eq!(kind(&verify(bench.work(), &to, format)), "damaged");
        bench.write("logs/a.z", [whole.clone(), whole].concat());
        assert_eq!(verify(bench.work(), &to, format), Ok(2 * 50 * 47));
    }
}
