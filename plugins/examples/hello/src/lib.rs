//! The smallest plugin that an author would copy.
//!
//! It writes a greeting into a file of a directory that the operator grants. To
//! make a plugin of your own:
//!
//! 1. Copy this folder. `Cargo.toml` makes both a `cdylib` (the component) and
//!    an `rlib` (the library that the tests below run).
//! 2. Describe the configuration as a type. Its documentation and its
//!    `deny_unknown_fields` go into the JSON Schema, against which mhost checks
//!    what the operator writes.
//! 3. Write the action against [`Context`], which is also the way to all that the
//!    host offers: files, databases, repositories, remotes, HTTP, secrets, state.
//! 4. Say in [`plugin`] what each action needs and why: the operator reads that
//!    before granting it.
//! 5. `cargo build --release --target wasm32-wasip2`, `mhost plugin install
//!    target/wasm32-wasip2/release/YOURS.wasm`, and try it without a task:
//!    `mhost exec YOURS greet --dir out=/tmp/greetings:rw --set name=World`.

use mhost_sdk::{Access, Action, Capability, Context, Failure, Optional as _, Plugin, Report};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the operator configures.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Greet {
    /// Whom to greet.
    name: String,
    /// The file to write, below a granted directory; an older one is replaced.
    #[serde(default = "default_file")]
    file: String,
}

fn default_file() -> String {
    "/out/hello.txt".to_owned()
}

/// What this plugin is, and what it can do.
pub fn plugin() -> Plugin {
    Plugin::new("hello", env!("CARGO_PKG_VERSION"), "Greets by a file").action(
        Action::new("greet", "Writes a greeting into a file", greet).requires(
            Capability::Directories,
            Access::Changes,
            "to write the greeting",
        ),
    )
}

mhost_sdk::export!(plugin);

fn greet(context: &Context, config: Greet) -> Result<Report, Failure> {
    let text = format!("Hello, {}!\n", config.name);
    let report = Report::new(format!("greeted {}", config.name))
        .metric("bytes_written", text.len())
        .artifact("file", &config.file, Some(text.len() as u64));
    if context.dry_run() {
        return Ok(report);
    }
    // Beside it first, then over it: a reader never sees half a greeting.
    let new = format!("{}.new", config.file);
    context.files().remove_file(&new).optional()?;
    context.files().create(&new, text.as_bytes())?;
    context.files().replace(&new, &config.file)?;
    context.info(format!("wrote `{}`", config.file));
    Ok(report)
}

#[cfg(test)]
mod tests {
    use mhost_sdk::testing::NativeHost;
    use serde_json::json;

    use super::*;

    #[test]
    fn it_greets() {
        let host = NativeHost::new().with_directory("out");
        let report = host
            .run(&plugin(), "greet", json!({"name": "World"}))
            .unwrap();
        assert_eq!(report.figure("bytes_written"), Some(14.0));
        let written = std::fs::read_to_string(host.path("/out/hello.txt")).unwrap();
        assert_eq!(written, "Hello, World!\n");
    }

    #[test]
    fn a_dry_run_writes_nothing() {
        let host = NativeHost::new().with_directory("out");
        host.dry_run(&plugin(), "greet", json!({"name": "World"}))
            .unwrap();
        assert!(!host.path("/out/hello.txt").exists());
    }

    #[test]
    fn a_misspelt_field_is_named() {
        let host = NativeHost::new().with_directory("out");
        let failure = host
            .run(&plugin(), "greet", json!({"nmae": "World"}))
            .unwrap_err();
        assert!(failure.message.contains("nmae"), "{}", failure.message);
        assert!(!failure.retryable);
    }
}
