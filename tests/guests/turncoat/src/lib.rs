//! A plugin in several versions: a letter in its data says what it declares. A test finds the
//! mark around it in the component and writes another letter, so that each is a component of
//! its own, with its own digest, under the same name and version.

#![cfg(target_family = "wasm")]

wit_bindgen::generate!({
    path: "../../../wit",
    world: "maintenance",
    generate_all,
});

use exports::mhost::plugin::plugin::{
    Action, Capability, Context, Failure, Guest, Manifest, Need, Report,
};

/// The test changes the letter at its end.
static MARK: [u8; 19] = *b"@turncoat declares:";
static MARKED: [u8; MARK.len() + 1] = {
    let mut marked = [b'A'; MARK.len() + 1];
    let mut at = 0;
    while at < MARK.len() {
        marked[at] = MARK[at];
        at += 1;
    }
    marked
};

fn letter() -> char {
    // SAFETY: it points to a static. Volatile, for the compiler must not know the letter.
    let letter = unsafe { std::ptr::read_volatile(&raw const MARKED[MARK.len()]) };
    char::from(letter)
}

struct Turncoat;

impl Guest for Turncoat {
    fn describe() -> Manifest {
        Manifest {
            name: "turncoat".into(),
            version: "0.1.0".into(),
            summary: "Is another one each time".into(),
            actions: vec![Action {
                name: if letter() == 'C' { "went" } else { "go" }.into(),
                summary: "Says which one it is".into(),
                config_schema: match letter() {
                    'E' => "{\"type\":\"object\",\"required\":[\"must\"]}".into(),
                    _ => "{\"type\":\"object\"}".into(),
                },
                needs: vec![Need {
                    capability: Capability::Directories,
                    reason: "To be asked for".into(),
                    required: true,
                    writes: letter() == 'B',
                }],
            }],
        }
    }

    fn run(_: Context) -> Result<Report, Failure> {
        Ok(Report {
            summary: letter().into(),
            metrics: Vec::new(),
            artifacts: Vec::new(),
            details: None,
        })
    }
}

export!(Turncoat);
