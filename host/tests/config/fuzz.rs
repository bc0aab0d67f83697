//! Whatever a file holds, reading it ends with a document or with mistakes.

use proptest::prelude::*;

use super::export::documents;
use super::support::{cases, read, stored};

/// Reads, and holds an error to its promise.
fn check(text: &str) {
    if let Err(error) = read(text) {
        assert!(!error.mistakes.is_empty());
        assert!(error.count() >= error.mistakes.len());
        for mistake in &error.mistakes {
            let line = mistake.line.unwrap();
            assert!(line <= text.split('\n').count(), "{mistake:?}");
            assert!(!mistake.message.is_empty());
        }
        assert!(error.to_string().contains("mhost.toml"));
    }
}

/// Pieces that a file is made of.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[tasks.a]\n".to_owned()),
        Just("[tasks.a.grants]\n".to_owned()),
        Just("[[tasks.a.config.list]]\n".to_owned()),
        Just("[databases.d]\n".to_owned()),
        Just("plugin = \"any\"\n".to_owned()),
        Just("schedule = { cron = \"0 3 * * *\" }\n".to_owned()),
        Just("schedule = { after = \"a\" }\n".to_owned()),
        Just("dirs.x = { path = \"x\" }\n".to_owned()),
        Just("= { [ ] } \"\"\" ''' \\ ".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        "[a-z.]{1,10} = [0-9a-z\"\\[\\]{}, .-]{0,20}\n",
        "\\PC{0,20}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text(text: String) {
        check(&text);
    }

    #[test]
    fn any_pieces(pieces in proptest::collection::vec(piece(), 0..20)) {
        check(&pieces.concat());
    }

    /// Cut, doubled, swapped and overwritten pieces of files that hold.
    #[test]
    fn files_that_were_damaged(document in documents(), cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..40, piece()), 1..4)) {
        let (definitions, tasks) = stored(&document);
        let mut text = mhost::config::export(&definitions, &tasks);
        for (index, length, piece) in cuts {
            let near = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let from = near(index.index(text.len() + 1));
            let to = near(from + length).max(from);
            text.replace_range(from..to, &piece);
        }
        check(&text);
    }
}

/// Every broken file, cut at every character.
#[test]
fn files_that_end_too_soon() {
    for path in cases("broken", "toml").values() {
        let text = std::fs::read_to_string(path).unwrap();
        for (at, _) in text.char_indices() {
            check(&text[..at]);
        }
    }
}

/// What would cost more than its size if it were done carelessly.
#[test]
fn files_that_are_large_or_deep() {
    check(&"[".repeat(100_000));
    check(&format!("a{} = 1", ".a".repeat(100_000)));
    check(&format!("[a{}]", ".a".repeat(100_000)));
    check(&format!("a = {}1", "[".repeat(100_000)));
    check(&format!("a = {}", "{ a = ".repeat(100_000)));
    check(&"[tasks.a]\n".repeat(50_000));
    check(&format!(
        "[tasks.a]\n[tasks.b]\n[tasks.a]\n{}",
        "plugin = \"x\"\n".repeat(50_000)
    ));
    check(&"x\n".repeat(100_000));
    let tasks: Vec<String> = (0..20_000)
        .map(|at| format!("[tasks.t{at}]\nplugin = \"any\"\naction = \"run\"\nschedule = {{ after = \"t{at}\" }}\n"))
        .collect();
    check(&tasks.concat());
}
