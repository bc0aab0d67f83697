//! Lines of logs: however the bytes come in pieces, the lines are the same, none is longer
//! than allowed, and each is read as a request and as an event.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mhost_format_logs::{Access, Lines, Severity, request};

const MOST: usize = 200;

fn lines(pieces: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
    let mut lines = Lines::new(MOST, false);
    let mut found = Vec::new();
    for piece in pieces {
        lines.feed(piece, |line| found.push((line.text.to_vec(), line.cut)));
        assert!(lines.waiting() <= MOST);
    }
    lines.finish(|line| found.push((line.text.to_vec(), line.cut)));
    found
}

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.first().map_or(0, |first| usize::from(*first)).min(bytes.len());
    let (begin, end) = bytes.split_at(cut);
    let found = lines(&[begin, end]);
    assert_eq!(found, lines(&[bytes]));
    for (line, _) in &found {
        assert!(line.len() <= MOST);
        for format in [Access::Common, Access::Combined] {
            if let Some(request) = request(line, format) {
                assert!((100..600).contains(&request.status));
            }
        }
        let _ = Severity::of_line(line);
    }
});
