//! Reads a panic's message from standard error, and places in the plugin's own
//! source from a backtrace.

use wasmtime::WasmBacktrace;

/// Places that are shown.
const PLACES: usize = 5;
/// Lines of standard error that are shown.
const LINES: usize = 10;

/// The message of the newest panic in Rust's form (`thread '…' panicked at
/// src/lib.rs:1:2:` and the message), in one line with its place.
pub(super) fn panic_message(stderr: &str) -> Option<String> {
    let (_, newest) = stderr.rsplit_once(" panicked at ")?;
    let (place, rest) = newest.split_once('\n')?;
    let ends = |line: &&str| !line.starts_with("note: ") && !line.starts_with("stack backtrace:");
    let message: Vec<&str> = rest.lines().take_while(ends).collect();
    let message = message.join("\n");
    Some(format!(
        "{} ({})",
        message.trim(),
        place.trim_end_matches(':')
    ))
}

/// `src/lib.rs:10 (hostile::attack)`, innermost first; what is the language's own
/// library is left out.
pub(super) fn of_plugin(backtrace: &WasmBacktrace) -> Vec<String> {
    let symbols = backtrace.frames().iter().flat_map(|frame| frame.symbols());
    let place = |symbol: &wasmtime::FrameSymbol| {
        let file = symbol.file().filter(|file| own(file))?;
        let line = symbol.line().unwrap_or(0);
        let name = symbol.name().map(|name| format!(" ({name})"));
        Some(format!("{file}:{line}{}", name.unwrap_or_default()))
    };
    symbols.filter_map(place).take(PLACES).collect()
}

fn own(file: &str) -> bool {
    const FOREIGN: [&str; 5] = [
        "/rustc/",
        "/rustlib/",
        "/.cargo/",
        "/cargo/registry/",
        "library/",
    ];
    !FOREIGN.iter().any(|part| file.contains(part)) && !file.starts_with('<')
}

/// The end of standard error.
pub(super) fn newest_lines(stderr: &str) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_found() {
        let check = |stderr: &str, expected: Option<&str>| {
            assert_eq!(panic_message(stderr).as_deref(), expected);
        };
        check("hello\n", None);
        check(
            "before\n\nthread '<unnamed>' panicked at src/lib.rs:7:9:\nno such thing\nnote: run with `RUST_BACKTRACE=1`\n",
            Some("no such thing (src/lib.rs:7:9)"),
        );
        check(
            "thread 'main' (1) panicked at a.rs:1:2:\ntwo\nlines\n",
            Some("two\nlines (a.rs:1:2)"),
        );
    }
}
