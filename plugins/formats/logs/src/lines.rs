//! Lines out of pieces. What is not at its end yet waits, and a line without end is given
//! up: its beginning is handed out, and the rest passed over.

/// One line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub text: &'a [u8],
    /// Only the beginning of a line that is longer than allowed.
    pub cut: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Lines {
    most: usize,
    waiting: Vec<u8>,
    skipping: bool,
}

impl Lines {
    /// `most` bytes of a line are handed out. `skipping` where the pieces begin in the
    /// middle of a line that was given up.
    pub fn new(most: usize, skipping: bool) -> Self {
        Self {
            most: most.max(1),
            waiting: Vec::new(),
            skipping,
        }
    }

    /// Takes the next piece, and hands out the lines that end in it. Whether any line
    /// ended, or was given up.
    pub fn feed(&mut self, piece: &[u8], mut take: impl FnMut(Line<'_>)) -> bool {
        let mut rest = piece;
        let mut any = false;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            self.end(&rest[..at], &mut take);
            any = true;
            rest = &rest[at + 1..];
        }
        if self.skipping {
            return any;
        }
        let room = self.most + 1 - self.waiting.len();
        self.waiting
            .extend_from_slice(&rest[..rest.len().min(room)]);
        if self.waiting.len() > self.most {
            take(Line {
                text: &self.waiting[..self.most],
                cut: true,
            });
            self.waiting.clear();
            self.skipping = true;
            any = true;
        }
        any
    }

    fn end(&mut self, last: &[u8], take: &mut impl FnMut(Line<'_>)) {
        if std::mem::take(&mut self.skipping) {
            return;
        }
        let cut = self.waiting.len() + last.len() > self.most;
        let whole = match self.waiting.is_empty() {
            true => last,
            false => {
                let room = self.most - self.waiting.len();
                self.waiting
                    .extend_from_slice(&last[..last.len().min(room)]);
                self.waiting.as_slice()
            }
        };
        let text = match cut {
            true => &whole[..self.most],
            false => whole.strip_suffix(b"\r").unwrap_or(whole),
        };
        take(Line { text, cut });
        self.waiting.clear();
    }

    /// Nothing follows: what waits is a line as it is.
    pub fn finish(&mut self, mut take: impl FnMut(Line<'_>)) {
        if !self.waiting.is_empty() {
            self.end(&[], &mut take);
        }
        self.skipping = false;
    }

    /// Bytes of the line that is not at its end.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the next bytes belong to a line that was given up.
    pub fn skipping(&self) -> bool {
        self.skipping
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pieces: &[&[u8]], most: usize) -> (Vec<(Vec<u8>, bool)>, Lines) {
        let mut lines = Lines::new(most, false);
        let mut found = Vec::new();
        for piece in pieces {
            lines.feed(piece, |line| found.push((line.text.to_vec(), line.cut)));
        }
        (found, lines)
    }

    #[test]
    fn a_line_waits_for_its_end() {
        let (found, mut lines) = all(&[b"one\r\ntw", b"o", b"\n\nthr"], 10);
        let texts: Vec<_> = found.iter().map(|(text, _)| text.as_slice()).collect();
        assert_eq!(texts, [b"one".as_slice(), b"two", b""]);
        assert_eq!(lines.waiting(), 3);
        let mut last = Vec::new();
        lines.finish(|line| last.extend_from_slice(line.text));
        assert_eq!((last.as_slice(), lines.waiting()), (b"thr".as_slice(), 0));
    }

    #[test]
    fn a_line_without_end_takes_no_more_than_allowed() {
        let long = [b'x'; 5_000];
        let (found, lines) = all(&[&long, &long, b"y\nok\n", &long], 10);
        assert_eq!(
            found,
            [
                (vec![b'x'; 10], true),
                (b"ok".to_vec(), false),
                (vec![b'x'; 10], true)
            ]
        );
        assert!(lines.skipping() && lines.waiting() == 0);
    }

    proptest! {
        /// However the bytes are cut into pieces, the lines are the same.
        #[test]
        fn pieces_do_not_matter(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0_usize..200, 0..5),
            most in 1_usize..20,
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|at| at.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let (cut, lines) = all(&pieces, most);
            let (whole, at_once) = all(&[&bytes], most);
            prop_assert_eq!(cut, whole);
            prop_assert_eq!(lines.waiting(), at_once.waiting());
            prop_assert!(lines.waiting() <= most);
        }
    }
}
