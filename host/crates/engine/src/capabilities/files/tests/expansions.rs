//! Compressed files read in pieces.

use std::io::Write as _;

use lzma_rust2::{XzOptions, XzWriter};

use super::super::expand::Expander;
use super::bench::{Bench, kind};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// All that is there from `offset` on, in pieces of this size.
fn rest(bench: &Bench, offset: u64, piece: u32) -> mhost_model::FaultResult<Vec<u8>> {
    let place = bench.to_read("/logs/a")?;
    let mut expander = Expander::open(bench.work(), &place, offset)?;
    let mut content = Vec::new();
    loop {
        let piece = expander.read(bench.work(), piece)?;
        if piece.is_empty() {
            return Ok(content);
        }
        content.extend(piece);
    }
}

#[test]
fn every_format_from_every_offset() {
    let text: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
    let double = [gzip(&text[..1000]), gzip(&text[1000..])].concat();
    let zstd = zstd::encode_all(text.as_slice(), 1).unwrap();
    for packed in [gzip(&text), double, zstd, xz(&text)] {
        let bench = Bench::new();
        bench.write("logs/a", packed);
        for (offset, piece) in [
            (0, 1 << 20),
            (999, 4096),
            (1001, 77_777),
            (2_999_999, 1),
            (3_000_000, 1),
            (u64::MAX, 1),
        ] {
            let expected = &text[(offset as usize).min(text.len())..];
            let read = rest(&bench, offset, piece).unwrap();
            assert!(read == expected, "{offset} in pieces of {piece}");
        }
    }
}

#[test]
fn what_is_refused() {
    let mut cut = gzip(&vec![7; 100_000]);
    cut.truncate(60);
    for (content, piece, expected) in [
        (b"a plain text".to_vec(), 100, "unsupported"),
        (Vec::new(), 100, "unsupported"),
        (cut, 100, "damaged"),
        (gzip(b"a"), 0, "invalid"),
        (gzip(b"a"), (1 << 20) + 1, "invalid"),
    ] {
        let bench = Bench::new();
        bench.write("logs/a", content);
        assert_eq!(kind(&rest(&bench, 0, piece)), expected);
    }
}

/// A small file that expands to much is passed over only as long as the run lasts.
#[test]
fn an_endless_expansion_ends_with_the_run() {
    let mut bench = Bench::new();
    bench.write("logs/a", gzip(&vec![0; 64 << 20]));
    bench.deadline = std::time::Instant::now();
    assert_eq!(kind(&rest(&bench, 60 << 20, 1 << 20)), "timed-out");
}
