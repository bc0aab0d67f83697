//! logrotate's configuration and state file: any text is read to its end, and what is
//! written is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mhost_format_logrotate::{
    Compressor, Found, Input, Kind, Options, Section, Source, State, parse,
};

/// One file, which is any file, in one folder.
struct One<'a>(&'a str);

impl Source for One<'_> {
    fn look(&self, path: &str) -> Result<Option<Found>, String> {
        let kind = if path.ends_with('d') { Kind::Directory } else { Kind::File };
        Ok(Some(Found { kind, mode: 0o644, uid: 0 }))
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

/// The options without what is not written: the places of scripts, and a compressor that
/// nothing is compressed by. Every user is root here.
fn plain(section: &Section) -> Options {
    let mut options = section.options.clone();
    for script in options.scripts.values_mut() {
        script.line = 0;
    }
    if !options.compress {
        options.compressor = Compressor::default();
    }
    options
}

fuzz_target!(|text: &str| {
    let read = parse(&[Input::Text { name: "fuzz", text }], &One(""));
    for section in &read.sections {
        assert!(section.line >= 1);
        let text = section.entry(&|_| Some("root".to_owned()));
        let again = parse(&[Input::Text { name: "fuzz", text: &text }], &One(""));
        let [again] = again.sections.as_slice() else { panic!("{text}: {:?}", again.problems) };
        assert_eq!(plain(again), plain(section), "{text}");
    }
    let (state, _) = State::read(text);
    assert_eq!(State::read(&state.text()).0, state);
});
