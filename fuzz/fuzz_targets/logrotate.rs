//! logrotate's configuration and state file: any text is read to its end, and what is
//! written is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mhost_format_logrotate::{Found, Input, Kind, Source, State, parse};

/// One file, which is any file, in one folder.
struct One<'a>(&'a str);

impl Source for One<'_> {
    fn look(&self, path: &str) -> Result<Option<Found>, String> {
        let kind = if path.ends_with('d') { Kind::Directory } else { Kind::File };
        Ok(Some(Found { kind, mode: 0o644 }))
    }

    fn read(&self, _: &str) -> Result<String, String> {
        Ok(self.0.to_owned())
    }

    fn list(&self, _: &str) -> Result<Vec<String>, String> {
        Ok(vec!["a".to_owned(), "b.log".to_owned(), "d".to_owned()])
    }

    fn user(&self, _: &str) -> Option<u32> {
        Some(0)
    }

    fn group(&self, _: &str) -> Option<u32> {
        Some(0)
    }
}

fuzz_target!(|text: &str| {
    let read = parse(&[Input::Text { name: "fuzz", text }], &One(""));
    for section in &read.sections {
        assert!(section.line >= 1);
        let _ = section.options.directives();
    }
    let (state, _) = State::read(text);
    assert_eq!(State::read(&state.text()).0, state);
});
